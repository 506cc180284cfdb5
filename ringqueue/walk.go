package ringqueue

import "github.com/shmkit/shmkit/internal/fault"

// visit calls f for each record from reclaim to the frontier, oldest first. It
// returns false if the ring went on under the walk, so that what f saw is no
// picture of one moment; the caller starts again.
//
// It goes to the first free word and not to tail, which may lag.
func (c *core) visit(f func(p uint64, w word)) (whole bool) {
	r := c.loadReclaim() & posMask
	for p := r; uint64(after(p, r)) < c.blocks; {
		w := c.load(p)
		switch c.age(w, p) {
		case older:
			return true
		case newer:
			return false
		}
		f(p, w)
		p += w.blocks()
	}
	return true
}

// A recovery counts what recover did.
type recovery struct {
	dropped     uint64 // items whose producer died before it committed them
	redelivered uint64 // records whose consumer died with them borrowed
	poisoned    uint64 // of those, discarded for having been delivered too often
}

// recover gives back what the dead slot held. The caller holds the slot's
// liveness lock and calls it until it returns true; each step is one store,
// and a recoverer that dies is followed by another one that starts again.
//
// A word that names the dead slot can't change under the walk, and it holds
// reclaim back, so the walk can't miss it: at worst it sees words that are newer
// than where it stands, and must start again.
func (c *core) recover(slot int) (got recovery, whole bool) {
	whole = c.visit(func(p uint64, w word) {
		if w.owner() != slot {
			return
		}
		switch {
		case w.claimed():
			c.tagInner(p, w.blocks())
			c.dropBlock(p, w)
			c.store(p, w.discard(), "ring.recover.discard")
			got.dropped += w.items()
		case w.state() == borrowed:
			// Before it can be delivered again it must lie behind consume,
			// or a stopped helper carries consume over it unseen (F2).
			at := c.loadConsume()
			if after(at.pos(), p) < 0 && w.attempt() == 0 {
				// The last of a run that a sole consumer was about to
				// take: consume has not come to it, and it was never
				// delivered.
				c.store(p, w.with(committed), "ring.recover.untake")
				return
			}
			if at.pos() == p&posMask {
				c.helpConsume(at, w)
			}
			switch {
			case c.leasedFrom(p, w):
				c.store(p, w.with(released), "ring.recover.large.take")
			case c.lastDelivery(w):
				c.dropBlock(p, w)
				c.store(p, w.with(discarded), "ring.recover.requeue.poison")
				got.poisoned++
			default:
				c.store(p, w.again(), "ring.recover.requeue")
				got.redelivered++
			}
		}
	})
	if !whole {
		return got, false
	}
	// Always: an earlier recoverer, or the dead process itself, may have died
	// between a change and its mark (F3).
	c.redeliver.mark()
	c.dropped.mark()
	c.reclaimAll()
	return got, true
}

// length returns how many items wait to be taken. It is exact when nobody is
// in the middle of an operation, and a guess when the ring moves so fast that no
// walk over it succeeds.
func (c *core) length() (int, status) {
	walks := 0
	for range maxSteps {
		t := c.loadTail()
		if w := c.load(t.pos()); c.age(w, t.pos()) == same {
			c.helpTail(t, w)
			continue
		}
		at := c.loadConsume()
		if w := c.load(at.pos()); c.age(w, at.pos()) == same && (w.state() == borrowed || w.terminal()) {
			c.helpConsume(at, w)
			continue
		}
		again, gaps := c.redeliver.load(), c.dropped.load()
		if (again|gaps)&1 == 0 || walks == maxWalks {
			if c.loadTail() != t || c.loadConsume() != at || after(at.pos(), t.pos()) > 0 {
				continue
			}
			n := (t.count() - at.count()) & countMask
			return int(min(n, c.blocks)), done
		}
		walks++
		if n, whole := c.census(at, again, gaps); whole {
			return n, done
		}
	}
	return 0, corrupt
}

// census counts the items that wait to be taken by a walk, and withdraws the
// announcements again and gaps if it finds nothing of what they announce. It
// fails if the ring overtakes the walk, or consume is not at at any more.
func (c *core) census(at cursor, again, gaps uint64) (n int, whole bool) {
	var behind, discards bool
	whole = c.visit(func(p uint64, w word) {
		passed := after(at.pos(), p) > 0
		switch s := w.state(); {
		case s == committed:
			n++
			behind = behind || passed
		case w.claimed():
			n += int(w.items())
		case (s == discarded || s == discardedBatch) && !passed:
			discards = true
		}
	})
	if !whole || c.loadConsume() != at {
		return 0, false
	}
	if again&1 != 0 && !behind {
		c.redeliver.clear(again)
	}
	if gaps&1 != 0 && !discards {
		c.dropped.clear(gaps)
	}
	return n, true
}

// isFull tells whether m blocks for one item would find no room now.
func (c *core) isFull(m uint64) bool {
	for range maxSteps {
		t := c.loadTail()
		if w := c.load(t.pos()); c.age(w, t.pos()) == same {
			c.helpTail(t, w)
			continue
		}
		room, again := c.room(t.pos(), m)
		if again {
			continue
		}
		left, again := c.itemsLeft(t, 1)
		if again {
			continue
		}
		return !room || !left
	}
	return true
}

// holders returns the slots of others that hold records between reclaim and
// the frontier: those whose death would explain why the ring stands still. At
// most 256 records are looked at, from the oldest on.
func (c *core) holders(yield func(slot int)) {
	const most = 256
	seen, records := [maxOwners]bool{}, 0
	c.visit(func(_ uint64, w word) {
		if records++; records > most {
			return
		}
		if o := w.owner(); (w.claimed() || w.state() == borrowed) && o != c.me && !seen[o] {
			seen[o] = true
			yield(o)
		}
	})
}

// settled tells whether nothing is reserved, waiting or borrowed; what waits is
// disregarded when ignoreReady is set.
func (c *core) settled(ignoreReady bool) bool {
	for range maxWalks {
		open := false
		if c.visit(func(_ uint64, w word) {
			if w.claimed() || w.state() == borrowed || w.state() == committed && !ignoreReady {
				open = true
			}
		}) {
			return !open
		}
	}
	return false
}

// start writes the words and cursors of a new ring whose first record will
// stand at pos, a multiple of the ring's size. It is not a concurrent step.
func (c *core) start(pos uint64) {
	fault.Point("ring.start")
	before := (c.lap(pos) - 1) & c.lapMask
	if before != 0 { // fresh memory is zero: tag 0, older than lap 1
		for i := range c.words {
			c.words[i].Store(uint64(makeWord(before, 0, 0, 0, released)))
		}
	}
	c.tail.Store(uint64(makeCursor(pos, 0)))
	c.consume.Store(uint64(makeCursor(pos, 0)))
	c.reclaim.Store(pos & posMask)
}
