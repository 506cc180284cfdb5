package dict

import (
	"fmt"

	"github.com/shmkit/shmkit/internal/arena"
	"github.com/shmkit/shmkit/internal/fault"
	"github.com/shmkit/shmkit/internal/mem"
)

// splitParts are the blocks that a split needs, made before the lock is taken,
// because making them may take its time.
type splitParts struct {
	ready    bool
	segment  arena.Block
	dir      arena.Block // of the depth
	dirDepth int         // -1: none
}

// prepare makes the parts of the split that the segment of h seems to need.
func (t *Table) prepare(stripe int, h uint64, parts *splitParts) error {
	s := t.s
	depth := -1 // of a directory
	first, d, err := t.directory(stripe)
	if err != nil {
		return err
	}
	if first == 0 {
		depth = 0
	} else {
		seg, err := t.segmentAt(stripe, position(h))
		if err != nil {
			return err
		}
		switch local := int(s.words[seg+wordHdr].Load() & 0xff); {
		case local >= maxDepth:
			return ErrCrowded
		case local >= d:
			depth = d + 1
		}
	}
	// A full cache gives up one of its entries rather than pages of them for a split.
	alloc := s.alloc
	if t.heat && first != 0 {
		alloc = s.Arena.Alloc
	}
	if parts.segment, err = alloc(SegmentBytes); err != nil {
		return err
	}
	mem.Clear(s.Arena.Bytes(parts.segment.Ref, SegmentBytes)[8:])
	parts.ready, parts.dirDepth = true, -1
	if depth >= 0 {
		if parts.dir, err = alloc((firstWord + 1<<depth) * 8); err != nil {
			s.Arena.Abandon(parts.segment)
			parts.ready = false
			return err
		}
		parts.dirDepth = depth
	}
	return nil
}

// discard gives back what was not used.
func (p *splitParts) discard(s *Store) {
	if p.ready {
		s.Arena.Abandon(p.segment)
		if p.dirDepth >= 0 {
			s.Arena.Abandon(p.dir)
		}
		p.ready = false
	}
}

// split makes room for h under the lock, if the parts still fit: if somebody else
// was faster they are given back, and the caller looks again.
func (t *Table) split(l *stripe, stripe int, h uint64, parts *splitParts) error {
	s := t.s
	first, d, err := t.directory(stripe)
	if err != nil {
		return err
	}
	old, depth, prefix := 0, 0, 0
	if first != 0 {
		if old, err = t.segmentAt(stripe, position(h)); err != nil {
			return err
		}
		hdr := s.words[old+wordHdr].Load()
		depth, prefix = int(hdr&0xff)+1, int(hdr>>8)<<1|1
	}
	need := -1
	switch {
	case first == 0:
		need = 0
	case depth > maxDepth:
		return ErrCrowded
	case depth > d:
		need = depth
	}
	if need != parts.dirDepth {
		parts.discard(s)
		return nil
	}
	var dir arena.Block
	if need >= 0 {
		dir = parts.dir
	}
	l.note(sOld, uint64(old))
	l.note(sNew, parts.segment.Ref)
	l.note(sNewInc, parts.segment.Inc)
	l.note(sDir, dir.Ref)
	l.note(sDirInc, dir.Inc)
	l.note(sLine, uint64(t.lineOf(stripe)))
	l.note(sDepth, uint64(depth))
	l.note(sPrefix, uint64(prefix))
	l.bump() // for those who look at all slots of a stripe
	l.begin(opSplit)
	if err := s.finishSplit(l); err != nil {
		return err
	}
	s.Arena.Linked(parts.segment)
	if need >= 0 {
		s.Arena.Linked(parts.dir)
	}
	parts.ready = false
	return nil
}

// finishSplit carries out the split of the intent, from wherever it stands: the
// splitter calls it, and who recovers after its death. The old segment's header,
// stored when the directory is complete, is the mark of progress: before it, all is
// done again from the start, after it only the rest.
func (s *Store) finishSplit(l *stripe) error {
	var f [sPrefix + 1]uint64
	for i := range f {
		f[i] = l.f[i].Load()
	}
	if !s.has(f[sOld], SegmentBytes/8) || f[sDepth] > maxDepth || f[sPrefix]>>f[sDepth] != 0 || !s.has(f[sLine], lineWords) {
		return fmt.Errorf("%w: a split of %#x to depth %d", ErrCorrupt, f[sOld], f[sDepth])
	}
	depth, prefix := int(f[sDepth]), int(f[sPrefix])
	old := int(f[sOld])
	fresh, err := s.checkSegment(f[sNew])
	if err != nil {
		return err
	}
	if old == 0 || int(s.words[old+wordHdr].Load()&0xff) != depth {
		s.enlivenAgain(f[sNew], f[sNewInc])
		if old != 0 {
			s.copyMoved(old, fresh, depth)
		}
		s.put("dict.split.header", fresh+wordHdr, headerOf(depth, prefix))
		if err := s.linkSegment(f[:], depth, prefix); err != nil {
			return err
		}
		if old != 0 {
			s.put("dict.split.shrink", old+wordHdr, headerOf(depth, prefix&^1))
		}
	}
	if old != 0 {
		s.clearMoved(old, depth)
	}
	l.begin(opNone)
	return nil
}

// put is a store of one word.
func (s *Store) put(point string, i int, v uint64) {
	fault.Point(point)
	mem.StoreRelease(&s.words[i], v)
}

// enlivenAgain makes a block live that the intent names, unless it is already.
func (s *Store) enlivenAgain(ref, inc uint64) {
	fault.Point("dict.split.live")
	s.Arena.HeadOf(ref).CompareAndSwap(arena.Head(inc, arena.Filling), arena.Head(inc, arena.Live))
}

// moves tells whether a split to this depth moves the slot's entry.
func moves(w uint64, depth int) bool { return w != 0 && tagOf(w)>>(24-depth)&1 == 1 }

// copyMoved copies the slots of the upper half to the same places of the new segment,
// and the control words, whose bits for the others don't matter.
func (s *Store) copyMoved(old, fresh, depth int) {
	for b := range buckets {
		from, to := s.bucket(old, b), fresh+firstWord+b*8
		for i := range slotsEach {
			if w := from[i].Load(); moves(w, depth) {
				s.put("dict.split.copy", to+i, w)
			}
		}
		if c := from[control].Load(); c != 0 {
			s.put("dict.split.control", to+control, c)
		}
	}
}

func (s *Store) clearMoved(old, depth int) {
	for b := range buckets {
		slots := s.bucket(old, b)
		for i := range slotsEach {
			if moves(slots[i].Load(), depth) {
				fault.Point("dict.split.clear")
				slots[i].Store(0)
			}
		}
	}
}

// linkSegment makes the directory lead to the new segment; a new directory first.
func (s *Store) linkSegment(f []uint64, depth, prefix int) error {
	size := uint64(len(s.words)) * 8
	rootWord := int(f[sLine]) + lineRoot
	root := s.words[rootWord].Load()
	if dir := f[sDir]; dir != 0 && root>>8 != dir {
		if dir%16 != 0 || dir > size || uint64(firstWord+1<<depth)*8 > size-dir {
			return fmt.Errorf("%w: directory at %#x", ErrCorrupt, dir)
		}
		s.enlivenAgain(dir, f[sDirInc])
		at := int(dir / 8)
		s.put("dict.split.dir.depth", at+wordDepth, uint64(depth))
		s.put("dict.split.dir.prev", at+wordPrev, root>>8)
		for i := range 1 << depth {
			e := f[sNew]
			if root != 0 {
				prev := int(root>>11) + firstWord + i/2
				if prev >= len(s.words) {
					return fmt.Errorf("%w: root %#x", ErrCorrupt, root)
				}
				e = s.words[prev].Load()
			}
			s.put("dict.split.dir", at+firstWord+i, e)
		}
		s.put("dict.split.root", rootWord, dir<<8|uint64(depth))
		root = dir<<8 | uint64(depth)
	}
	d := int(root & 0xff)
	if d < depth || d > maxDepth || root>>8%16 != 0 || root>>8 > size || uint64(firstWord+1<<d)*8 > size-root>>8 {
		return fmt.Errorf("%w: root %#x", ErrCorrupt, root)
	}
	first := int(root>>11) + firstWord
	for i := prefix << (d - depth); i < (prefix+1)<<(d-depth); i++ {
		s.put("dict.split.entry", first+i, f[sNew])
	}
	return nil
}
