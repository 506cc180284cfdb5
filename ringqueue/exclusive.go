package ringqueue

import (
	"sync/atomic"

	"github.com/shmkit/shmkit/internal/fault"
	"github.com/shmkit/shmkit/internal/mem"
)

// storeRelease publishes w in a word that has one writer, where a later store
// of the same writer carries the sequentially consistent order.
func storeRelease(at *atomic.Uint64, w word) { mem.StoreRelease(at, uint64(w)) }

// soleProducer puts into a ring that was created for one producer. Nobody else
// can claim, so its own copy of tail is the truth: the blocks behind it are its
// own without a word in the memory.
//
// A record that is put in one go is therefore not reserved first. It is written
// and then committed by one store, which is all that others ever see of it:
//
//	free → committed
//
// A death before that store leaves nothing that others see; the words of inner
// records and blocks, stored before the first one's, are undone by the next
// holder of the role. One after it leaves tail behind, as any death between a
// claim and its move of tail does. Meanwhile consume
// may be past tail, by one extent at most; who subtracts their counts looks
// out for that. A record that user code fills is reserved as in the shared ring.
//
// Because nothing was reserved, a consumer may have seen shutdown and an empty
// ring before the commit (F7). So the producer looks at shutdown after it, and
// takes back what nobody has taken, the last record first: each is either
// consumed or taken back, by compare-and-swap on both sides. What it takes back
// are the last records that the ring will ever have, because it looks before the
// commit too: a consumer in the middle of a run would otherwise swap a record put
// later, and take those before it that are no more.
//
// The holder of the role calls it, from one goroutine at a time.
type soleProducer struct {
	*core
	at    cursor // tail
	limit uint64 // reclaim + N as last seen: a lower bound
	seen  cursor // consume as last seen: a lower bound
}

// takeOver reads the state that the last holder of the role left. Its slot has
// been recovered; tail may lag behind the words, and behind the frontier may
// stand words of an extent whose first was never stored. Nobody walks past the
// frontier, but the next claim would bring them back: they are made old.
func (s *soleProducer) takeOver() status {
	for range maxSteps {
		t := s.loadTail()
		w := s.load(t.pos())
		if s.age(w, t.pos()) == same {
			s.helpTail(t, w)
			continue
		}
		s.at, s.seen = t, s.loadConsume()
		r := s.loadReclaim()
		if used := after(t.pos(), r); used < 0 || uint64(used) > s.blocks {
			return corrupt
		}
		s.limit = r + s.blocks
		for q := t.pos() + 1; after(q, s.limit) < 0; q++ {
			if s.age(s.load(q), q) == same {
				s.store(q, makeWord((s.lap(q)-1)&s.lapMask, 0, 0, 0, released), "ring.sole.scrub")
			}
		}
		return done
	}
	return corrupt
}

// open finds room as core.claim does, and claims it without a trace.
func (s *soleProducer) open(m, items, length uint64, st state) (claim, status) {
	if s.loadShutdown() != 0 {
		return claim{}, ended
	}
	for range maxSteps {
		p := s.at.pos()
		if after(p+m, s.limit) > 0 && !s.findRoom(p, m) {
			return claim{}, s.noRoom()
		}
		if s.maxItems > 0 && (s.at.count()-s.seen.count()+items)&countMask > s.maxItems && !s.findItems(items) {
			return claim{}, s.noRoom()
		}
		if s.fits(p, m) {
			return claim{pos: p, word: makeWord(s.lap(p), length, s.me, 0, st)}, done
		}
		s.padLap(s.at, s.load(p))
		if s.at = s.loadTail(); s.at.pos() == p {
			break
		}
	}
	return claim{}, corrupt
}

// claim is core.claim for the holder of the role.
func (s *soleProducer) claim(m, items, length uint64, st state) (claim, status) {
	cl, result := s.open(m, items, length, st)
	if result != done {
		return claim{}, result
	}
	fault.Point("ring.sole.claim")
	storeRelease(&s.words[cl.pos&s.mask], cl.word)
	s.at = s.at.step(cl.word)
	// Right behind the claim, never later: whoever helps stores the same.
	// Sequentially consistent, because shutdown is looked at next (F7).
	fault.Point("ring.sole.tail")
	s.tail.Store(uint64(s.at))
	s.tagInner(cl.pos, m)
	if s.loadShutdown() != 0 {
		s.abort(cl)
		return claim{}, ended
	}
	return cl, done
}

// commit publishes an open claim of one record, whole.
func (s *soleProducer) commit(cl claim) status {
	s.tagInner(cl.pos, cl.word.blocks())
	s.commitWhole(cl)
	if s.publish(cl, func(int) uint64 { return 0 }) == 0 {
		return ended
	}
	return done
}

// commitEqual publishes an open claim of k records of n bytes, and returns how
// many were put: all, unless the queue was shut down.
func (s *soleProducer) commitEqual(cl claim, k, n uint64) uint64 {
	s.tagInner(cl.pos, cl.word.blocks())
	s.core.commitEqual(cl, k, n)
	return s.publish(cl, func(i int) uint64 { return uint64(i) * blocksFor(n) })
}

// commitBatch publishes an open claim of records of these lengths, and returns
// how many were put.
func (s *soleProducer) commitBatch(cl claim, lengths []uint32) uint64 {
	s.tagInner(cl.pos, cl.word.blocks())
	s.core.commitBatch(cl, lengths)
	return s.publish(cl, func(i int) (off uint64) {
		for _, n := range lengths[:i] {
			off += blocksFor(uint64(n))
		}
		return off
	})
}

// publish follows the store that committed the claim's records, of which the
// i-th starts offset(i) blocks into it: it moves tail, and takes back what it can
// if the queue was shut down before that store. It returns how many are left.
func (s *soleProducer) publish(cl claim, offset func(i int) uint64) uint64 {
	n := cl.word.items()
	s.at = s.at.step(cl.word)
	fault.Point("ring.sole.tail")
	mem.StoreRelease(s.tail, uint64(s.at))
	if s.loadShutdown() == 0 {
		return n
	}
	for ; n > 0; n-- {
		p := cl.pos + offset(int(n)-1)
		w := s.load(p)
		if s.age(w, p) != same || w.state() != committed || w.attempt() > 0 ||
			!s.swap(p, w, w.with(discarded), "ring.sole.undo") {
			break // taken, and so are all before it, or they will be
		}
	}
	s.dropped.mark()
	s.reclaimAll()
	return n
}

// findRoom looks again for m free blocks at p, after the cached limit said no.
func (s *soleProducer) findRoom(p, m uint64) bool {
	s.limit = s.loadReclaim() + s.blocks
	if after(p+m, s.limit) <= 0 {
		return true
	}
	s.reclaimAll()
	s.limit = s.loadReclaim() + s.blocks
	return after(p+m, s.limit) <= 0
}

// findItems looks again whether k items may be put, after the cached cursor
// said no.
func (s *soleProducer) findItems(k uint64) bool {
	for range maxSteps {
		left, again := s.itemsLeft(s.at, k)
		if !again {
			s.seen = s.loadConsume()
			return left
		}
	}
	return false
}

// soleConsumer borrows in a ring that was created for one consumer. Of a run of
// records only the last is taken by compare-and-swap: a producer that takes back
// what it put too late begins at the last one too, and so can't get past it. The
// others, and the cursor, are plain stores.
//
// The stores are in the order borrowed words, cursor, released words. The cursor
// may so be put back over discarded records that a helper has skipped, which
// is harmless: reclaim can't pass the borrowed words meanwhile (section 5 of the
// protocol). Skipping is left to the shared path, by compare-and-swap (F13).
type soleConsumer struct {
	*core
	at cursor // consume
}

// takeOver reads the state that the last holder of the role left.
func (s *soleConsumer) takeOver() { s.at = s.loadConsume() }

// borrow is core.borrow for the holder of the role.
func (s *soleConsumer) borrow() (loan, status) {
	if s.redeliver.load()&1 == 0 {
		if w, ok := s.ordinary(s.at); ok {
			l := loan{s.at.pos(), w.borrowedBy(s.me)}
			if s.swap(l.pos, w, l.word, "ring.sole.borrow") {
				s.moveTo(s.at.step(w))
				return l, done
			}
		}
	}
	l, st := s.core.borrow()
	s.at = s.loadConsume()
	return l, st
}

// borrowRun is core.borrowRun for the holder of the role.
func (s *soleConsumer) borrowRun(loans []loan) (int, status) {
	n, at, last := 0, s.at, word(0)
	if s.redeliver.load()&1 == 0 {
		for n < len(loans) {
			w, ok := s.ordinary(at)
			if !ok {
				break
			}
			if n == 0 {
				s.warm(at.pos(), len(loans))
			}
			last = w
			loans[n] = loan{at.pos(), w.borrowedBy(s.me)}
			at = at.step(w)
			n++
		}
	}
	if n == 0 || !s.swap(loans[n-1].pos, last, loans[n-1].word, "ring.sole.borrow") {
		l, st := s.borrow()
		if st != done {
			return 0, st
		}
		loans[0] = l
		return 1, done
	}
	for _, l := range loans[:n-1] {
		fault.Point("ring.sole.borrow.run")
		storeRelease(&s.words[l.pos&s.mask], l.word)
	}
	s.moveTo(at)
	return n, done
}

// A series is a run of records with the same word: same length, same producer,
// same lap. So are most runs of a queue whose items all have one size.
type series struct {
	first loan
	n     uint64 // records
}

// series returns the words of the blocks of a series, and how many each has.
func (c *core) series(s series) (words []atomic.Uint64, each uint64) {
	each = s.first.word.blocks()
	ix := s.first.pos & c.mask
	return c.words[ix : ix+s.n*each], each
}

// borrowSeries is borrowRun for a series of at most most records. No address in
// it depends on what a word says, so that the misses of several lines overlap.
func (s *soleConsumer) borrowSeries(most uint64) (series, status) {
	w, ok := s.ordinary(s.at)
	if !ok || s.redeliver.load()&1 != 0 {
		l, st := s.borrow()
		return series{l, 1}, st
	}
	p, each := s.at.pos(), w.blocks()
	run := series{loan{p, w.borrowedBy(s.me)}, max(min(most, (s.blocks-p&s.mask)/each), 1)}
	if each > s.blocks-p&s.mask {
		run.n = 1 // it wraps
	}
	if run.n > 1 {
		words, _ := s.series(run)
		n := uint64(1)
		for n < run.n && word(look(&words[n*each])) == w {
			n++
		}
		run.n = n
	}
	if !s.swap(p+(run.n-1)*each, w, run.first.word, "ring.sole.borrow") {
		l, st := s.borrow()
		return series{l, 1}, st
	}
	if run.n > 1 {
		words, _ := s.series(run)
		for i := range run.n - 1 {
			fault.Point("ring.sole.borrow.run")
			storeRelease(&words[i*each], run.first.word)
		}
	}
	s.moveTo(s.at.plus(run.n*each, run.n))
	return run, done
}

// releaseSeries is release for each record of a series.
func (c *core) releaseSeries(run series) {
	if run.n > 1 {
		words, each := c.series(run)
		w := run.first.word.with(released)
		for i := range run.n - 1 {
			fault.Point("ring.release.run")
			storeRelease(&words[i*each], w)
		}
	}
	last := run.first
	last.pos += (run.n - 1) * run.first.word.blocks()
	c.release(last)
}

// ordinary returns the word at at if it is a record's that was never delivered.
func (s *soleConsumer) ordinary(at cursor) (word, bool) {
	p := at.pos()
	w := s.load(p)
	return w, w.tag() == s.lap(p) && w.state() == committed && w.attempt() == 0
}

// moveTo moves consume over what was borrowed.
func (s *soleConsumer) moveTo(at cursor) {
	s.at = at
	fault.Point("ring.sole.consume")
	mem.StoreRelease(s.consume, uint64(at))
}
