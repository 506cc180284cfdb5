package robust

import (
	"fmt"
	"sync/atomic"

	"github.com/shmkit/shmkit/internal/mem"
)

// A Kind says what an object is.
type Kind uint8

// The kinds of objects. The numbers may stand in files.
const (
	KindMutex     Kind = 1 // also what an RLock is
	KindRWLock    Kind = 2
	KindSemaphore Kind = 3 // also what a BoundedSemaphore is
	KindEvent     Kind = 4
	KindCond      Kind = 5
	KindBarrier   Kind = 6
)

// MaxSlots is the most process slots that a segment with these objects may have.
const MaxSlots = 256

// lineSize keeps objects, which are written independently, apart: a core
// prefetches lines in pairs.
const lineSize = 128

// Size returns how many bytes an object of the kind takes in a segment with so
// many process slots. It starts at a multiple of 128 bytes, and zeroes are an
// object that nobody uses: only a Semaphore and a Barrier have to be initialised
// besides. It is 0 for an unknown kind.
//
//	Mutex, RLock                         Event
//	     0  word     anybody                  0  state    who sets, who clears
//	     8  event    waiters, wakers          4  event    waiters, wakers
//	    12  depth    the holder
//	    16  token    the holder          Cond
//	    24  since    the holder               0  event    waiters, wakers
//	                                          4  cursor   who notifies
//	RWLock, Semaphore, Barrier              128  shares   8 bytes a slot: its
//	     0  sum      anybody                              process, who notifies
//	     8  event    waiters, wakers
//	    12  limit    creator, once
//	    16  token    the writer
//	    24  since    the writer
//	    32  bounded  creator, once
//	   128  shares   8 bytes a slot: anybody, for its process
//
// Wherever a process died, recovery may write in its name.
func Size(k Kind, slots int) int {
	switch k {
	case KindMutex, KindEvent:
		return lineSize
	case KindRWLock, KindSemaphore, KindBarrier, KindCond:
		return lineSize + (8*slots+lineSize-1)&^(lineSize-1)
	}
	return 0
}

// mutexWords is a Mutex or an RLock in shared memory.
type mutexWords struct {
	word  atomic.Uint64 // a lockWord
	event atomic.Uint32 // what waiters sleep on; see package futex
	depth atomic.Uint32 // of an RLock's holder, for people
	token atomic.Uint64 // acquisitions so far
	since atomic.Uint64 // of the last one, in nanoseconds of Unix time, for people
	_     [lineSize - 32]byte
}

// countWords is the start of an object that is counted: RWLock, Semaphore, Barrier.
type countWords struct {
	sum     atomic.Uint64 // a sum
	event   atomic.Uint32
	limit   uint32        // a Semaphore's initial value, a Barrier's parties
	token   atomic.Uint64 // a RWLock's writers so far
	since   atomic.Uint64 // of its last one
	bounded uint32        // 1: a BoundedSemaphore
	_       [lineSize - 36]byte
}

// eventWords is an Event.
type eventWords struct {
	state atomic.Uint32 // generation<<1 | set
	event atomic.Uint32
	_     [lineSize - 8]byte
}

// condWords is the start of a Cond.
type condWords struct {
	event  atomic.Uint32
	cursor atomic.Uint32 // slot that a notification looks at first, so that none is preferred
	_      [lineSize - 8]byte
}

// view returns the start of an object of the kind in b, and its words per slot.
func view[T any](k Kind, b []byte, slots int) (*T, []atomic.Uint64, error) {
	if slots < 1 || slots > MaxSlots {
		return nil, nil, fmt.Errorf("%w: %d process slots", ErrCorrupt, slots)
	}
	if need := Size(k, slots); len(b) < need {
		return nil, nil, fmt.Errorf("%w: %d bytes for an object of %d", ErrCorrupt, len(b), need)
	}
	head, err := mem.At[T](b, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	if Size(k, slots) == lineSize {
		return head, nil, nil
	}
	shares, err := mem.Slice[atomic.Uint64](b, lineSize, slots)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	return head, shares, nil
}
