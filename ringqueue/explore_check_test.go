//go:build faultpoints

package ringqueue

import (
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
)

// A snapshot is all of the shared memory at one moment. It is comparable.
type snapshot struct {
	words              [8]word
	data               [8]byte // the first of each block that a record starts at
	tail, consume      cursor
	reclaim            uint64
	redeliver, dropped uint64
	shutdown           uint32
}

func (w *world) snapshot() (s snapshot) {
	for i := range w.m.words {
		s.words[i] = word(w.m.words[i].Load())
	}
	s.tail, s.consume, s.reclaim = cursor(w.m.tail.Load()), cursor(w.m.consume.Load()), w.m.reclaim.Load()
	s.redeliver, s.dropped = w.m.redeliver.Load(), w.m.dropped.Load()
	s.shutdown = w.m.shutdown.Load()
	for i := range w.blocks {
		s.data[i] = w.m.data[i*blockSize]
	}
	return s
}

func (s snapshot) withoutData() snapshot { s.data = [8]byte{}; return s }

func (s snapshot) String() string {
	var b strings.Builder
	for i, x := range s.words {
		if x != 0 {
			fmt.Fprintf(&b, "%d:%v(%x) ", i, x, s.data[i])
		}
	}
	return fmt.Sprintf("%sreclaim %d consume %d+%d tail %d+%d redeliver %d dropped %d", &b,
		s.reclaim, s.consume.pos(), s.consume.count(), s.tail.pos(), s.tail.count(), s.redeliver, s.dropped)
}

func (w word) String() string {
	names := [...]string{"-", "RES", "RESB", "COM", "BOR", "REL", "DISC", "DISCB", "PAD", "INNER"}
	return fmt.Sprintf("%s/lap%d/owner%d/attempt%d/len%d", names[min(int(w.state()), len(names)-1)], w.tag(), w.owner(), w.attempt(), w.length())
}

// A record is what a walk over the words finds.
type record struct {
	pos  uint64
	word word
}

// An event is a change of a record's state that an actor has brought about.
type event struct {
	pos  uint64
	to   state
	id   byte
	late bool // a consumer had been told that there will be no more
}

// records walks from reclaim to the frontier. Where there is a sole producer,
// reclaim may have passed a tail that it is about to move; then from there.
func records(w *world, s *snapshot) (rs []record) {
	g := &w.m.g
	first := s.reclaim
	if w.soleProducer && after(s.reclaim, s.tail.pos()) > 0 {
		first = s.tail.pos()
	}
	for p := first; uint64(after(p, first)) < g.blocks; {
		x := s.words[p&g.mask]
		if g.age(x, p) != same {
			return rs
		}
		rs = append(rs, record{p, x})
		p += x.blocks()
	}
	return rs
}

// frontier returns the position behind the last record.
func (s *snapshot) frontier(rs []record) uint64 {
	if len(rs) == 0 {
		return s.reclaim
	}
	last := rs[len(rs)-1]
	return last.pos + last.word.blocks()
}

// changed judges a step of an actor by what it has done to the memory.
func (w *world) changed(a *actor, old snapshot) {
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
		if !b.ended {
			w.look(b, is)
		}
	}
}

// acts tells whether the actor may write what the slot owns: it is in it, or
// recovers it.
func (a *actor) acts(slot int) bool {
	if a.dead != nil {
		return a.dead.slot == slot
	}
	return a.slot == slot
}

// changedWord judges the change of the word of block i.
func (w *world) changedWord(a *actor, i uint64, old *snapshot, was []record) {
	from, to := old.words[i], w.now.words[i]
	g := &w.m.g
	bad := func(why string) {
		w.failf("%s: word of block %d: %s: %v, then %v", a.name, i, why, from, to)
	}
	f := old.frontier(was)
	sole := w.soleProducer && a.slot == 0 && a.dead == nil
	for _, r := range was {
		off := (i - r.pos) & g.mask
		if off == 0 {
			w.changedState(a, r, to, bad)
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
	case to.claimed() && to.owner() == a.slot && a.dead == nil:
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
	case from.claimed() && s == committed && mine && a.dead == nil && to.attempt() == 0:
		for _, c := range records(w, &w.now) {
			if off := after(c.pos, r.pos); off >= 0 && uint64(off) < from.blocks() && c.word.state() == committed {
				a.events = append(a.events, event{c.pos, committed, w.now.data[c.pos&w.m.g.mask], w.over})
			}
		}
	case from.claimed() && (s == discarded || s == discardedBatch) && mine && to.blocks() == from.blocks() && to.items() == from.items():
	case from.claimed() && s == pad && mine && from.items() == 0 && to.blocks() == from.blocks():
	case from.state() == committed && s == borrowed && to.owner() == a.slot && a.dead == nil && to.attempt() == from.attempt() && to.length() == from.length():
		happened(borrowed)
	case from.state() == committed && s == discarded && w.soleProducer && a.slot == 0 && a.dead == nil && w.now.shutdown != 0:
		happened(discarded)
	case from.state() == borrowed && s == released && mine && a.dead == nil && to.length() == from.length():
		happened(released)
	case from.state() == borrowed && s == committed && mine && to.attempt() == from.attempt()+1 && to.length() == from.length():
		a.unmarked = true
		happened(committed)
	case from.state() == borrowed && s == committed && a.dead != nil && mine && w.soleConsumer && to.attempt() == from.attempt() && to.attempt() == 0:
		// Taken back from a sole consumer that was about to take the run.
	case from.state() == borrowed && s == discarded && mine && w.poison > 0 && from.attempt()+1 >= w.poison:
		happened(discarded)
	default:
		bad("no such change")
	}
}

// changedData judges the change of the first byte of block i.
func (w *world) changedData(a *actor, i uint64, old *snapshot, was []record) {
	for _, r := range was {
		if (i-r.pos)&w.m.g.mask < r.word.blocks() {
			if !r.word.claimed() || !a.acts(r.word.owner()) {
				w.failf("%s has written to block %d of a record in state %d", a.name, i, r.word.state())
			}
			return
		}
	}
	if !(w.soleProducer && a.slot == 0) {
		w.failf("%s has written to block %d, which it has not claimed", a.name, i)
	}
}

// checkCursors verifies their order (invariant I2), that they stand where
// records begin, and on which side of consume each record lies (I3).
func (w *world) checkCursors(a *actor, old *snapshot, is []record) {
	s := &w.now
	r, c, t, f := s.reclaim, s.consume, s.tail, s.frontier(is)
	ahead := w.soleProducer && after(c.pos(), t.pos()) > 0 // of a tail that its producer is about to move
	if after(c.pos(), r) < 0 || after(t.pos(), c.pos()) < 0 && !ahead || after(f, t.pos()) < 0 || after(f, c.pos()) < 0 || uint64(after(f, r)) > w.blocks {
		w.failf("%s: cursors out of order: reclaim %d consume %d tail %d frontier %d", a.name, r, c.pos(), t.pos(), f)
		return
	}
	if after(r, old.reclaim) < 0 || after(t.pos(), old.tail.pos()) < 0 {
		w.failf("%s: a cursor went back", a.name)
	}
	if d := after(c.pos(), old.consume.pos()); d < 0 {
		for _, x := range is {
			if after(x.pos, c.pos()) >= 0 && after(x.pos, old.consume.pos()) < 0 && !(w.soleConsumer && x.word.terminal()) {
				w.failf("%s: consume went back over a record in state %d", a.name, x.word.state())
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
			w.failf("%s: record at %d, attempt %d, consume at %d", a.name, x.pos, x.word.attempt(), c.pos())
		}
		if x.word.claimed() && behind {
			w.failf("%s: consume at %d has passed the claim at %d", a.name, c.pos(), x.pos)
		}
	}
	if !atC || !atT {
		w.failf("%s: consume %d or tail %d is not where a record begins", a.name, c.pos(), t.pos())
	}
	if (t.count()-c.count()-items)&countMask != 0 {
		w.failf("%s: tail counts %d, consume %d, and %d items are between them", a.name, t.count(), c.count(), items)
	}
}

// checkOwners verifies that whoever a record names is there to end what it has
// begun, or to be recovered.
func (w *world) checkOwners(is []record) {
	for _, x := range is {
		if !x.word.claimed() && x.word.state() != borrowed {
			continue
		}
		if !slices.ContainsFunc(w.actors, func(a *actor) bool { return !a.ended && a.acts(x.word.owner()) }) {
			w.failf("the record at %d, state %d, has no owner", x.pos, x.word.state())
		}
	}
}

// head returns the first record that nobody has taken, and what a fresh
// consumer would find: done, empty or blocked.
func (w *world) head(is []record) (record, status) {
	for _, x := range is {
		switch {
		case after(w.now.consume.pos(), x.pos) > 0 && x.word.state() == committed:
			if w.now.redeliver&1 != 0 {
				return x, done
			}
		case x.word.state() == committed:
			return x, done
		case x.word.claimed():
			return x, blocked
		}
	}
	return record{}, empty
}

// isFull tells whether there is no room for so many blocks and items.
func (w *world) isFull(is []record, blocks, items uint64) bool {
	f := w.now.frontier(is)
	oldest, waiting := f, uint64(0)
	for _, x := range slices.Backward(is) {
		if !x.word.terminal() {
			oldest = x.pos
		}
	}
	if uint64(after(f, oldest))+blocks > w.blocks {
		return true
	}
	if w.maxItems == 0 {
		return false
	}
	begun := false
	for _, x := range is {
		begun = begun || after(w.now.consume.pos(), x.pos) <= 0 && x.word.state() != borrowed && !x.word.terminal()
		if begun {
			waiting += x.word.items()
		}
	}
	return waiting+items > w.maxItems
}

// look notes what was true at one moment of an actor's operation, so that it
// may say so when it ends.
func (w *world) look(a *actor, is []record) {
	if a.dead != nil {
		return
	}
	if a.blocks > 0 {
		a.sawFull = a.sawFull || w.isFull(is, a.blocks, a.items)
		return
	}
	_, st := w.head(is)
	a.sawNothing = a.sawNothing || st != done // empty and blocked are one to the caller
}

// count returns how many of the actor's events led to the state, and the items.
func (a *actor) count(to state) (ids []byte) {
	for _, e := range a.events {
		if e.to == to {
			ids = append(ids, e.id)
		}
	}
	return ids
}

// judgePut checks the outcome of an operation that was to put k items.
func (w *world) judgePut(a *actor, st status, k int) {
	put := len(a.count(committed))
	switch {
	case st == done && put == k:
		w.judgeLate(a)
	case st == full && put == 0 && a.sawFull:
	case st == ended && put == 0 && w.now.shutdown != 0:
	default:
		w.failf("%s: status %d, %d of %d items put, full: %v", a.name, st, put, k, a.sawFull)
	}
}

// judgeLate checks that nothing was put after a consumer had been told that
// there will be nothing more (F7).
func (w *world) judgeLate(a *actor) {
	if slices.ContainsFunc(a.events, func(e event) bool { return e.late && e.to == committed }) {
		w.failf("%s has put an item after a consumer was told that there will be no more", a.name)
	}
}

// judgeSolePut is judgePut for a sole producer, which may have to take back
// what it put.
func (w *world) judgeSolePut(a *actor, st status, kept int) {
	put, back := len(a.count(committed)), len(a.count(discarded))
	if put-back != kept {
		w.failf("%s: %d items kept, %d put, %d taken back", a.name, kept, put, back)
	}
	switch {
	case st == done && back == 0 && put > 0: // late or not: it was taken, or auditEnd finds it
	case st == full && put == 0 && a.sawFull:
	case st == ended && w.now.shutdown != 0:
	default:
		w.failf("%s: status %d, %d items put, %d taken back, full: %v", a.name, st, put, back, a.sawFull)
	}
}

// judgeGet checks the outcome of an operation that was to take something.
func (w *world) judgeGet(a *actor, st status, ids []byte) {
	taken := a.count(borrowed)
	ended1 := len(a.count(released)) + len(a.count(committed)) + len(a.count(discarded))
	switch {
	case st == done && slices.Equal(sorted(taken), sorted(ids)) && ended1 == len(ids):
	case (st == empty || st == blocked) && len(taken) == 0 && a.sawNothing:
	case st == ended && len(taken) == 0 && a.sawNothing && w.now.shutdown != 0:
		w.over = true
	default:
		w.failf("%s: status %d, took %x, read %x, ended %d; nothing to take: %v", a.name, st, taken, ids, ended1, a.sawNothing)
	}
}

func sorted(b []byte) []byte { s := slices.Clone(b); slices.Sort(s); return s }

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
		full1 := w.isFull(is, 1, 1)
		if _, got := w.coreOn(w.copy(), newcomer).claimRecord(1); (got == full) != full1 {
			w.failf("a fresh producer gets status %d, full: %v", got, full1)
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
