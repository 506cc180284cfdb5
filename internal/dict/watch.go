package dict

import (
	"context"

	"github.com/shmkit/shmkit/internal/futex"
)

// gate returns where goroutines of this process wait for commits under a lock.
func (s *Store) gate(lock int, p futex.Policy) *futex.Gate {
	s.gateMu.Lock()
	defer s.gateMu.Unlock()
	if s.gates[lock] == nil {
		s.gates[lock] = futex.NewGate(&s.stripes[lock].event, p)
	}
	return s.gates[lock]
}

// Interrupt makes everybody of this process who waits in [Table.Wait] look again.
func (s *Store) Interrupt() {
	s.gateMu.Lock()
	defer s.gateMu.Unlock()
	for _, g := range s.gates {
		if g != nil {
			g.Interrupt()
		}
	}
}

// Wait waits until look is true, or fails, or ctx is done: look is called again after
// each commit in the stripe of h, and at least every 50 ms, on the calling goroutine.
func (t *Table) Wait(ctx context.Context, h uint64, p futex.Policy, look func() (bool, error)) error {
	return t.s.gate(t.lockOf(t.stripeOf(h)), p).Wait(ctx, watcher(look))
}

// watcher is a wait for a change.
type watcher func() (bool, error)

// Try looks.
func (w watcher) Try() (bool, error) { return w() }

// Slice has nothing to do: who died is recovered by those who need the lock.
func (w watcher) Slice() {}
