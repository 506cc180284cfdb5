package robust

import "sync/atomic"

// NextOf returns the slot that a Mutex is reserved for, -1 for none.
func NextOf(m *Mutex) int { return lockWord(m.words.word.Load()).next() }

// NextRW is NextOf for a RWLock.
func NextRW(l *RWLock) int { return l.total().next() }

// Shares returns what each slot has of each object.
func Shares(l *RWLock, a, b *Semaphore, br *Barrier) (held [][]uint32) {
	for _, t := range []*tally{&l.t, &a.t, &b.t, &br.t} {
		var of []uint32
		for s := range t.shares {
			of = append(of, share(t.shares[s].Load()).held())
		}
		held = append(held, of)
	}
	return held
}

// NotifySlot notifies one who waits in the slot's process.
func NotifySlot(c *Cond, slot int) bool { return grant(&c.shares[slot], 1) == 1 }

// Reserve makes the locks' words say that they are locked by one slot and reserved
// for another.
func Reserve(m *Mutex, l *RWLock, owner, next int) {
	m.words.word.Store(uint64(ownedBy(owner).withNext(next)))
	l.t.shares[owner].Store(uint64(makeShare(writerFlag, 1)))
	l.t.sum.Store(uint64(makeSum(uint32(rwTotal(writerFlag).withNext(next, true)), opWriterIn, owner, 1)))
}

// Grant notifies at most n of those who wait according to the word.
func Grant(word *atomic.Uint64, n int) int { return grant(word, n) }

// Events returns the words that waiters sleep on.
func Events(m *Mutex, r *RLock, l *RWLock, s *Semaphore, e *Event, c *Cond, b *Barrier) []*atomic.Uint32 {
	return []*atomic.Uint32{m.event, r.m.event, l.event, s.event, e.event, c.event, b.event}
}

// SetWord stores any word in the Mutex.
func SetWord(m *Mutex, w uint64) { m.words.word.Store(w) }

// SetSum stores any word as the sum of the semaphore.
func SetSum(s *Semaphore, w uint64) { s.t.sum.Store(w) }

// Wake wakes those who wait for the Cond, in whatever process.
func (c *Cond) Wake() { c.notify() }

// Sleeps returns how often goroutines have gone to sleep for the Mutex.
func Sleeps(m *Mutex) uint64 { return m.gate.Sleeps() }
