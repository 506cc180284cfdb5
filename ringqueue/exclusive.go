package ringqueue

import (
	"sync/atomic"

	"github.com/shmkit/shmkit/internal/fault"
	"github.com/shmkit/shmkit/internal/mem"
)

// storeRelease publishes w in a word that has one writer, where a later store
// of the same writer carries the sequentially consistent order.
func storeRelease(at *atomic.Uint64, w word) { mem.StoreRelease(at, uint64(w)) }

// soleProducer claims in a ring that was created for one producer. Nobody else
// can claim, so its own copy of tail is the truth and its stores need no
// compare-and-swap; helpers can move the shared tail only over words that it
// has stored already, to where it is about to store it itself.
//
// The holder of the role calls it, from one goroutine at a time.
type soleProducer struct {
	*core
	at    cursor // tail
	limit uint64 // reclaim + N as last seen: a lower bound
	seen  cursor // consume as last seen: a lower bound
}

// takeOver reads the state that the last holder of the role left. Its slot has
// been recovered; tail may lag behind the words.
func (s *soleProducer) takeOver() status {
	for range maxSteps {
		t := s.loadTail()
		w := s.load(t.pos())
		if s.age(w, t.pos()) != same {
			s.at, s.seen = t, s.loadConsume()
			s.limit = s.reclaim.Load() + s.blocks
			return done
		}
		s.helpTail(t, w)
	}
	return corrupt
}

// claim is core.claim for the holder of the role.
func (s *soleProducer) claim(m, items, length uint64, st state) (claim, status) {
	for {
		p := s.at.pos()
		if after(p+m, s.limit) > 0 {
			if !s.findRoom(p, m) {
				return claim{}, full
			}
		}
		if s.maxItems > 0 && (s.at.count()-s.seen.count()+items)&countMask > s.maxItems {
			if !s.findItems(items) {
				return claim{}, full
			}
		}
		if s.fits(p, m) {
			break
		}
		s.padLap(s.at, s.load(p))
		if s.at = s.loadTail(); s.at.pos() == p {
			return claim{}, corrupt
		}
	}
	p := s.at.pos()
	mine := makeWord(s.lap(p), length, s.me, 0, st)
	fault.Point("ring.sole.claim")
	storeRelease(&s.words[p&s.mask], mine)
	s.at = s.at.step(mine)
	// Right behind the claim, never later: whoever helps stores the same.
	// Sequentially consistent, because shutdown is looked at next (F7).
	fault.Point("ring.sole.tail")
	s.tail.Store(uint64(s.at))
	if m > 1 {
		s.tagInner(p, m)
	}
	cl := claim{pos: p, word: mine}
	if s.shutdown.Load() != 0 {
		s.abort(cl)
		return claim{}, ended
	}
	return cl, done
}

// findRoom looks again for m free blocks at p, after the cached limit said no.
func (s *soleProducer) findRoom(p, m uint64) bool {
	s.limit = s.reclaim.Load() + s.blocks
	if after(p+m, s.limit) <= 0 {
		return true
	}
	s.reclaimAll()
	s.limit = s.reclaim.Load() + s.blocks
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

// soleConsumer borrows in a ring that was created for one consumer: plain
// stores instead of compare-and-swaps, and its own copy of consume.
//
// The stores are in the order borrowed word, cursor, released word. The cursor
// may so be put back over discarded records that a helper has skipped, which
// is harmless: reclaim can't pass the borrowed word meanwhile (section 5 of the
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
		if l, ok := s.next(s.at); ok {
			s.moveTo(s.at.step(l.word))
			return l, done
		}
	}
	l, st := s.core.borrow()
	s.at = s.loadConsume()
	return l, st
}

// next borrows the record at at if it is there and ordinary.
func (s *soleConsumer) next(at cursor) (loan, bool) {
	p := at.pos()
	slot := &s.words[p&s.mask]
	w := word(slot.Load())
	if w.tag() != s.lap(p) || w.state() != committed || w.attempt() > 0 {
		return loan{}, false
	}
	mine := w.borrowedBy(s.me)
	fault.Point("ring.sole.borrow")
	storeRelease(slot, mine)
	return loan{p, mine}, true
}

// moveTo moves consume over what was borrowed.
func (s *soleConsumer) moveTo(at cursor) {
	s.at = at
	fault.Point("ring.sole.consume")
	mem.StoreRelease(s.consume, uint64(at))
}

// borrowRun is core.borrowRun for the holder of the role: one move of the
// cursor for all.
func (s *soleConsumer) borrowRun(loans []loan) (int, status) {
	n, at := 0, s.at
	if s.redeliver.load()&1 == 0 {
		for n < len(loans) {
			l, ok := s.next(at)
			if !ok {
				break
			}
			if n == 0 {
				s.warm(l.pos, len(loans))
			}
			loans[n] = l
			at = at.step(l.word)
			n++
		}
	}
	if n > 0 {
		s.moveTo(at)
		return n, done
	}
	l, st := s.borrow()
	if st != done {
		return 0, st
	}
	loans[0] = l
	return 1, done
}
