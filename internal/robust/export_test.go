package robust

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

// Hold makes the Mutex's word say that the slot's process holds it.
func Hold(m *Mutex, slot int) { m.words.word.Store(uint64(ownedBy(slot))) }

// SetWord stores any word in the Mutex.
func SetWord(m *Mutex, w uint64) { m.words.word.Store(w) }

// SetSum stores any word as the sum of the semaphore.
func SetSum(s *Semaphore, w uint64) { s.t.sum.Store(w) }

// Wake wakes those who wait for the Cond, in whatever process.
func (c *Cond) Wake() { c.notify() }
