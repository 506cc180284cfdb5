package ringqueue

import (
	"fmt"
	"sync/atomic"

	"github.com/shmkit/shmkit/internal/fault"
	"github.com/shmkit/shmkit/internal/futex"
	"github.com/shmkit/shmkit/internal/mem"
	"github.com/shmkit/shmkit/shm"
)

// createRing creates the queue's file. Type and sum say what its records are.
func createRing(name string, typ string, sum uint64, recordSize int, o *Options) (*Ring, error) {
	s, err := o.settings(recordSize)
	if err != nil {
		return nil, &Error{Op: "create", Queue: name, Err: err}
	}
	spec, p := s.spec(typ, sum)
	seg, err := shm.CreateSpec(name, spec, o.segment())
	if err != nil {
		return nil, &Error{Op: "create", Queue: name, Err: err}
	}
	return newRing(seg, p, o)
}

func openRing(name string, typ string, sum uint64, o *Options) (*Ring, error) {
	spec, p := openSpec(typ, sum)
	seg, err := shm.OpenSpec(name, spec, o.segment())
	if err != nil {
		return nil, &Error{Op: "open", Queue: name, Err: err}
	}
	return newRing(seg, p, o)
}

func openOrCreateRing(name string, typ string, sum uint64, recordSize int, o *Options) (*Ring, error) {
	s, err := o.settings(recordSize)
	if err != nil {
		return nil, &Error{Op: "open", Queue: name, Err: err}
	}
	spec, p := s.spec(typ, sum)
	seg, err := shm.OpenOrCreateSpec(name, spec, o.segment())
	if err != nil {
		return nil, &Error{Op: "open", Queue: name, Err: err}
	}
	return newRing(seg, p, o)
}

func openHandleRing(handle string, typ string, sum uint64, o *Options) (*Ring, error) {
	spec, p := openSpec(typ, sum)
	seg, err := shm.OpenHandle(handle, spec, o.segment())
	if err != nil {
		return nil, &Error{Op: "open", Queue: handle, Err: err}
	}
	return newRing(seg, p, o)
}

// A parting is what remains to be done when a handle's last use is over.
type parting struct{ large *large }

func (p *parting) leave(*shm.Segment) {
	if p.large != nil {
		p.large.close()
	}
}

func openSpec(typ string, sum uint64) (*shm.Spec, *parting) {
	p := new(parting)
	return &shm.Spec{
		Kind:    Kind,
		Layout:  layoutVersion,
		Type:    typ,
		TypeSum: sum,
		Check: func(seg *shm.Segment) error {
			_, err := newView(seg)
			return err
		},
		Recover: recoverSlot,
		Leave:   p.leave,
	}, p
}

func (s *settings) spec(typ string, sum uint64) (*shm.Spec, *parting) {
	spec, p := openSpec(typ, sum)
	spec.Size = bodySize(s.capacity)
	spec.Mirror = int64(s.capacity)
	spec.Reserve = largeSize(s.capacity/blockSize, s.chunks)
	spec.Init = func(seg *shm.Segment) error { return s.init(seg.Body(), seg.Mirrored(), seg.Slot()) }
	return spec, p
}

// init makes the zeroes in the body an empty queue.
func (s *settings) init(body []byte, mirrored bool, me int) error {
	h, err := mem.At[header](body, 0)
	if err != nil {
		return err
	}
	h.capacity = s.capacity
	h.maxItems = s.maxItems
	h.maxRecord = s.maxRecord
	h.poison = s.poison
	h.modes = s.modes
	h.lapBits = 0
	h.chunks = s.chunks
	v, err := viewOf(body, mirrored, me)
	if err != nil {
		return err
	}
	v.start(v.blocks)
	return nil
}

// recoverSlot repairs the queue after the death of the process in the slot,
// whose liveness lock the caller holds.
func recoverSlot(seg *shm.Segment, slot int) error {
	v, err := newView(seg)
	if err != nil {
		return err
	}
	return v.recoverFor(seg.Slot(), slot, seg.CounterOf)
}

// recoverFor repairs the queue for the process in slot by.
func (v *view) recoverFor(by, slot int, counter func(slot int, c shm.Counter) *atomic.Uint64) error {
	var sum recovery
	whole := false
	for i := 0; i < maxWalks && !whole; i++ {
		before := v.loadReclaim()
		var got recovery
		got, whole = v.recover(slot)
		sum.dropped += got.dropped
		sum.redelivered += got.redelivered
		sum.poisoned += got.poisoned
		if !whole && v.loadReclaim() == before {
			break // a ring that overtakes a walk has reclaimed what it stood on
		}
	}
	if whole && v.large != nil {
		got := v.recoverLarge(slot)
		sum.redelivered += got.redelivered
		sum.poisoned += got.poisoned
	}
	tally(counter(by, shm.Discarded), sum.dropped)
	tally(counter(by, shm.Redelivered), sum.redelivered)
	tally(counter(by, shm.DeadLetters), sum.poisoned)
	if !whole {
		return fmt.Errorf("%w: no walk over the ring comes to its end", ErrCorrupt)
	}
	// What it took and did not finish can't be finished any more.
	fault.Point("ring.recover.done")
	counter(slot, shm.TasksDone).Store(counter(slot, shm.Gets).Load())
	fault.Point("ring.recover.role")
	v.hdr.producer.CompareAndSwap(uint32(slot)+1, 0)
	fault.Point("ring.recover.role")
	v.hdr.consumer.CompareAndSwap(uint32(slot)+1, 0)
	futex.Notify(&v.hdr.notEmpty)
	futex.Notify(&v.hdr.notFull)
	futex.Notify(&v.hdr.idle)
	return nil
}
