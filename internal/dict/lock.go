package dict

import (
	"github.com/shmkit/shmkit/internal/fault"
	"github.com/shmkit/shmkit/internal/futex"
	"github.com/shmkit/shmkit/internal/mem"
)

// acquire takes a stripe's lock. It waits as long as a living process holds it: for
// microseconds, unless that is stopped.
func (s *Store) acquire(i int) *stripe {
	l := &s.stripes[i]
	fault.Point("dict.lock")
	if !l.lock.CompareAndSwap(0, s.me) {
		s.acquireSlowly(i)
	}
	return l
}

// acquireSlowly is a goroutine's wait, of which there is one in each process at a
// time. After each slice it looks whether the holder is dead. Who has slept sets the
// waiters' bit when it gets the lock, because others may be asleep as well.
func (s *Store) acquireSlowly(i int) {
	s.waits[i].Lock()
	defer s.waits[i].Unlock()
	l := &s.stripes[i]
	slept := uint32(0)
	for n := 0; ; n++ {
		fault.Look(&l.lock)
		w := l.lock.Load()
		switch {
		case w&^waiters == 0:
			fault.Point("dict.lock.slow")
			if l.lock.CompareAndSwap(w, s.me|w&waiters|slept) {
				return
			}
		case n < s.spins:
			mem.Pause()
		case w&waiters == 0:
			fault.Point("dict.lock.wait")
			l.lock.CompareAndSwap(w, w|waiters)
		default:
			slept = waiters
			if s.await != nil {
				s.await(&l.lock, w)
			} else if futex.Wait(&l.lock, w, futex.Slice) {
				s.host.Probe(int(w&^waiters) - 1)
			}
		}
	}
}

// release gives the lock back, and wakes one of those who wait for it.
//
//go:noinline
func (l *stripe) release() {
	fault.Point("dict.unlock")
	if l.lock.Swap(0)&waiters != 0 {
		futex.Wake(&l.lock, 1)
	}
}

// tell lets those know who watch for commits under this stripe.
func (l *stripe) tell() { futex.Notify(&l.event) }
