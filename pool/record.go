package pool

import (
	"encoding/binary"
	"fmt"

	"github.com/shmkit/shmkit/shm"
)

// Records on the rings are little-endian.
//
// Task:
//
//	0  entry       u32
//	4  generation  u32
//	8  function    u32  index in the order of names
//	12 items       u32
//	16 attempt     u32  of the first item; 1 for the first
//	20 zero        u32
//	24 items: length u32, encoding of the argument
//
// Result:
//
//	0  kind        u32
//	4  worker      u32
//	8  entry       u32
//	12 generation  u32
//	16 first       u32  index of the first item in the task's record
//	20 items       u32
//	24 items: status << 24 | length u32, encoding of the result or the failure
const (
	taskHeader   = 24
	resultHeader = 24
	itemHeader   = 4

	maxItemLength = 1<<24 - 1
)

// kind is what a record on the results ring is about.
type kind uint32

const (
	kindResults kind = iota + 1 // items of a task
	kindReady                   // the worker takes tasks now
	kindDied                    // put by the parent: whatever the worker has put comes before
)

// status is how an item ended.
type status uint8

const (
	statusOK       status = iota
	statusError           // the function returned an error: its text
	statusPanic           // the function panicked: length of the value's text u32, value, stack
	statusArgument        // the argument can't be decoded: the reason
	statusResult          // the result can't be encoded: the reason
	statusTooLarge        // the result does not fit: the sizes
)

// taskRecord is the head of a task's record.
type taskRecord struct {
	entry      uint32
	generation uint32
	function   uint32
	items      uint32
	attempt    uint32
}

func (r *taskRecord) put(b []byte) {
	binary.LittleEndian.PutUint32(b[0:], r.entry)
	binary.LittleEndian.PutUint32(b[4:], r.generation)
	binary.LittleEndian.PutUint32(b[8:], r.function)
	binary.LittleEndian.PutUint32(b[12:], r.items)
	binary.LittleEndian.PutUint32(b[16:], r.attempt)
	binary.LittleEndian.PutUint32(b[20:], 0)
}

func (r *taskRecord) parse(b []byte) (rest []byte, ok bool) {
	if len(b) < taskHeader {
		return nil, false
	}
	r.entry = binary.LittleEndian.Uint32(b[0:])
	r.generation = binary.LittleEndian.Uint32(b[4:])
	r.function = binary.LittleEndian.Uint32(b[8:])
	r.items = binary.LittleEndian.Uint32(b[12:])
	r.attempt = binary.LittleEndian.Uint32(b[16:])
	return b[taskHeader:], true
}

// resultRecord is the head of a result's record.
type resultRecord struct {
	kind       kind
	worker     uint32
	entry      uint32
	generation uint32
	first      uint32
	items      uint32
}

func (r *resultRecord) put(b []byte) {
	binary.LittleEndian.PutUint32(b[0:], uint32(r.kind))
	binary.LittleEndian.PutUint32(b[4:], r.worker)
	binary.LittleEndian.PutUint32(b[8:], r.entry)
	binary.LittleEndian.PutUint32(b[12:], r.generation)
	binary.LittleEndian.PutUint32(b[16:], r.first)
	binary.LittleEndian.PutUint32(b[20:], r.items)
}

func (r *resultRecord) parse(b []byte) (rest []byte, ok bool) {
	if len(b) < resultHeader {
		return nil, false
	}
	r.kind = kind(binary.LittleEndian.Uint32(b[0:]))
	r.worker = binary.LittleEndian.Uint32(b[4:])
	r.entry = binary.LittleEndian.Uint32(b[8:])
	r.generation = binary.LittleEndian.Uint32(b[12:])
	r.first = binary.LittleEndian.Uint32(b[16:])
	r.items = binary.LittleEndian.Uint32(b[20:])
	return b[resultHeader:], true
}

// putItem writes the head of an item of n bytes.
func putItem(b []byte, s status, n int) {
	binary.LittleEndian.PutUint32(b, uint32(s)<<24|uint32(n))
}

// cutItem takes the first item off b.
func cutItem(b []byte) (s status, item, rest []byte, err error) {
	if len(b) < itemHeader {
		return 0, nil, nil, fmt.Errorf("%w: item of %d bytes", shm.ErrCorrupt, len(b))
	}
	head := binary.LittleEndian.Uint32(b)
	n := int(head & maxItemLength)
	b = b[itemHeader:]
	if n > len(b) {
		return 0, nil, nil, fmt.Errorf("%w: item of %d bytes in %d", shm.ErrCorrupt, n, len(b))
	}
	return status(head >> 24), b[:n:n], b[n:], nil
}
