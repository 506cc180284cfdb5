package dict

import (
	"fmt"
	"sync/atomic"

	"github.com/shmkit/shmkit/internal/arena"
	"github.com/shmkit/shmkit/internal/fault"
	"github.com/shmkit/shmkit/internal/mem"
)

// A Table is a handle of a hash table from bytes to bytes. Its methods may be called
// from several goroutines at once. Get and iteration take no lock and write nothing
// that is shared; changes lock one stripe for a moment.
type Table struct {
	s     *Store
	ref   uint64
	line  int  // index of the first stripe's first word
	shift uint // h >> shift is the stripe
	count int  // stripes
	first int  // lock of stripe 0
	heat  bool // reads note that an entry is in use

	words []atomic.Uint64 // the store's; this and the next are what Glance needs
	bytes []byte
	arena *arena.Arena
}

// NewTable fills a block with an empty table of so many stripes, a power of two up
// to 128. The caller makes it live, and refers to it.
func (s *Store) NewTable(kind, id uint64, stripes int) (arena.Block, error) {
	if stripes < 1 || stripes > Stripes || stripes&(stripes-1) != 0 {
		return arena.Block{}, fmt.Errorf("%w: %d stripes", ErrCorrupt, stripes)
	}
	n := (tableWord + stripes*lineWords) * 8
	b, err := s.alloc(n)
	if err != nil {
		return b, err
	}
	mem.Clear(s.Arena.Bytes(b.Ref, n)[8:])
	w := s.words[b.Ref/8:]
	log := 0
	for 1<<log < stripes {
		log++
	}
	fault.Point("dict.table.kind")
	w[wordKind].Store(kind)
	fault.Point("dict.table.id")
	w[wordID].Store(id)
	fault.Point("dict.table.shape")
	w[wordShape].Store(uint64(log) | (id*uint64(stripes)%Stripes)<<8)
	return b, nil
}

// Table makes a handle of the table at ref. Heat says whether reads take part in
// choosing what to evict.
func (s *Store) Table(ref uint64, heat bool) (*Table, error) {
	_, size, _ := s.Arena.Page(ref)
	if size < (tableWord+lineWords)*8 {
		return nil, fmt.Errorf("%w: no table at %#x", ErrCorrupt, ref)
	}
	shape := s.words[ref/8+wordShape].Load()
	log, first := shape&0xff, shape>>8
	if log > 7 || first >= Stripes || (tableWord+lineWords<<log)*8 > size {
		return nil, fmt.Errorf("%w: a table of shape %#x in %d bytes", ErrCorrupt, shape, size)
	}
	return &Table{
		s: s, ref: ref, line: int(ref/8) + tableWord, shift: uint(64 - log), count: 1 << log,
		first: int(first), heat: heat, words: s.words, bytes: s.bytes, arena: s.Arena,
	}, nil
}

// Ref returns the table's block.
func (t *Table) Ref() uint64 { return t.ref }

// Kind and ID return what NewTable was given.
func (t *Table) Kind() uint64 { return t.s.words[t.ref/8+wordKind].Load() }

// ID returns the id that NewTable was given.
func (t *Table) ID() uint64 { return t.s.words[t.ref/8+wordID].Load() }

// Stripes returns the number of the table's stripes.
func (t *Table) Stripes() int { return t.count }

func (t *Table) stripeOf(h uint64) int { return int(h >> t.shift) }

// lineOf returns the index of a stripe's first word.
func (t *Table) lineOf(stripe int) int { return t.line + stripe*lineWords }

// lockOf returns the number of a stripe's lock in the store.
func (t *Table) lockOf(stripe int) int { return (t.first + stripe) & (Stripes - 1) }

// Len returns the number of entries, expired ones that were not removed yet among
// them. While others change the table it is that of some moment for each stripe.
func (t *Table) Len() int {
	n := uint64(0)
	for i := range t.count {
		n += t.s.words[t.lineOf(i)+lineCount].Load()
	}
	return int(n)
}

// Stats are a table's figures. While others change it they don't fit together exactly.
type Stats struct {
	Entries  int
	Bytes    int64 // of the entries' blocks
	Segments int   // of the hash table, 4 KiB each
	Evicted  uint64
	Expired  uint64
}

// Stats returns the table's figures.
func (t *Table) Stats() Stats {
	var st Stats
	for i := range t.count {
		w := t.s.words[t.lineOf(i):]
		st.Entries += int(w[lineCount].Load())
		st.Bytes += int64(w[lineBytes].Load())
		st.Evicted += w[lineEvicted].Load()
		st.Expired += w[lineExpired].Load()
		for p, more := uint64(0), true; more; {
			seg, err := t.segmentAt(i, p)
			if err != nil || seg == 0 {
				break
			}
			st.Segments++
			p, more = after(t.s.words[seg+wordHdr].Load(), p)
		}
	}
	return st
}

// after returns the position behind those of the segment with the header, of which p
// is one; 0 and false when there are none. It is always a later one than p, whatever
// stands in the memory: so every walk ends.
func after(hdr, p uint64) (uint64, bool) {
	d := hdr & 0xff
	next := (hdr>>8 + 1) << (64 - d)
	if d == 0 || d > maxDepth || next <= p {
		return 0, false
	}
	return next, true
}

// directory returns the index of the first entry of a stripe's directory and its
// depth. The index is 0 when there is none yet.
func (t *Table) directory(stripe int) (first, depth int, err error) {
	w := &t.s.words[t.lineOf(stripe)+lineRoot]
	fault.Look(w)
	root := w.Load()
	if root == 0 {
		return 0, 0, nil
	}
	ref, d := root>>8, root&0xff
	size := uint64(len(t.s.words)) * 8
	if d > maxDepth || ref%16 != 0 || ref > size || (firstWord+1<<d)*8 > size-ref {
		return 0, 0, fmt.Errorf("%w: root %#x", ErrCorrupt, root)
	}
	return int(ref/8) + firstWord, int(d), nil
}

// segmentAt returns the index of the first word of the segment for a position; 0
// when the stripe has none yet.
func (t *Table) segmentAt(stripe int, p uint64) (int, error) {
	first, d, err := t.directory(stripe)
	if first == 0 {
		return 0, err
	}
	e := &t.s.words[first+index(p, d)]
	fault.Look(e)
	return t.s.checkSegment(e.Load())
}

// checkSegment returns the index of a segment's first word.
func (s *Store) checkSegment(ref uint64) (int, error) {
	size := uint64(len(s.words)) * 8
	if ref == 0 || ref%16 != 0 || ref > size || SegmentBytes > size-ref {
		return 0, fmt.Errorf("%w: segment at %#x", ErrCorrupt, ref)
	}
	return int(ref / 8), nil
}

// bucket returns the words of a bucket.
func (s *Store) bucket(seg, b int) []atomic.Uint64 {
	i := seg + firstWord + b*8
	return s.words[i : i+8 : i+8]
}
