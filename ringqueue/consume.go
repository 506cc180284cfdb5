package ringqueue

import "github.com/shmkit/shmkit/internal/fault"

// A loan is a record that this process has borrowed: nobody reuses its blocks
// or changes its word until it is released or given back.
type loan struct {
	pos  uint64
	word word
}

// borrow takes the next record: a redelivered one if there is any, else the
// first that nobody has taken yet.
func (c *core) borrow() (loan, status) {
	if seen := c.redeliver.load(); seen&1 != 0 {
		if l, st := c.borrowAgain(seen); st == done || st == corrupt {
			return l, st
		}
	}
	for range maxSteps {
		at := c.loadConsume()
		p := at.pos()
		w := c.load(p)
		switch c.age(w, p) {
		case newer:
			continue
		case older:
			return loan{}, empty
		}
		switch s := w.state(); {
		case s == committed:
			if w.attempt() > 0 && c.loadConsume() != at {
				continue // given back after consume had passed it
			}
			// Tail is past p: its claimer saw to that before it committed.
			mine := w.borrowedBy(c.me)
			if !c.swap(p, w, mine, "ring.borrow") {
				continue
			}
			fault.Point("ring.consume")
			c.consume.CompareAndSwap(uint64(at), uint64(at.step(w)))
			return loan{p, mine}, done
		case w.claimed():
			return loan{}, blocked
		case s == borrowed || w.terminal():
			c.helpConsume(at, w)
		default:
			return loan{}, corrupt
		}
	}
	return loan{}, corrupt
}

// borrowAgain looks for a committed record behind consume. If there is none
// it withdraws the announcement seen.
func (c *core) borrowAgain(seen uint64) (loan, status) {
	steps := 0
restart:
	p := c.loadReclaim()
	end := c.loadConsume().pos()
	for after(end, p) > 0 {
		if steps++; steps > maxSteps {
			return loan{}, corrupt
		}
		w := c.load(p)
		if c.age(w, p) != same {
			goto restart // reclaimed under the walk
		}
		if w.state() != committed {
			p += w.blocks()
			continue
		}
		mine := w.borrowedBy(c.me)
		if c.swap(p, w, mine, "ring.borrow.again") {
			return loan{p, mine}, done
		}
	}
	c.redeliver.clear(seen)
	return loan{}, empty
}

// borrowRun takes up to len(loans) records that lie one behind the other, for
// one move of the cursor.
func (c *core) borrowRun(loans []loan) (int, status) {
	first, st := c.borrow()
	if st != done {
		return 0, st
	}
	loans[0] = first
	n := 1
	if first.word.attempt() > 0 {
		return n, done // it lies anywhere behind consume
	}
	p := first.pos + first.word.blocks()
	c.warm(first.pos, len(loans))
	var items, blocks uint64
	for n < len(loans) {
		w := c.load(p)
		if c.age(w, p) != same || w.state() != committed || w.attempt() > 0 {
			break
		}
		mine := w.borrowedBy(c.me)
		if !c.swap(p, w, mine, "ring.borrow.run") {
			break
		}
		loans[n] = loan{p, mine}
		n++
		items++
		blocks += w.blocks()
		p += w.blocks()
	}
	if n == 1 {
		return n, done
	}
	// One move for the run; if a helper is inside it, step by step behind it.
	for range maxSteps {
		at := c.loadConsume()
		if at.pos() == first.pos+first.word.blocks() {
			fault.Point("ring.consume.run")
			if c.consume.CompareAndSwap(uint64(at), uint64(at.plus(blocks, items))) {
				return n, done
			}
			continue
		}
		if after(p, at.pos()) <= 0 {
			return n, done
		}
		w := c.load(at.pos())
		if c.age(w, at.pos()) == same {
			c.helpConsume(at, w)
		}
	}
	return n, corrupt
}

// warm loads the lines of the words from pos on, for as many records as the
// caller hopes to take. A run's next word is found by the length in the last
// one, so that the processor can't look ahead by itself; these loads don't
// depend on each other, and their misses overlap.
func (c *core) warm(pos uint64, records int) {
	const perLine = 64 / 8
	for i := perLine; i < records; i += perLine {
		c.words[(pos+uint64(i))&c.mask].Load()
	}
}

// release ends a loan for good.
func (c *core) release(l loan) { c.store(l.pos, l.word.with(released), "ring.release") }

// releaseRelaxed is release for all but the last of several: that one's store
// orders these before the look at the waiters' word.
func (c *core) releaseRelaxed(l loan) {
	fault.Point("ring.release.run")
	storeRelease(&c.words[l.pos&c.mask], l.word.with(released))
}

// requeue gives a loan back: the record is delivered again, with the attempt
// counted, or discarded as poison when it has been delivered often enough.
// It returns whether it was discarded.
func (c *core) requeue(l loan) (poisoned bool) {
	if c.lastDelivery(l.word) {
		c.store(l.pos, l.word.with(discarded), "ring.requeue.poison")
		return true
	}
	// Consume is past the record, because attempts above 0 say so.
	c.store(l.pos, l.word.again(), "ring.requeue")
	c.redeliver.mark()
	return false
}

// lastDelivery tells whether the borrowed record w is not to be delivered again.
func (c *core) lastDelivery(w word) bool { return c.poison > 0 && w.attempt()+1 >= c.poison }

// reclaimAll frees the blocks of terminal records from the oldest on. Several
// are freed by one swap: none of them changes while reclaim stands before it.
func (c *core) reclaimAll() {
	for range maxSteps {
		r := c.loadReclaim()
		first := c.load(r)
		p, w := r, first
		for c.age(w, p) == same && w.terminal() && uint64(after(p, r)) < c.blocks {
			p += w.blocks()
			w = c.load(p)
		}
		if p == r {
			return
		}
		// Reclaim must never pass consume (F1). Consume is read after the
		// words: a single consumer's plain store of it comes before the
		// release that made its record terminal.
		at := c.loadConsume()
		if after(at.pos(), p) < 0 {
			p = at.pos()
		}
		if after(p, r) <= 0 {
			if at.pos() != r&posMask {
				return // r is stale, and somebody else is reclaiming
			}
			c.helpConsume(at, first)
			continue
		}
		fault.Point("ring.reclaim")
		c.reclaim.CompareAndSwap(r, p&posMask)
	}
}

// reclaimEvery is how many blocks pass between two looks of consumers at what
// can be reclaimed. Producers look for themselves when they need room.
const reclaimEvery = 64

// reclaimRun reclaims the blocks from first to end, which this process has just
// released, if they are the oldest; else it looks at all now and then.
func (c *core) reclaimRun(first, end uint64) {
	if c.loadReclaim() == first&posMask && after(c.loadConsume().pos(), end) >= 0 {
		fault.Point("ring.reclaim.run")
		c.reclaim.CompareAndSwap(first&posMask, end&posMask)
	} else if (first^end)&^(reclaimEvery-1) != 0 {
		c.reclaimAll()
	}
}
