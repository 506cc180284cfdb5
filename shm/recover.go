package shm

import "github.com/shmkit/shmkit/internal/fault"

// Probe recovers the slot if its process is dead, and tells whether it did.
// That is proven by taking the slot's liveness lock, which also keeps others
// from recovering it at the same time: a slow or stopped process keeps its
// lock and is left alone. For a slot that is free or this handle's own it is a
// load and a comparison, for a live one, a system call. It blocks only while
// another goroutine recovers through this handle.
func (s *Segment) Probe(slot int) (recovered bool) {
	if slot < 0 || slot >= len(s.table) || slot == s.slot || s.Acquire() != nil {
		return false
	}
	defer s.Release()
	if s.table[slot].state.Load() == slotFree {
		return false
	}
	s.recovering.Lock()
	defer s.recovering.Unlock()
	ok, err := s.live.tryLock(slot)
	if !ok {
		if err != nil {
			s.opts.Logger.Warn("shm: probing a slot", "path", s.path, "slot", slot, "error", err)
		}
		return false
	}
	defer s.live.unlock(slot)
	if s.table[slot].state.Load() == slotFree {
		return false // it left, or somebody else was faster
	}
	if err := s.recoverLocked(slot); err != nil {
		s.opts.Logger.Warn("shm: recovering a slot", "path", s.path, "slot", slot, "error", err)
		return false
	}
	return true
}

// RecoverDead probes all slots and returns how many it recovered.
func (s *Segment) RecoverDead() int {
	n := 0
	for i := range s.table {
		if s.Probe(i) {
			n++
		}
	}
	return n
}

// recoverLocked makes a slot, whose lock is held, free. While it is not, its
// process is dead and what it left behind unrepaired: a recoverer that dies
// before the last step leaves the slot to the next one.
func (s *Segment) recoverLocked(i int) error {
	t := &s.table[i]
	if t.state.Load() == slotFree {
		return nil
	}
	pid, command := t.pid.Load(), t.commandText()
	if s.spec.Recover != nil {
		fault.Point("shm.recover.hook")
		if err := s.spec.Recover(s, i); err != nil {
			return err
		}
	}
	fault.Point("shm.recover.count")
	s.Counter(Recoveries).Add(1)
	t.clear()
	s.opts.Logger.Debug("shm: recovered the slot of a dead process", "path", s.path, "slot", i, "pid", pid, "command", command)
	return nil
}
