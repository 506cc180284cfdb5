package ringqueue

import (
	"context"

	"github.com/shmkit/shmkit/shm"
)

// A claimWait is a put that waits for room.
type claimWait struct {
	r     *Ring
	want  uint64 // blocks of all that is to be put; 0: it is not the ring's room that is short
	try   func(less bool) (claim, status)
	claim claim
	tries int

	// What Ready compares: where reclaim must be for all to fit, where consume
	// was when try failed, and how often it has looked since.
	need, consume uint64
	looks         int
}

// Ready looks at the cursors only: to look at the words each time would take
// their lines from the consumers that are about to release them. It is content
// with less than all the room now and then, and so is every Try before a sleep:
// there may never be more, and producers may have to reclaim themselves.
func (w *claimWait) Ready() bool {
	const every = 128
	w.looks++
	return w.want > 0 && after(w.r.core.loadReclaim(), w.need) >= 0 || w.looks%every == 0 ||
		w.r.maxItems > 0 && w.r.core.consume.Load() != w.consume
}

// Try makes the claim; when it is done the side stays entered.
func (w *claimWait) Try() (bool, error) {
	if w.r.closed.Load() {
		return false, w.r.wrap("put", ErrClosed)
	}
	if err := w.r.enter(&w.r.put.side); err != nil {
		return false, w.r.wrap("put", err)
	}
	w.consume = w.r.core.consume.Load()
	cl, st := w.try(w.tries > 0)
	w.tries++
	if st == done {
		w.claim = cl
		return true, nil
	}
	w.need = w.r.loadTail().pos() + w.want - w.r.blocks
	w.r.leave(&w.r.put.side)
	if st == full {
		return false, nil
	}
	return false, w.r.fail("put", st)
}

// Slice looks whether those who hold the ring up are dead.
func (w *claimWait) Slice() { w.r.probeHolders() }

// waitClaim waits until try makes a claim, of want blocks or, if less is set,
// of fewer. A want of 0 says that it may be something else than the ring that is
// full. On success the put side is entered.
func (r *Ring) waitClaim(ctx context.Context, want uint64, try func(less bool) (claim, status)) (claim, error) {
	if err := r.seg.Acquire(); err != nil {
		return claim{}, r.wrap("put", err)
	}
	defer r.seg.Release()
	tally(r.put.waits, 1)
	w := &claimWait{r: r, want: want, try: try}
	if r.put.policy == shm.Block || ctx.Err() != nil {
		w.tries = 1 // the first try is the last before a sleep
	}
	if err := r.put.gate.Wait(ctx, w); err != nil {
		return claim{}, r.expired("put", ErrFull, err)
	}
	return w.claim, nil
}

// waitRoom is openNow for one record of n bytes, and waits for room.
func (r *Ring) waitRoom(ctx context.Context, n uint64) (claim, error) {
	return r.waitClaim(ctx, r.roomFor(n), func(bool) (claim, status) { return r.openAny(n) })
}

// A borrowWait is a get that waits for a record.
type borrowWait struct {
	r     *Ring
	loans []loan
	n     int
}

// Ready looks at the word of the next record.
func (w *borrowWait) Ready() bool {
	c := &w.r.core
	p := c.loadConsume().pos()
	word := c.load(p)
	return c.age(word, p) != older && !word.claimed() || c.redeliver.load()&1 != 0 || c.loadShutdown() != 0 ||
		c.large != nil && c.large.returned.load()&1 != 0
}

// Try borrows; when it is done the side stays entered.
func (w *borrowWait) Try() (bool, error) {
	if w.r.closed.Load() {
		return false, w.r.wrap("get", ErrClosed)
	}
	if err := w.r.enter(&w.r.get.side); err != nil {
		return false, w.r.wrap("get", err)
	}
	var st status
	if w.n, st = w.r.borrowRunNow(w.loans); st == done {
		return true, nil
	}
	w.r.leave(&w.r.get.side)
	if st == empty || st == blocked {
		return false, nil
	}
	return false, w.r.fail("get", st)
}

// Slice looks whether those who hold the ring up are dead.
func (w *borrowWait) Slice() { w.r.probeHolders() }

// waitBorrow waits for at least one record and takes up to most. On success the
// get side is entered.
func (r *Ring) waitBorrow(ctx context.Context, most int) ([]loan, error) {
	if err := r.seg.Acquire(); err != nil {
		return nil, r.wrap("get", err)
	}
	defer r.seg.Release()
	tally(r.get.waits, 1)
	w := &borrowWait{r: r, loans: make([]loan, most)}
	if err := r.get.gate.Wait(ctx, w); err != nil {
		return nil, r.expired("get", ErrEmpty, err)
	}
	return w.loans[:w.n], nil
}

// probeHolders recovers the dead among those who hold records.
func (r *Ring) probeHolders() {
	r.holders(func(slot int) { r.seg.Probe(slot) })
	if r.large != nil {
		r.large.holders(func(slot int) { r.seg.Probe(slot) })
	}
}
