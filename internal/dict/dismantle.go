package dict

import (
	"fmt"

	"github.com/shmkit/shmkit/internal/arena"
	"github.com/shmkit/shmkit/internal/fault"
	"github.com/shmkit/shmkit/internal/mem"
)

// Dismantle removes all entries, segments and directories of a table that nobody uses
// any more, but not the table's own block. Who dies in it leaves the rest to who
// calls it next; two at once don't harm each other.
func (t *Table) Dismantle() error {
	for i := range t.count {
		begun, err := t.unlinking(i)
		if err != nil {
			return err
		}
		for n := t.Rounds(i); n > 0 && !begun; n-- {
			if _, err := t.Evict(i, evictMost, All); err != nil {
				return err
			}
		}
		for {
			more, err := t.unlinkSome(i)
			if err != nil {
				return err
			}
			if !more {
				break
			}
		}
	}
	return nil
}

// unlinking tells whether somebody who died has begun to unlink a stripe's segments: then
// they are empty, and the directory has gaps from the first one on.
func (t *Table) unlinking(stripe int) (bool, error) {
	first, _, err := t.directory(stripe)
	return first != 0 && t.s.words[first].Load() == 0, err
}

// unlinkSome unlinks blocks of a stripe, a bounded number in one lock session: the
// directories before the last one, then the segments, then the last directory. It
// tells whether there are more.
func (t *Table) unlinkSome(stripe int) (more bool, err error) {
	s := t.s
	var gone [evictMost]arena.Block
	n := 0
	l := s.acquire(t.lockOf(stripe))
	for more = true; more && n < len(gone) && err == nil; {
		gone[n], more, err = t.unlinkOne(l, stripe)
		if gone[n].Ref != 0 {
			n++
		}
	}
	l.release()
	for _, b := range gone[:n] {
		s.Arena.Reclaim(b.Ref, b.Inc)
	}
	return more, err
}

func (t *Table) unlinkOne(l *stripe, stripe int) (arena.Block, bool, error) {
	s := t.s
	first, d, err := t.directory(stripe)
	if first == 0 {
		return arena.Block{}, false, err
	}
	dir := first - firstWord
	if prev := s.words[dir+wordPrev].Load(); prev != 0 {
		if prev%16 != 0 || prev/8+firstWord > uint64(len(s.words)) {
			return arena.Block{}, false, fmt.Errorf("%w: directory at %#x", ErrCorrupt, prev)
		}
		return s.unlink(l, dir+wordPrev, s.words[prev/8+wordPrev].Load(), prev), true, nil
	}
	for i := range 1 << d {
		ref := s.words[first+i].Load()
		if ref == 0 {
			continue
		}
		if i+1 < 1<<d && s.words[first+i+1].Load() == ref {
			s.put("dict.unlink.entry", first+i, 0) // the next one still refers to it
			continue
		}
		if _, err := s.checkSegment(ref); err != nil {
			return arena.Block{}, false, err
		}
		return s.unlink(l, first+i, 0, ref), true, nil
	}
	return s.unlink(l, t.lineOf(stripe)+lineRoot, 0, uint64(dir)*8), false, nil
}

// unlink stores a word, the last one that refers to a block, and retires the block.
func (s *Store) unlink(l *stripe, word int, now, ref uint64) arena.Block {
	b := arena.Block{Ref: ref, Inc: arena.Inc(s.Arena.HeadOf(ref).Load())}
	l.note(uWord, uint64(word))
	l.note(uOld, s.words[word].Load())
	l.note(uNew, now)
	l.note(uRef, ref)
	l.note(uInc, b.Inc)
	l.begin(opUnlink)
	s.put("dict.unlink", word, now)
	s.Arena.Retire(ref, b.Inc)
	l.begin(opNone)
	return b
}

// repairUnlink finishes what unlink has begun.
func (s *Store) repairUnlink(l *stripe) error {
	word := l.f[uWord].Load()
	if word >= uint64(len(s.words)) {
		return fmt.Errorf("%w: intent for word %d", ErrCorrupt, word)
	}
	w := &s.words[word]
	if w.Load() == l.f[uOld].Load() {
		fault.Point("dict.unlink.again")
		mem.StoreRelease(w, l.f[uNew].Load())
	}
	s.Arena.Retire(l.f[uRef].Load(), l.f[uInc].Load())
	s.Arena.Note(l.f[uRef].Load())
	l.begin(opNone)
	return nil
}
