package dict

import (
	"errors"
	"fmt"
	"slices"

	"github.com/shmkit/shmkit/internal/arena"
	"github.com/shmkit/shmkit/internal/fault"
	"github.com/shmkit/shmkit/internal/mem"
)

// A Step is what a transaction does with one key: it relies on the entry being the
// one that it has read, and may replace it.
type Step struct {
	Table *Table
	Hash  uint64
	Key   []byte
	Same  *Entry // nil: there was none
	Write bool
	New   Draft // of a write; empty: the entry is removed

	lock   int
	stripe int
	place  place
	counts [2]uint64 // entries and bytes of its stripe, after it
}

// Commit carries out the steps, of different keys, all or nothing, whatever dies: it is false
// when an entry is not what a step relies on. It locks the keys' stripes in
// ascending order for a moment. The drafts are used up if it returns true or an error.
//
// A record says what is to be stored where. It lies in a block that this process is
// filling, and that nobody takes over before all stripes are free of it.
func (s *Store) Commit(steps []Step) (bool, error) {
	ok, err := s.commitTx(steps)
	if err != nil {
		for i := range steps {
			steps[i].New.Discard()
		}
	}
	return ok, err
}

func (s *Store) commitTx(steps []Step) (bool, error) {
	locks := make([]int, 0, len(steps))
	writes := 0
	for i := range steps {
		st := &steps[i]
		st.stripe = st.Table.stripeOf(st.Hash)
		st.lock = st.Table.lockOf(st.stripe)
		locks = append(locks, st.lock)
		if st.Write {
			writes++
		}
	}
	slices.Sort(locks)
	locks = slices.Compact(locks)
	rec, err := s.alloc((firstWord + max(1, writes)*changeWords) * 8)
	if err != nil {
		return false, err
	}
	defer s.Arena.Abandon(rec)
	taken := make([]int, 0, writes) // under the locks nothing is allocated
	for {
		for _, i := range locks {
			s.acquire(i)
		}
		ok, full, err := s.validate(steps, taken)
		if err == nil && ok && full == nil {
			if writes > 0 {
				s.apply(rec, steps, locks, writes)
			}
			s.releaseAll(locks)
			s.settleTx(steps, locks)
			return true, nil
		}
		s.releaseAll(locks)
		if err != nil || !ok {
			return false, err
		}
		if err := full.Table.makeRoom(full.Hash); err != nil {
			return false, err
		}
	}
}

func (s *Store) releaseAll(locks []int) {
	for _, i := range slices.Backward(locks) {
		s.stripes[i].release()
	}
}

// validate finds the places of all steps, under the locks. It returns a step for
// which there is no room.
func (s *Store) validate(steps []Step, taken []int) (ok bool, full *Step, err error) {
	for i := range steps {
		st := &steps[i]
		if err := st.Table.find(st.Hash, st.Key, &st.place, taken...); err != nil {
			return false, nil, err
		}
		c := Change{If: IfSame, Same: st.Same}
		if !c.holds(&st.place, st.place.word != 0 && !s.Expired(&st.place.entry)) {
			return false, nil, nil
		}
		if st.Write && !st.New.Empty() {
			if st.place.slot == 0 {
				return true, st, nil
			}
			taken = append(taken, st.place.slot)
		}
	}
	return true, nil, nil
}

// makeRoom splits the segment of h if it has no place for it.
func (t *Table) makeRoom(h uint64) error {
	stripe := t.stripeOf(h)
	var parts splitParts
	if err := t.prepare(stripe, h, &parts); err != nil {
		if t.heat && errors.Is(err, arena.ErrNoSpace) {
			return t.makeWay(stripe, h)
		}
		return err
	}
	defer parts.discard(t.s)
	l := t.s.acquire(t.lockOf(stripe))
	defer l.release()
	return t.split(l, stripe, h, &parts)
}

// apply is the commit, by the steps of the protocol: the record, the intents that name
// it, the new entries live, the versions, the record's state, which is the store
// that counts, and only then the slots.
func (s *Store) apply(rec arena.Block, steps []Step, locks []int, writes int) {
	at := int(rec.Ref / 8)
	s.put("dict.tx.state", at+recordState, 0)
	s.record(at, steps)
	s.put("dict.tx.count", at+recordCount, uint64(writes))
	for _, i := range locks {
		s.stripes[i].note(tRecord, rec.Ref)
		s.stripes[i].begin(opTx)
	}
	for i := range steps {
		if st := &steps[i]; st.Write && !st.New.Empty() {
			s.Arena.Enliven(st.New.block)
		}
	}
	for _, i := range locks {
		s.stripes[i].bump()
	}
	s.put("dict.tx.commit", at+recordState, txCommitted)
	for i := range writes {
		s.redo(at + firstWord + i*changeWords)
	}
	for _, i := range locks {
		s.stripes[i].begin(opNone)
	}
}

// record writes the changes down. Each has the counts of its stripe after it.
func (s *Store) record(at int, steps []Step) {
	w := at + firstWord
	for i := range steps {
		st := &steps[i]
		if !st.Write {
			continue
		}
		line := st.Table.lineOf(st.stripe)
		c := s.countsBefore(steps[:i], line)
		var fresh uint64
		if st.place.word != 0 {
			c[0]--
			c[1] -= st.place.bytes
		}
		if !st.New.Empty() {
			_, n, _ := s.Arena.Page(st.New.block.Ref)
			fresh = slotWord(st.place.tag, entryFlags(st.New.meta), st.New.block.Ref)
			c[0]++
			c[1] += uint64(n)
		}
		st.counts = c
		for j, v := range [...]uint64{
			cLock: uint64(st.lock), cSlot: uint64(st.place.slot), cNew: fresh, cNewInc: st.New.block.Inc,
			cOld: st.place.word, cOldInc: st.place.inc, cLine: uint64(line), cEntries: c[0], cBytes: c[1],
		} {
			s.put("dict.tx.record", w+j, v)
		}
		w += changeWords
	}
}

// countsBefore returns the entries and bytes of a stripe after the given steps.
func (s *Store) countsBefore(steps []Step, line int) [2]uint64 {
	for i := len(steps) - 1; i >= 0; i-- {
		if st := &steps[i]; st.Write && st.Table.lineOf(st.stripe) == line {
			return st.counts
		}
	}
	return [2]uint64{s.words[line+lineCount].Load(), s.words[line+lineBytes].Load()}
}

// redo makes a change of a committed record. It may be repeated.
func (s *Store) redo(w int) {
	slot, line := s.words[w+cSlot].Load(), s.words[w+cLine].Load()
	fresh, old := s.words[w+cNew].Load(), s.words[w+cOld].Load()
	if fresh == 0 && old == 0 {
		return // what was to be removed was not there
	}
	if n := uint64(len(s.words)); slot >= n || line > n-lineWords {
		return // somebody has written to the record
	}
	fault.Point("dict.tx.slot")
	mem.StoreRelease(&s.words[slot], fresh)
	if old != 0 {
		s.Arena.Retire(refOf(old), s.words[w+cOldInc].Load())
	}
	s.put("dict.tx.entries", int(line)+lineCount, s.words[w+cEntries].Load())
	s.put("dict.tx.bytes", int(line)+lineBytes, s.words[w+cBytes].Load())
}

// settleTx ends what a committed transaction has used, without the locks.
func (s *Store) settleTx(steps []Step, locks []int) {
	for _, i := range locks {
		s.stripes[i].tell()
	}
	for i := range steps {
		if st := &steps[i]; st.Write {
			st.Table.settle(&st.place, &st.New, arena.Block{})
		}
	}
}

// repairTx ends a dead process's transaction as far as one stripe is concerned. The
// record stays as it is until all are through: its block is given back after that.
func (s *Store) repairTx(lock int, l *stripe) error {
	ref := l.f[tRecord].Load()
	size := uint64(len(s.words))
	at := ref / 8
	if ref%16 != 0 || at == 0 || at+firstWord > size || s.words[at+recordCount].Load() > (size-at-firstWord)/changeWords {
		return fmt.Errorf("%w: a transaction's record at %#x", ErrCorrupt, ref)
	}
	committed := s.words[at+recordState].Load() == txCommitted
	for i := range s.words[at+recordCount].Load() {
		w := int(at + firstWord + i*changeWords)
		if s.words[w+cLock].Load() != uint64(lock) {
			continue
		}
		slot, line := s.words[w+cSlot].Load(), s.words[w+cLine].Load()
		if slot >= size || !s.has(line, lineWords) {
			return fmt.Errorf("%w: a transaction for slot %d, line %d", ErrCorrupt, slot, line)
		}
		fresh, old := s.words[w+cNew].Load(), s.words[w+cOld].Load()
		switch {
		case committed:
			s.redo(w)
			s.Arena.Note(refOf(old))
		case fresh != 0:
			s.Arena.Retire(refOf(fresh), s.words[w+cNewInc].Load())
			s.Arena.Note(refOf(fresh))
		}
	}
	l.begin(opNone)
	return nil
}
