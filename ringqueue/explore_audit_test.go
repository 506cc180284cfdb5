//go:build faultpoints

package ringqueue

import (
	"slices"
	"sync/atomic"
)

// copy returns the memory as it is now, for a check that changes it.
func (w *world) copy() *ringMemory {
	m := &ringMemory{t: w.t, g: w.m.g, words: make([]atomic.Uint64, w.blocks), data: w.m.data}
	for i := range m.words {
		m.words[i].Store(uint64(w.now.words[i]))
	}
	m.tail.Store(uint64(w.now.tail))
	m.consume.Store(uint64(w.now.consume))
	m.reclaim.Store(w.now.reclaim)
	m.redeliver.Store(w.now.redeliver)
	m.dropped.Store(w.now.dropped)
	m.shutdown.Store(w.now.shutdown)
	return m
}

func (w *world) coreOn(m *ringMemory, slot int) *core {
	c := m.core(slot)
	c.maxItems, c.poison = w.maxItems, w.poison
	return c
}

// audit asks of a state, with everybody standing still: does a newcomer get
// what it should? And if everybody died now: is everything still there?
func (w *world) audit() {
	is := records(w, &w.now)
	newcomer := len(w.scripts) + 1
	if !w.soleConsumer {
		_, want := w.head(is)
		if _, got := w.coreOn(w.copy(), newcomer).borrow(); got != want {
			w.failf("a fresh consumer gets status %d, not %d", got, want)
		}
	}
	if !w.soleProducer && w.now.shutdown == 0 {
		isFull := w.isFull(is, 1, 1)
		if _, got := w.coreOn(w.copy(), newcomer).claimRecord(1); (got == full) != isFull {
			w.failf("a fresh producer gets status %d, full: %v", got, isFull)
		}
	}
	w.auditDeath(is)
}

// auditDeath kills everybody, recovers, and drains the ring.
func (w *world) auditDeath(is []record) {
	m := w.copy()
	c := w.coreOn(m, len(w.scripts)+1)
	c.maxItems = 0
	var left []uint64
	for _, x := range is {
		switch s := x.word.state(); {
		case s == committed, s == borrowed && !(w.poison > 0 && x.word.attempt()+1 >= w.poison):
			left = append(left, x.pos)
		}
	}
	for slot := range w.scripts {
		if _, whole := c.recover(slot); !whole {
			w.failf("if all died now, recovery would find no end")
			return
		}
	}
	if n, st := c.length(); st != done || n != len(left) {
		w.failf("if all died now, the length would be %d, status %d; there are %d", n, st, len(left))
	}
	var got []uint64
	for range w.blocks + 1 {
		l, st := c.borrow()
		if st != done {
			if st != empty {
				w.failf("if all died now, draining would end with status %d", st)
			}
			break
		}
		got = append(got, l.pos)
		c.release(l)
		c.reclaimAll()
	}
	slices.Sort(got)
	if !slices.Equal(got, left) {
		w.failf("if all died now, records %d would be left of %d", got, left)
		return
	}
	if w.now.shutdown != 0 {
		return
	}
	p := soleProducer{core: c}
	if w.soleProducer && p.takeOver() != done {
		w.failf("if all died now, nobody could take the producer's role over")
		return
	}
	for range w.blocks + 1 { // over the wrap, and full to the brim
		var st status
		var cl claim
		if w.soleProducer {
			if cl, st = p.open(1, 1, 1, reserved); st == done {
				st = p.commit(cl)
			}
		} else if cl, st = c.claimRecord(1); st == done {
			c.commit(cl, 1)
		}
		l, st2 := c.borrow()
		if st != done || st2 != done {
			w.failf("if all died now, the ring would be unusable: status %d, %d", st, st2)
			return
		}
		c.release(l)
		c.reclaimAll()
	}
	if m.tail.Load() != m.consume.Load() || m.reclaim.Load() != cursor(m.tail.Load()).pos() {
		w.failf("if all died now, the cursors would not meet")
	}
}

// auditEnd asks of a state in which everybody has come to the end of its
// script: is the count right, and has the queue kept its word?
func (w *world) auditEnd() {
	m := w.copy()
	c := w.coreOn(m, len(w.scripts)+1)
	waiting := 0
	for _, x := range records(w, &w.now) {
		if x.word.state() == committed {
			waiting++
		}
	}
	if n, st := c.length(); st != done || n != waiting {
		w.failf("in the end the length is %d, status %d; %d records wait", n, st, waiting)
	}
	if w.over && waiting > 0 && w.deaths == w.scenario.deaths {
		w.failf("%d records are left though a consumer was told that there are no more", waiting)
	}
}
