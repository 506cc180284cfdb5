package ringqueue

import "github.com/shmkit/shmkit/internal/fault"

// A claim is an extent of blocks that this process has reserved: it alone may
// write the blocks and change the word until it commits or aborts.
type claim struct {
	pos  uint64
	word word
}

// claimRecord reserves a record of n bytes.
func (c *core) claimRecord(n uint64) (claim, status) {
	return c.claim(blocksFor(n), 1, n, reserved)
}

// claimBatch reserves an extent of blocks blocks for items records.
func (c *core) claimBatch(blocks, items uint64) (claim, status) {
	return c.claim(blocks, items, batchLength(blocks, items), reservedBatch)
}

// claim reserves m blocks at the frontier by one compare-and-swap of the word
// there, which publishes owner and length together: a process killed before it
// has claimed nothing, and one killed after it has left its name.
func (c *core) claim(m, items, length uint64, s state) (claim, status) {
	for range maxSteps {
		t := c.loadTail()
		p := t.pos()
		w := c.load(p)
		switch c.age(w, p) {
		case same:
			c.helpTail(t, w)
			continue
		case newer:
			continue
		}
		if room, again := c.room(p, m); again {
			continue
		} else if !room {
			return claim{}, c.noRoom()
		}
		if room, again := c.itemsLeft(t, items); again {
			continue
		} else if !room {
			return claim{}, c.noRoom()
		}
		if !c.fits(p, m) {
			c.padLap(t, w)
			continue
		}
		// The expected word is the one judged older above: if anybody
		// claimed here since, in this lap or a later one, the swap fails.
		mine := makeWord(c.lap(p), length, c.me, 0, s)
		if !c.swap(p, w, mine, "ring.claim") {
			continue
		}
		// Tail must be past the whole extent before the commit turns a
		// batch's word into one that describes its first record alone.
		c.helpTail(t, mine)
		c.tagInner(p, m)
		cl := claim{pos: p, word: mine}
		// Only now: a consumer that saw the flag and then an empty ring has
		// left, and would miss what is committed here (F7).
		if c.loadShutdown() != 0 {
			c.abort(cl)
			return claim{}, ended
		}
		return cl, done
	}
	return claim{}, corrupt
}

// noRoom is what a producer that has found no room answers: there may never be
// any in a queue that is shut down, and so no use in waiting.
func (c *core) noRoom() status {
	if c.loadShutdown() != 0 {
		return ended
	}
	return full
}

// room tells whether m blocks at p are free. It may reclaim; again means that
// something moved and p must be judged anew.
func (c *core) room(p, m uint64) (room, again bool) {
	r := c.loadReclaim()
	used := after(p, r)
	if used < 0 {
		return false, true // p is stale
	}
	if uint64(used)+m <= c.blocks {
		return true, false
	}
	c.reclaimAll()
	return false, c.loadReclaim() != r
}

// itemsLeft tells whether k more items may be put when tail is t.
func (c *core) itemsLeft(t cursor, k uint64) (left, again bool) {
	if c.maxItems == 0 {
		return true, false
	}
	at := c.loadConsume()
	if after(at.pos(), t.pos()) > 0 {
		return false, true // t is stale
	}
	if (t.count()-at.count()+k)&countMask <= c.maxItems {
		return true, false
	}
	// A consumer stopped between borrowing and moving the cursor, or discarded
	// records at the head, must not hold up the producers (F10).
	w := c.load(at.pos())
	switch c.age(w, at.pos()) {
	case older:
		return false, false
	case newer:
		return false, true
	}
	switch {
	case w.state() == committed && w.attempt() > 0:
		return false, true // consume has moved already
	case w.state() == borrowed || w.terminal():
		c.helpConsume(at, w)
		return false, true
	}
	return false, false
}

// padLap claims the rest of the lap as a pad, so that the next record starts
// at block 0. The caller has room for its own m blocks there, and the pad is
// shorter than those.
func (c *core) padLap(t cursor, old word) {
	p := t.pos()
	rest := min(c.blocks-p&c.mask, maxBatchBlocks) // a long rest takes several pads
	filler := makeWord(c.lap(p), rest, 0, 0, pad)
	if rest == 1 || !c.sweeps(p) {
		if c.swap(p, old, filler, "ring.pad") {
			c.helpTail(t, filler)
		}
		return
	}
	// In a sweep lap the inner words need their tags before the pad is over,
	// so somebody must own it meanwhile: a batch of no items.
	mine := makeWord(c.lap(p), batchLength(rest, 0), c.me, 0, reservedBatch)
	if !c.swap(p, old, mine, "ring.pad.claim") {
		return
	}
	c.helpTail(t, mine)
	c.tagInner(p, rest)
	c.store(p, filler, "ring.pad.commit")
}

// tagInner gives the inner words of an extent this lap's tag, in sweep laps.
func (c *core) tagInner(p, m uint64) {
	if m == 1 || !c.sweeps(p) && !c.sweeps(p+m-1) {
		return
	}
	for q := p + 1; q < p+m; q++ {
		if c.sweeps(q) {
			c.store(q, makeWord(c.lap(q), 0, 0, 0, inner), "ring.inner")
		}
	}
}

// commit makes the claimed record visible with n bytes, at most as many as
// were claimed. Blocks left over become a pad, written first: the cursors have
// passed the whole extent, and a walk must come out where they did (F9).
func (c *core) commit(cl claim, n uint64) {
	whole, kept := cl.word.blocks(), blocksFor(n)
	if kept < whole {
		q := cl.pos + kept
		c.store(q, makeWord(c.lap(q), whole-kept, 0, 0, pad), "ring.commit.rest")
	}
	c.store(cl.pos, makeWord(cl.word.tag(), n, c.me, 0, committed), "ring.commit")
}

// commitWhole is commit with as many bytes as were claimed.
func (c *core) commitWhole(cl claim) {
	c.store(cl.pos, cl.word.with(committed), "ring.commit")
}

// commitEqual is commitBatch for k records of n bytes each.
func (c *core) commitEqual(cl claim, k, n uint64) {
	each := blocksFor(n)
	first := makeWord(cl.word.tag(), n, c.me, 0, committed)
	q, w := cl.pos, first
	for range k - 1 {
		q += each
		if q&c.mask < each { // the first in a new lap
			w = makeWord(c.lap(q), n, c.me, 0, committed)
		}
		fault.Point("ring.commit.inner")
		storeRelease(&c.words[q&c.mask], w)
	}
	c.store(cl.pos, first, "ring.commit")
}

// commitBatch makes the records of a batch visible, all at once to whoever
// starts at the first: the inner words are stored before it. lengths are their
// sizes in bytes; their blocks add up to the extent.
func (c *core) commitBatch(cl claim, lengths []uint32) {
	q := cl.pos + blocksFor(uint64(lengths[0]))
	for _, n := range lengths[1:] {
		fault.Point("ring.commit.inner")
		storeRelease(&c.words[q&c.mask], makeWord(c.lap(q), uint64(n), c.me, 0, committed))
		q += blocksFor(uint64(n))
	}
	c.store(cl.pos, makeWord(cl.word.tag(), uint64(lengths[0]), c.me, 0, committed), "ring.commit")
}

// abort gives a claim up. Its items count until consume has passed it.
func (c *core) abort(cl claim) {
	c.store(cl.pos, cl.word.discard(), "ring.abort")
	c.dropped.mark()
	c.reclaimAll()
}
