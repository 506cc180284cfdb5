package ringqueue

import (
	"fmt"
	"sync/atomic"

	"github.com/shmkit/shmkit/internal/fault"
)

// A side orders this handle's goroutines on one side of a queue when the side
// is exclusive. On a shared side they only count their use of the segment.
type side struct {
	sole   bool
	turn   turn
	held   bool // the role is ours
	closed bool
}

// enter begins an operation: the mapping stays until leave, and on an exclusive
// side no other goroutine of this handle is inside.
func (r *Ring) enter(s *side) error {
	if !s.sole {
		return r.seg.Acquire()
	}
	s.turn.take()
	if s.held {
		return nil
	}
	if err := r.takeRole(s); err != nil {
		s.turn.pass()
		return err
	}
	return nil
}

func (r *Ring) leave(s *side) {
	if !s.sole {
		r.seg.Release()
		return
	}
	s.turn.pass()
}

// close ends the side for this handle: waits for the operation inside, if the
// side is exclusive, and gives the role up.
func (s *side) close(role *atomic.Uint32, me int) {
	if !s.sole {
		return
	}
	s.turn.take()
	defer s.turn.pass()
	s.closed = true
	if s.held {
		s.held = false
		fault.Point("ring.role.leave")
		role.CompareAndSwap(uint32(me)+1, 0)
	}
}

// takeRole makes this handle the only one on its side. Called with the turn.
func (r *Ring) takeRole(s *side) error {
	if s.closed {
		return ErrClosed
	}
	role := &r.hdr.producer
	if s == &r.get.side {
		role = &r.hdr.consumer
	}
	for {
		holder := role.Load()
		if holder == 0 {
			fault.Point("ring.role.take")
			if role.CompareAndSwap(0, uint32(r.me)+1) {
				break
			}
			continue
		}
		// The probe also fails when somebody else has just recovered the slot:
		// then the role is not the holder's any more.
		if !r.seg.Probe(int(holder)-1) && role.Load() == holder {
			return fmt.Errorf("%w: slot %d", ErrRoleTaken, holder-1)
		}
	}
	if s == &r.get.side {
		r.get.role.takeOver()
	} else if st := r.put.role.takeOver(); st != done {
		fault.Point("ring.role.leave")
		role.CompareAndSwap(uint32(r.me)+1, 0)
		return ErrCorrupt
	}
	s.held = true
	return nil
}
