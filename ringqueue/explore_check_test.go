//go:build faultpoints

package ringqueue

import (
	"slices"

	"github.com/shmkit/shmkit/internal/explore"
)

// changed judges a step of an actor by what it has done to the memory.
func (w *world) changed(a *actor, _ []explore.Change) {
	old := w.now
	w.now = w.snapshot()
	was, is := records(w, &old), records(w, &w.now)
	for i := range w.blocks {
		if w.now.words[i] != old.words[i] {
			w.changedWord(a, i, &old, was)
		}
		if w.now.data[i] != old.data[i] {
			w.changedData(a, i, &old, was)
		}
	}
	w.checkCursors(a, &old, is)
	w.checkOwners(is)
	if w.now.redeliver != old.redeliver && w.now.redeliver&1 != 0 {
		a.unmarked = false
	}
	for _, b := range w.actors {
		if !b.Ended() {
			w.look(b, is)
		}
	}
}

// acts tells whether the actor may write what the slot owns: it is in it, or
// recovers it.
func (a *actor) acts(slot int) bool {
	if a.Dead != nil {
		return a.Dead.Slot == slot
	}
	return a.Slot == slot
}

// changedWord judges the change of the word of block i.
func (w *world) changedWord(a *actor, i uint64, old *snapshot, was []record) {
	from, to := old.words[i], w.now.words[i]
	g := &w.m.g
	bad := func(why string) {
		w.run.Failf("%s: word of block %d: %s: %v, then %v", a.Name, i, why, from, to)
	}
	f := old.frontier(was)
	sole := w.soleProducer && a.Slot == 0 && a.Dead == nil
	for _, r := range was {
		off := (i - r.pos) & g.mask
		if off == 0 {
			w.changedState(a, r, to, bad)
			if to.state() == borrowed && to.attempt() == 0 {
				w.checkOrder(a, r.pos, was)
			}
			return
		}
		if off < r.word.blocks() {
			// Inside of an extent that is not committed.
			if !r.word.claimed() || !a.acts(r.word.owner()) {
				bad("inside of another's record")
			}
			return
		}
	}
	p := f + (i-f)&g.mask
	switch {
	case p != f:
		if !sole {
			bad("ahead of the frontier")
		}
	case g.age(from, p) != older || g.age(to, p) != same:
		bad("claimed, but not free")
	case uint64(after(f, old.reclaim))+to.blocks() > w.blocks && !sole:
		bad("claimed without room")
	case to.state() == pad:
	case to.claimed() && to.owner() == a.Slot && a.Dead == nil:
	case to.state() == committed && sole && to.attempt() == 0:
		// The store that commits all of the sole producer's batch.
		is := records(w, &w.now)
		for _, r := range is[len(was):] {
			a.events = append(a.events, event{r.pos, committed, w.now.data[r.pos&g.mask], w.over})
		}
		if uint64(after(w.now.frontier(is), old.reclaim)) > w.blocks {
			bad("put without room")
		}
	default:
		bad("no such claim")
	}
}

// changedState judges the change of a record's state.
func (w *world) changedState(a *actor, r record, to word, bad func(string)) {
	from := r.word
	id := w.now.data[r.pos&w.m.g.mask]
	if to.tag() != from.tag() {
		bad("another lap over a live record")
		return
	}
	mine := a.acts(from.owner())
	happened := func(s state) { a.events = append(a.events, event{r.pos, s, id, w.over}) }
	switch s := to.state(); {
	case from.claimed() && s == committed && mine && a.Dead == nil && to.attempt() == 0:
		for _, c := range records(w, &w.now) {
			if off := after(c.pos, r.pos); off >= 0 && uint64(off) < from.blocks() && c.word.state() == committed {
				a.events = append(a.events, event{c.pos, committed, w.now.data[c.pos&w.m.g.mask], w.over})
			}
		}
	case from.claimed() && (s == discarded || s == discardedBatch) && mine && to.blocks() == from.blocks() && to.items() == from.items():
	case from.claimed() && s == pad && mine && from.items() == 0 && to.blocks() == from.blocks():
	case from.state() == committed && s == borrowed && to.owner() == a.Slot && a.Dead == nil && to.attempt() == from.attempt() && to.length() == from.length():
		happened(borrowed)
	case from.state() == committed && s == discarded && w.soleProducer && a.Slot == 0 && a.Dead == nil && w.now.shutdown != 0:
		happened(discarded)
	case from.state() == borrowed && s == released && mine && a.Dead == nil && to.length() == from.length():
		happened(released)
	case from.state() == borrowed && s == committed && mine && to.attempt() == from.attempt()+1 && to.length() == from.length():
		a.unmarked = true
		happened(committed)
	case from.state() == borrowed && s == committed && a.Dead != nil && mine && w.soleConsumer && to.attempt() == from.attempt() && to.attempt() == 0:
		// Taken back from a sole consumer that was about to take the run.
	case from.state() == borrowed && s == discarded && mine && w.poison > 0 && from.attempt()+1 >= w.poison:
		happened(discarded)
	default:
		bad("no such change")
	}
}

// checkOrder verifies that a record which is delivered for the first time is the
// next one. A sole consumer takes the last record of a run first, and then those
// before it: they must be committed.
func (w *world) checkOrder(a *actor, pos uint64, was []record) {
	for _, x := range was {
		if x.pos == pos {
			return
		}
		waits := x.word.state() == committed && x.word.attempt() == 0 && !w.soleConsumer
		if waits || x.word.claimed() {
			w.run.Failf("%s has borrowed the record at %d before the one at %d, %v", a.Name, pos, x.pos, x.word)
		}
	}
}

// changedData judges the change of the first byte of block i.
func (w *world) changedData(a *actor, i uint64, old *snapshot, was []record) {
	for _, r := range was {
		if (i-r.pos)&w.m.g.mask < r.word.blocks() {
			if !r.word.claimed() || !a.acts(r.word.owner()) {
				w.run.Failf("%s has written to block %d of a record in state %d", a.Name, i, r.word.state())
			}
			return
		}
	}
	if !(w.soleProducer && a.Slot == 0) {
		w.run.Failf("%s has written to block %d, which it has not claimed", a.Name, i)
	}
}

// checkCursors verifies their order (invariant I2), that they stand where
// records begin, and on which side of consume each record lies (I3).
func (w *world) checkCursors(a *actor, old *snapshot, is []record) {
	s := &w.now
	r, c, t, f := s.reclaim, s.consume, s.tail, s.frontier(is)
	ahead := w.soleProducer && after(c.pos(), t.pos()) > 0 // of a tail that its producer is about to move
	if after(c.pos(), r) < 0 || after(t.pos(), c.pos()) < 0 && !ahead || after(f, t.pos()) < 0 || after(f, c.pos()) < 0 || uint64(after(f, r)) > w.blocks {
		w.run.Failf("%s: cursors out of order: reclaim %d consume %d tail %d frontier %d", a.Name, r, c.pos(), t.pos(), f)
		return
	}
	if after(r, old.reclaim) < 0 || after(t.pos(), old.tail.pos()) < 0 {
		w.run.Failf("%s: a cursor went back", a.Name)
	}
	if d := after(c.pos(), old.consume.pos()); d < 0 {
		for _, x := range is {
			if after(x.pos, c.pos()) >= 0 && after(x.pos, old.consume.pos()) < 0 && !(w.soleConsumer && x.word.terminal()) {
				w.run.Failf("%s: consume went back over a record in state %d", a.Name, x.word.state())
			}
		}
	}
	items, atC, atT := uint64(0), c.pos() == f, t.pos() == f
	for _, x := range is {
		atC, atT = atC || x.pos == c.pos(), atT || x.pos == t.pos()
		inside := func(from, to cursor) bool { return after(x.pos, from.pos()) >= 0 && after(x.pos, to.pos()) < 0 }
		if inside(c, t) {
			items += x.word.items()
		} else if inside(t, c) {
			items -= x.word.items()
		}
		behind := after(c.pos(), x.pos) > 0
		if x.word.state() == committed && behind != (x.word.attempt() > 0) {
			w.run.Failf("%s: record at %d, attempt %d, consume at %d", a.Name, x.pos, x.word.attempt(), c.pos())
		}
		if x.word.claimed() && behind {
			w.run.Failf("%s: consume at %d has passed the claim at %d", a.Name, c.pos(), x.pos)
		}
	}
	if !atC || !atT {
		w.run.Failf("%s: consume %d or tail %d is not where a record begins", a.Name, c.pos(), t.pos())
	}
	if (t.count()-c.count()-items)&countMask != 0 {
		w.run.Failf("%s: tail counts %d, consume %d, and %d items are between them", a.Name, t.count(), c.count(), items)
	}
}

// checkOwners verifies that whoever a record names is there to end what it has
// begun, or to be recovered.
func (w *world) checkOwners(is []record) {
	for _, x := range is {
		if !x.word.claimed() && x.word.state() != borrowed {
			continue
		}
		if !slices.ContainsFunc(w.actors, func(a *actor) bool { return !a.Ended() && a.acts(x.word.owner()) }) {
			w.run.Failf("the record at %d, state %d, has no owner", x.pos, x.word.state())
		}
	}
}
