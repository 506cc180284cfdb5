package main

import (
	"fmt"
	"os"
	"sync/atomic"

	"github.com/shmkit/shmkit/internal/mem"
	"github.com/shmkit/shmkit/shm"
)

// The job sheet is a block of shared memory in which the workers of a pool's run
// write down which tasks they begin and end. It outlives each of them.
type sheet struct {
	seg   *shm.Segment
	head  *sheetHead
	wills []workerWill
	lines []sheetLine
}

type sheetHead struct {
	calm      atomic.Uint64 // 1: nobody kills itself any more; written by the referee
	calledOff atomic.Uint64 // 1: the meeting won't take place; written by the referee
	met       atomic.Uint64 // workers that have come to the meeting
	willed    atomic.Uint64 // wills written
	_         [96]byte
}

// A sheetLine belongs to one task while it is not finished.
type sheetLine struct {
	begun atomic.Uint64 // times that its function was called
	ended atomic.Uint64 // times that it came to its end
}

// A workerWill says where a worker killed itself.
type workerWill struct {
	pid atomic.Uint64
	lastWill
	_ [40]byte
}

const (
	sheetHeadSize  = 128
	workerWillSize = 128
	sheetLineSize  = 16
	willsPerSheet  = 1 << 10
	linesPerSheet  = 1 << 15
	sheetSize      = sheetHeadSize + willsPerSheet*workerWillSize + linesPerSheet*sheetLineSize
)

func createSheet(name, dir string) (*sheet, error) {
	seg, err := shm.Create(name, sheetSize, &shm.Options{Dir: dir, Slots: maxSlots})
	if err != nil {
		return nil, err
	}
	return viewSheet(seg)
}

func openSheet(handle string) (*sheet, error) {
	seg, err := shm.OpenHandle(handle, nil, nil)
	if err != nil {
		return nil, err
	}
	return viewSheet(seg)
}

func viewSheet(seg *shm.Segment) (*sheet, error) {
	s := &sheet{seg: seg}
	b := seg.Bytes()
	var err error
	if s.head, err = mem.At[sheetHead](b, 0); err != nil {
		return nil, fmt.Errorf("job sheet: %w", err)
	}
	if s.wills, err = mem.Slice[workerWill](b, sheetHeadSize, willsPerSheet); err != nil {
		return nil, fmt.Errorf("job sheet: %w", err)
	}
	if s.lines, err = mem.Slice[sheetLine](b, sheetHeadSize+willsPerSheet*workerWillSize, linesPerSheet); err != nil {
		return nil, fmt.Errorf("job sheet: %w", err)
	}
	return s, nil
}

// bequeath writes down that this worker is about to kill itself, and tells
// whether it may.
func (s *sheet) bequeath(step string) bool {
	if s.head.calm.Load() != 0 {
		return false
	}
	w := &s.wills[(s.head.willed.Add(1)-1)%uint64(len(s.wills))]
	w.pid.Store(uint64(os.Getpid()))
	w.write(step, 0, 0)
	return true
}
