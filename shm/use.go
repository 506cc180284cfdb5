package shm

import "fmt"

// Acquire counts one use of the mapping, as internal/poll.fdMutex does for
// descriptors: until the [Segment.Release] that ends it, the memory stays
// mapped and the slot taken, even when the handle is closed meanwhile. It
// returns [ErrClosed] after Close. It never blocks.
func (s *Segment) Acquire() error {
	if s.uses.Add(2)&1 != 0 {
		return s.refuse()
	}
	return nil
}

// Release ends a use. After Close, the last one leaves the slot, unmaps the
// memory and closes the descriptors. It panics without an Acquire.
func (s *Segment) Release() {
	if n := s.uses.Add(-2); n <= 1 {
		s.last(n)
	}
}

// Closed tells whether the handle is closed. It does not touch what Acquire does: many
// goroutines may ask at once.
func (s *Segment) Closed() bool { return s.closed.Load() }

// Idle tells whether the handle has no uses but so many, at this moment.
func (s *Segment) Idle(uses int) bool { return s.uses.Load() == int64(2*(1+uses)) }

// refuse takes back the use that Acquire counted too early. It may be the
// last: Close and this call can have overtaken each other.
func (s *Segment) refuse() error {
	s.Release()
	return &Error{Op: "use", Path: s.path, Err: ErrClosed}
}

// last is reached when no use is left of a closed handle: by exactly one call
// with the mapping still there, and perhaps, much later, by refused ones.
func (s *Segment) last(n int64) {
	if n < 1 {
		panic(fmt.Sprintf("shm: release of %s without a use", s.path))
	}
	s.gone.Do(func() {
		if err := s.leave(); err != nil {
			s.opts.Logger.Warn("shm: leaving a segment", "path", s.path, "error", err)
		}
	})
}

// OnClose registers f to be run once by [Segment.Close], on its goroutine, in
// order of registration, while the memory is still mapped: to wake blocked
// operations, so that they end their uses. If the handle is closed already, f
// runs at once. It must not call Close.
func (s *Segment) OnClose(f func()) {
	s.mu.Lock()
	closing := s.closing
	if !closing {
		s.onClose = append(s.onClose, f)
	}
	s.mu.Unlock()
	if closing {
		f()
	}
}

// Close ends the handle: later uses fail with [ErrClosed], the hooks of OnClose
// run, and with the last use over (now, if there is none) the process leaves
// its slot and the memory is unmapped. Close does not wait for uses. A second
// Close does nothing. The error is always nil.
//
// A segment that is not persistent is removed when the last handle is closed.
func (s *Segment) Close() error {
	s.mu.Lock()
	if s.closing {
		s.mu.Unlock()
		return nil
	}
	s.closing = true
	hooks := s.onClose
	s.onClose = nil
	s.mu.Unlock()

	// The handle's own use, which Release ends, keeps the memory for the hooks.
	s.uses.Or(1)
	s.closed.Store(true) // whoever sees it can't begin a use any more
	janitors.remove(s)
	for _, f := range hooks {
		f()
	}
	s.Release()
	return nil
}
