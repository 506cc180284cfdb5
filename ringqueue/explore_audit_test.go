//go:build faultpoints

package ringqueue

import (
	"slices"

	"github.com/shmkit/shmkit/internal/explore"
)

// audit asks of a state, with everybody standing still: does a newcomer get
// what it should? And if everybody died now: is everything still there?
func (w *world) audit(r *explore.Run) {
	is := records(w, &w.now)
	newcomer := len(w.scripts) + 1
	if !w.soleConsumer {
		_, want := w.head(is)
		if _, got := w.core(newcomer).borrow(); got != want {
			r.Failf("a fresh consumer gets status %d, not %d", got, want)
		}
		r.Restore()
	}
	if !w.soleProducer && w.now.shutdown == 0 {
		isFull := w.isFull(is, 1, 1)
		if _, got := w.core(newcomer).claimRecord(1); (got == full) != isFull {
			r.Failf("a fresh producer gets status %d, full: %v", got, isFull)
		}
		r.Restore()
	}
	w.auditDeath(r, is)
}

// auditDeath kills everybody, recovers, and drains the ring.
func (w *world) auditDeath(r *explore.Run, is []record) {
	c := w.core(len(w.scripts) + 1)
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
			r.Failf("if all died now, recovery would find no end")
			return
		}
	}
	if n, st := c.length(); st != done || n != len(left) {
		r.Failf("if all died now, the length would be %d, status %d; there are %d", n, st, len(left))
	}
	var got []uint64
	for range w.blocks + 1 {
		l, st := c.borrow()
		if st != done {
			if st != empty {
				r.Failf("if all died now, draining would end with status %d", st)
			}
			break
		}
		got = append(got, l.pos)
		c.release(l)
		c.reclaimAll()
	}
	slices.Sort(got)
	if !slices.Equal(got, left) {
		r.Failf("if all died now, records %d would be left of %d", got, left)
		return
	}
	if w.now.shutdown != 0 {
		return
	}
	p := soleProducer{core: c}
	if w.soleProducer && p.takeOver() != done {
		r.Failf("if all died now, nobody could take the producer's role over")
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
			r.Failf("if all died now, the ring would be unusable: status %d, %d", st, st2)
			return
		}
		c.release(l)
		c.reclaimAll()
	}
	if w.m.tail.Load() != w.m.consume.Load() || w.m.reclaim.Load() != cursor(w.m.tail.Load()).pos() {
		r.Failf("if all died now, the cursors would not meet")
	}
}

// auditEnd asks of a state in which everybody has come to the end of its
// script: is the count right, and has the queue kept its word?
func (w *world) auditEnd(r *explore.Run) {
	c := w.core(len(w.scripts) + 1)
	waiting := 0
	for _, x := range records(w, &w.now) {
		if x.word.state() == committed {
			waiting++
		}
	}
	if n, st := c.length(); st != done || n != waiting {
		r.Failf("in the end the length is %d, status %d; %d records wait", n, st, waiting)
	}
	if w.over && waiting > 0 && r.Deaths() == w.deaths {
		r.Failf("%d records are left though a consumer was told that there are no more", waiting)
	}
}
