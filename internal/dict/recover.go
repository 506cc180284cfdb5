package dict

import (
	"errors"
	"fmt"

	"github.com/shmkit/shmkit/internal/fault"
	"github.com/shmkit/shmkit/internal/futex"
)

// Recover finishes or undoes what the dead process of a slot was in the middle of,
// and gives back what it had: locks, then pins and chunks of the arena. The caller
// holds the slot's liveness lock. Everything is done in the dead one's name, by
// steps that may be repeated, so that a recoverer may be killed too.
//
// An intent that makes no sense is given up: then it is an error, but nobody waits for
// the lock for ever, and the next call goes on from there.
func (s *Store) Recover(slot int) error {
	dead := uint32(slot) + 1
	var damaged []error
	for i := range s.stripes {
		l := &s.stripes[i]
		if l.lock.Load()&^waiters != dead {
			continue
		}
		if err := s.repair(i, l); err != nil {
			damaged = append(damaged, fmt.Errorf("stripe %d: %w", i, err))
			l.begin(opNone)
		}
		fault.Point("dict.recover.unlock")
		if l.lock.Swap(0)&waiters != 0 {
			futex.Wake(&l.lock, 1)
		}
		l.tell()
	}
	if damaged != nil {
		return errors.Join(damaged...)
	}
	s.Arena.Reap(slot)
	return nil
}

// repair ends the intent of a stripe whose holder is dead.
func (s *Store) repair(i int, l *stripe) error {
	switch op := l.op.Load(); op {
	case opNone:
		return nil
	case opReplace:
		return s.repairReplace(l)
	case opSplit:
		return s.finishSplit(l)
	case opUnlink:
		return s.repairUnlink(l)
	case opTx:
		return s.repairTx(i, l)
	default:
		return fmt.Errorf("%w: op %d", ErrCorrupt, op)
	}
}

// has tells whether there are n words from index i on, whatever i is.
func (s *Store) has(i, n uint64) bool {
	size := uint64(len(s.words))
	return i <= size && n <= size-i
}

// repairReplace looks at the slot: the new word there means that the change has
// happened, and is finished; else the new entry is retired, if it was live already.
// One that was still being filled is free as soon as its page is given back.
func (s *Store) repairReplace(l *stripe) error {
	slot, line := l.f[rSlot].Load(), l.f[rLine].Load()
	if slot >= uint64(len(s.words)) || !s.has(line, lineWords) {
		return fmt.Errorf("%w: intent for slot %d, line %d", ErrCorrupt, slot, line)
	}
	fresh, old := l.f[rNew].Load(), l.f[rOld].Load()
	if s.words[slot].Load() == fresh {
		s.finishReplace(l)
		if old != 0 {
			s.Arena.Note(refOf(old))
		}
		if fresh == 0 {
			s.Arena.Note(l.f[rWith].Load())
		}
		return nil
	}
	with := l.f[rWith].Load()
	if fresh != 0 {
		if with != 0 {
			s.Arena.Retire(with, l.f[rWithInc].Load())
			s.Arena.Note(with)
		}
		s.Arena.Retire(refOf(fresh), l.f[rNewInc].Load())
		s.Arena.Note(refOf(fresh))
	}
	l.begin(opNone)
	return nil
}

// Reach calls visit with every block of the table, for [arena.Arena.Fsck]. Entries that refer
// to something are passed to refers, if that is not nil.
func (t *Table) Reach(visit func(ref uint64, what string) bool, refers func(value []byte)) {
	s := t.s
	if !visit(t.ref, "table") {
		return
	}
	for i := range t.count {
		first, d, err := t.directory(i)
		if first == 0 || err != nil {
			continue
		}
		for dir := uint64(first-firstWord) * 8; dir != 0 && visit(dir, "directory"); {
			dir = s.words[dir/8+wordPrev].Load()
		}
		if !t.fits(first, d) {
			continue
		}
		before := uint64(0)
		for e := range 1 << d {
			ref := s.words[first+e].Load()
			if ref == before || ref == 0 { // a table that is being taken apart has gaps
				continue
			}
			before = ref
			if seg, err := s.checkSegment(ref); visit(ref, "segment") && err == nil {
				for b := range buckets {
					for j := range slotsEach {
						s.reachEntry(s.bucket(seg, b)[j].Load(), visit, refers)
					}
				}
			}
		}
	}
}

// fits tells whether a directory of this depth is within its block.
func (t *Table) fits(first, depth int) bool {
	_, size, _ := t.s.Arena.Page(uint64(first-firstWord) * 8)
	return (firstWord+1<<depth)*8 <= size
}

func (s *Store) reachEntry(w uint64, visit func(uint64, string) bool, refers func([]byte)) {
	if w == 0 || !visit(refOf(w), "entry") || refers == nil || flagsOf(w)&FlagRefers == 0 {
		return
	}
	meta := s.words[refOf(w)/8+wordMeta].Load()
	if _, size, ok := s.Arena.Page(refOf(w)); ok && entrySize(meta) <= size {
		refers(s.Arena.Bytes(refOf(w), entrySize(meta))[valueOff(meta):])
	}
}

// Check tells what is wrong with a table that nobody is changing: a key in the wrong
// segment, or counts that are not those of its entries. If somebody is, that shows as
// well; problems name the version of the stripe, so that one that is there again at the
// next look is the same.
func (t *Table) Check() (problems []string) {
	s := t.s
	for i := range t.count {
		l := &s.stripes[t.lockOf(i)]
		problem := func(format string, args ...any) {
			problems = append(problems, fmt.Sprintf("stripe %d, version %d: ", i, l.ver.Load())+fmt.Sprintf(format, args...))
		}
		count, size := uint64(0), uint64(0)
		if first, d, _ := t.directory(i); first != 0 && !t.fits(first, d) {
			problem("a directory of depth %d in a smaller block", d)
			continue
		}
		for p, more := uint64(0), true; more; {
			seg, err := t.segmentAt(i, p)
			if err != nil {
				problem("%v", err)
				return problems
			}
			if seg == 0 {
				break
			}
			hdr := s.words[seg+wordHdr].Load()
			if !owns(hdr, p) {
				problem("the segment of position %#x has header %#x", p, hdr)
				return problems
			}
			for b := range buckets {
				for j := range slotsEach {
					w := s.bucket(seg, b)[j].Load()
					if w == 0 {
						continue
					}
					if !owns(hdr, tagOf(w)<<40) {
						problem("an entry with tag %#x in a segment with header %#x", tagOf(w), hdr)
					}
					count++
					_, n, _ := s.Arena.Page(refOf(w))
					size += uint64(n)
				}
			}
			p, more = after(hdr, p)
		}
		line := t.lineOf(i)
		if c := s.words[line+lineCount].Load(); c != count {
			problem("%d entries, counted as %d", count, c)
		}
		if c := s.words[line+lineBytes].Load(); c != size {
			problem("%d bytes, counted as %d", size, c)
		}
		if l.lock.Load() == 0 && l.op.Load() != opNone {
			problem("op %d without a holder", l.op.Load())
		}
	}
	return problems
}
