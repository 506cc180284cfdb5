//go:build faultpoints

package ringqueue

import "slices"

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
	if a.Dead != nil {
		return
	}
	if a.blocks > 0 {
		a.sawFull = a.sawFull || w.isFull(is, a.blocks, a.items)
		return
	}
	_, st := w.head(is)
	a.sawNothing = a.sawNothing || st != done // empty and blocked are one to the caller
}

// count returns the items of the actor's events that led to the state, in order.
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
		a.Failf("%s: status %d, %d of %d items put, full: %v", a.Name, st, put, k, a.sawFull)
	}
}

// judgeLate checks that nothing was put after a consumer had been told that
// there will be nothing more (F7).
func (w *world) judgeLate(a *actor) {
	if slices.ContainsFunc(a.events, func(e event) bool { return e.late && e.to == committed }) {
		a.Failf("%s has put an item after a consumer was told that there will be no more", a.Name)
	}
}

// judgeSolePut is judgePut for a sole producer, which may have to take back
// what it put.
func (w *world) judgeSolePut(a *actor, st status, kept int) {
	put, back := len(a.count(committed)), len(a.count(discarded))
	if put-back != kept {
		a.Failf("%s: %d items kept, %d put, %d taken back", a.Name, kept, put, back)
	}
	switch {
	case st == done && back == 0 && put > 0: // late or not: it was taken, or auditEnd finds it
	case st == full && put == 0 && a.sawFull:
	case st == ended && w.now.shutdown != 0:
	default:
		a.Failf("%s: status %d, %d items put, %d taken back, full: %v", a.Name, st, put, back, a.sawFull)
	}
}

// judgeGet checks the outcome of an operation that was to take something.
func (w *world) judgeGet(a *actor, st status, ids []byte) {
	taken := a.count(borrowed)
	if w.soleConsumer && len(taken) > 1 {
		taken = append(taken[1:], taken[0]) // the last of a run is taken first
	}
	ends := len(a.count(released)) + len(a.count(committed)) + len(a.count(discarded))
	switch {
	case st == done && slices.Equal(taken, ids) && ends == len(ids):
	case (st == empty || st == blocked) && len(taken) == 0 && a.sawNothing:
	case st == ended && len(taken) == 0 && a.sawNothing && w.now.shutdown != 0:
		w.over = true
	default:
		a.Failf("%s: status %d, took %x, read %x, ended %d; nothing to take: %v", a.Name, st, taken, ids, ends, a.sawNothing)
	}
}
