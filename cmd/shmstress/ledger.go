package main

import (
	"fmt"
	"sync/atomic"

	"github.com/shmkit/shmkit/internal/mem"
	"github.com/shmkit/shmkit/shm"
)

// The ledger is a block of shared memory in which the members of a queue's run
// write down what they are about to do, and what they have done. It outlives
// each of them: so the referee knows of a killed one what it had done for sure,
// and what it was in the middle of.
//
//	header             what the referee tells all
//	line of a seat     one for each producer, then one for each consumer
//	notes of a seat    one ring for each consumer: see note
//
// A seat is a member's place; the processes that sit on it one after the other
// are its lives. But where something else is said, a word is written by the
// process on the seat only, and by the referee while nobody sits there.
type ledger struct {
	seg   *shm.Segment
	head  *ledgerHead
	lines []seatLine // producers, then consumers
	notes [][]note   // of the consumers
}

type ledgerHead struct {
	phase atomic.Uint64 // written by the referee
	_     [120]byte
}

// Phases of a run.
const (
	running     = iota
	producedAll // producers end
	takenAll    // consumers end
)

// A seatLine is the part of the ledger that one member writes.
type seatLine struct {
	life  atomic.Uint64 // of the process; written by the referee
	ready atomic.Uint64 // 1: it has opened the queue
	beat  atomic.Uint64 // operations that have returned, whatever they returned
	op    atomic.Uint64 // the operation that it is in: see opWord
	opSeq atomic.Uint64 // of an ending operation: the record, as in a note
	opWho atomic.Uint64
	roles atomic.Uint64 // times that an exclusive role was still taken
	_     [72]byte

	// A producer's: records before ended are in the queue for sure, those
	// before begun perhaps.
	begun atomic.Uint64
	ended atomic.Uint64
	_     [112]byte

	// A consumer's: notes written, records taken, and, of its slot in the
	// queue's segment, the number and the count of gets at its start.
	head   atomic.Uint64
	passed atomic.Uint64
	slot   atomic.Uint64
	gets   atomic.Uint64
	_      [96]byte

	tail atomic.Uint64 // notes read; written by the referee
	_    [120]byte

	// Its last will, if it killed itself at a crash point.
	will lastWill
	_    [48]byte
}

// A lastWill says where, and when, a process killed itself.
type lastWill struct {
	steps  [7]atomic.Uint64 // name of the crash point, 8 bytes a word
	when   atomic.Uint64    // nanoseconds since 1970
	others atomic.Uint64    // what the other seats had taken then
	length atomic.Uint64    // of the name; written last; 0: it did not
}

// write writes the will down.
func (w *lastWill) write(step string, when int64, others uint64) {
	var text [len(w.steps) * 8]byte
	n := copy(text[:], step)
	for i := range w.steps {
		var x uint64
		for k := range 8 {
			x |= uint64(text[8*i+k]) << (8 * k)
		}
		w.steps[i].Store(x)
	}
	w.when.Store(uint64(when))
	w.others.Store(others)
	w.length.Store(uint64(n))
}

// read returns the will, and "" if there is none.
func (w *lastWill) read() (step string, when int64, others uint64) {
	text := make([]byte, 0, len(w.steps)*8)
	for i := range w.steps {
		x := w.steps[i].Load()
		for k := range 8 {
			text = append(text, byte(x>>(8*k)))
		}
	}
	n := min(w.length.Load(), uint64(len(text)))
	return string(text[:n]), int64(w.when.Load()), w.others.Load()
}

// maxSlots is how many processes can have a segment open: the members, and this
// one.
const maxSlots = 256

const (
	ledgerHeadSize = 128
	seatLineSize   = 640
	noteSize       = 16
	notesPerSeat   = 1 << 15
)

// createLedger creates the ledger of a run.
func createLedger(name, dir string, producers, consumers int) (*ledger, error) {
	size := ledgerHeadSize + (producers+consumers)*seatLineSize + consumers*notesPerSeat*noteSize
	seg, err := shm.Create(name, int64(size), &shm.Options{Dir: dir, Slots: maxSlots})
	if err != nil {
		return nil, err
	}
	return viewLedger(seg, producers, consumers)
}

// openLedger opens it in a member.
func openLedger(handle string, producers, consumers int) (*ledger, error) {
	seg, err := shm.OpenHandle(handle, nil, nil)
	if err != nil {
		return nil, err
	}
	return viewLedger(seg, producers, consumers)
}

func viewLedger(seg *shm.Segment, producers, consumers int) (*ledger, error) {
	l := &ledger{seg: seg}
	b := seg.Bytes()
	var err error
	if l.head, err = mem.At[ledgerHead](b, 0); err != nil {
		return nil, fmt.Errorf("ledger: %w", err)
	}
	if l.lines, err = mem.Slice[seatLine](b, ledgerHeadSize, producers+consumers); err != nil {
		return nil, fmt.Errorf("ledger: %w", err)
	}
	off := ledgerHeadSize + (producers+consumers)*seatLineSize
	for range consumers {
		notes, err := mem.Slice[note](b, off, notesPerSeat)
		if err != nil {
			return nil, fmt.Errorf("ledger: %w", err)
		}
		l.notes = append(l.notes, notes)
		off += notesPerSeat * noteSize
	}
	return l, nil
}

// taken returns how many records all seats but one have taken.
func (l *ledger) taken(but int) uint64 {
	var n uint64
	for i := range l.lines {
		if i != but {
			n += l.lines[i].passed.Load()
		}
	}
	return n
}

// seated prepares a line for a new life. Nobody sits on the seat.
func (s *seatLine) seated(life uint32) {
	s.ready.Store(0)
	s.op.Store(0)
	s.begun.Store(0)
	s.ended.Store(0)
	s.slot.Store(0)
	s.gets.Store(0)
	s.will.length.Store(0)
	s.life.Store(uint64(life))
}
