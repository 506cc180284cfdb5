package dict

import (
	"sync/atomic"

	"github.com/shmkit/shmkit/internal/arena"
	"github.com/shmkit/shmkit/internal/fault"
	"github.com/shmkit/shmkit/internal/mem"
)

// Eviction is a CLOCK over the buckets. Each entry has two bits of heat, in the control
// word of its bucket: reads warm it up to 3, the hand cools it down by 1, and takes
// what is cold. A new entry is cold: it is on probation until it is read. So what is
// never read again goes first, and what is read often outlives several rounds.
// The bits are hints: two that change a control word at once may lose one of the changes.

const hottest = 3

// warm notes that the entry in slot i of the bucket with the control word w is used.
func warm(w *atomic.Uint64, i int) {
	if c := w.Load(); c>>(2*i)&hottest != hottest {
		fault.Point("dict.warm")
		w.CompareAndSwap(c, c+1<<(2*i))
	}
}

// cool puts the slot on probation.
func (s *Store) cool(slot int) {
	ctl, i := s.controlOf(slot)
	w := &s.words[ctl]
	if c := w.Load(); c>>(2*i)&hottest != 0 {
		fault.Point("dict.cool")
		w.CompareAndSwap(c, c&^(hottest<<(2*i)))
	}
}

// controlOf returns the index of the control word for a slot's word, and which slot
// of its bucket that is.
func (s *Store) controlOf(slot int) (ctl, i int) {
	i = slot % 8
	return slot - i + control, i
}

// evictMost bounds how many entries go in one lock session, and handMost how many
// buckets the hand passes.
const (
	evictMost = 32
	handMost  = buckets
)

// A Sweep says which entries go when the hand passes.
type Sweep int

// The sweeps.
const (
	Cold    Sweep = iota // those that have expired, and those that are not in use
	Expired              // those that have expired
	All
)

// Evict removes up to want entries of a stripe, and returns how many it removed. It may
// have to be called some times for the hand to come round.
func (t *Table) Evict(stripe, want int, which Sweep) (removed int, err error) {
	s := t.s
	var gone [evictMost]place
	l := s.acquire(t.lockOf(stripe))
	hand := &s.words[t.lineOf(stripe)+lineHand]
	p, b := hand.Load()&^(buckets-1), int(hand.Load()&(buckets-1))
	for range handMost {
		var seg int
		if seg, err = t.segmentAt(stripe, p); seg == 0 || removed == min(want, evictMost) {
			break
		}
		removed, err = t.sweep(l, stripe, seg, b, min(want, evictMost), removed, which, &gone)
		if err != nil {
			break
		}
		if b++; b == buckets {
			b = 0
			p, _ = after(s.words[seg+wordHdr].Load(), p)
		}
	}
	fault.Point("dict.hand")
	mem.StoreRelease(hand, p|uint64(b))
	l.release()
	if removed > 0 {
		l.tell()
	}
	for _, pl := range gone[:removed] {
		s.Arena.Reclaim(refOf(pl.word), pl.inc)
	}
	return removed, err
}

// sweep is the hand's passing over one bucket.
func (t *Table) sweep(l *stripe, stripe, seg, b, want, removed int, which Sweep, gone *[evictMost]place) (int, error) {
	s := t.s
	at := seg + firstWord + b*8
	for i := range slotsEach {
		w := s.words[at+i].Load()
		if w == 0 || removed == want {
			continue
		}
		expires := flagsOf(w)&FlagExpires != 0
		heat := s.words[at+control].Load() >> (2 * i) & hottest
		if !expires && which == Expired {
			continue
		}
		if !expires && which == Cold && heat > 0 {
			s.chill(at+control, i)
			continue
		}
		pl := place{slot: at + i, word: w}
		ok, err := s.entryUnderLock(at+i, w, &pl)
		if err != nil {
			return removed, err
		}
		counts := lineEvicted
		switch {
		case !ok:
			continue
		case s.Expired(&pl.entry):
			counts = lineExpired
		case which == All:
			counts = 0
		case which == Expired:
			continue
		case heat > 0:
			s.chill(at+control, i)
			continue
		}
		t.commit(l, stripe, &pl, &Draft{}, arena.Block{}, counts)
		gone[removed] = pl
		removed++
	}
	return removed, nil
}

// chill is what the hand does to an entry that was used.
func (s *Store) chill(ctl, i int) {
	w := &s.words[ctl]
	if c := w.Load(); c>>(2*i)&hottest > 0 {
		fault.Point("dict.chill")
		w.CompareAndSwap(c, c-1<<(2*i))
	}
}

// KeyOf returns the key of the entry in a block, if it is that of an entry. What is
// returned may be nonsense: it is only good for looking it up.
func (s *Store) KeyOf(ref uint64) (key []byte, ok bool) {
	_, size, ok := s.Arena.Page(ref)
	if !ok || size < 16 {
		return nil, false
	}
	meta := s.words[ref/8+wordMeta].Load()
	if n := entrySize(meta); n > size {
		return nil, false
	}
	off := keyOff(entryFlags(meta))
	return mem.Append(nil, s.Arena.Bytes(ref, size)[off:off+keyLen(meta)]), true
}

// EvictBlock evicts the entry with the hash that lies in the block at ref, if the table
// has it, and tells whether it has.
func (t *Table) EvictBlock(h, ref uint64) (bool, error) {
	s := t.s
	stripe := t.stripeOf(h)
	l := s.acquire(t.lockOf(stripe))
	pl, err := t.slotOf(stripe, h, ref)
	if err == nil && pl.slot != 0 {
		t.commit(l, stripe, &pl, &Draft{}, arena.Block{}, lineEvicted)
	}
	l.release()
	if err != nil || pl.slot == 0 {
		return false, err
	}
	l.tell()
	s.Arena.Reclaim(ref, pl.inc)
	return true, nil
}

// slotOf returns the place that refers to a block. Its slot is 0 if there is none.
func (t *Table) slotOf(stripe int, h, ref uint64) (pl place, err error) {
	seg, err := t.segmentAt(stripe, position(h))
	if seg == 0 {
		return pl, err
	}
	first, second := pairOf(h)
	for _, b := range [2]int{first, second} {
		at := seg + firstWord + b*8
		for i := range slotsEach {
			if w := t.s.words[at+i].Load(); w != 0 && refOf(w) == ref {
				pl.slot, pl.word = at+i, w
				_, err = t.s.entryUnderLock(pl.slot, w, &pl)
				return pl, err
			}
		}
	}
	return pl, nil
}

// makeWay evicts the coldest entry of the two buckets of h, when there is no memory for
// a split.
func (t *Table) makeWay(stripe int, h uint64) error {
	s := t.s
	l := s.acquire(t.lockOf(stripe))
	pl, err := t.coldest(stripe, h)
	if err == nil && pl.slot != 0 {
		t.commit(l, stripe, &pl, &Draft{}, arena.Block{}, lineEvicted)
	}
	l.release()
	if err != nil {
		return err
	}
	if pl.slot == 0 {
		return arena.ErrNoSpace // the stripe has no segment at all
	}
	l.tell()
	s.Arena.Reclaim(refOf(pl.word), pl.inc)
	return nil
}

// coldest returns the place of the coldest entry of the two buckets of h. Its slot is
// 0 if there is none.
func (t *Table) coldest(stripe int, h uint64) (pl place, err error) {
	s := t.s
	seg, err := t.segmentAt(stripe, position(h))
	if seg == 0 {
		return pl, err
	}
	least := uint64(hottest + 1)
	first, second := pairOf(h)
	for _, b := range [2]int{first, second} {
		at := seg + firstWord + b*8
		for i := range slotsEach {
			w := s.words[at+i].Load()
			if heat := s.words[at+control].Load() >> (2 * i) & hottest; w != 0 && heat < least {
				least, pl.slot, pl.word = heat, at+i, w
			}
		}
	}
	if pl.slot != 0 {
		_, err = s.entryUnderLock(pl.slot, pl.word, &pl)
	}
	return pl, err
}

// Rounds returns how often Evict is to be called for the hand to pass over all entries
// of a stripe.
func (t *Table) Rounds(stripe int) int {
	n := 1
	for p, more := uint64(0), true; more; n++ {
		seg, err := t.segmentAt(stripe, p)
		if err != nil || seg == 0 {
			break
		}
		p, more = after(t.s.words[seg+wordHdr].Load(), p)
	}
	// In each call it stops after a number of entries, or of buckets.
	return n*(buckets*slotsEach/evictMost+1) + 1
}
