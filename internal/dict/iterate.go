package dict

import (
	"fmt"

	"github.com/shmkit/shmkit/internal/fault"
	"github.com/shmkit/shmkit/internal/mem"
)

// A Batch is the entries of one segment, copied out of the shared memory.
type Batch struct {
	buf   []byte
	items []item
}

type item struct{ key, value, end int }

// Len returns the number of entries.
func (b *Batch) Len() int { return len(b.items) }

// Key returns the key of entry i. It is valid until the batch is used again.
func (b *Batch) Key(i int) []byte { return b.buf[b.items[i].key:b.items[i].value] }

// Value returns the value of entry i, and false if it was too large to be copied.
func (b *Batch) Value(i int) ([]byte, bool) {
	it := b.items[i]
	if it.end < 0 {
		return nil, false
	}
	return b.buf[it.value:it.end], true
}

// batchValue is the largest value that is copied into a batch.
const batchValue = 64 << 10

// A Cursor is a place in the iteration over a table. Its zero value is the start.
type Cursor struct {
	stripe int
	p      uint64
}

// Next copies the entries at the cursor, those of one segment, into b, and moves the
// cursor on. It returns false at the end. Of the keys that are in the table from the
// first call to the last, each is returned exactly once; the others once at most,
// but for one that is removed and set again meanwhile. An entry is one that was there
// during the call. Expired ones are left out.
//
// The cursor is a position of the hash, not of the memory: where a segment is split in
// between, its halves border on where the cursor stands.
func (t *Table) Next(c *Cursor, b *Batch, values bool) (bool, error) {
	b.buf, b.items = b.buf[:0], b.items[:0]
	for c.stripe < t.count {
		hdr, ok, err := t.copySegment(c.stripe, c.p, b, values)
		if err != nil {
			return false, err
		}
		more := false
		if ok {
			c.p, more = after(hdr, c.p)
		}
		if !more {
			c.stripe, c.p = c.stripe+1, 0
		}
		if len(b.items) > 0 {
			return true, nil
		}
	}
	return false, nil
}

// copySegment copies the segment of a position, all of it while its header was the
// same. It is false when the stripe has none.
func (t *Table) copySegment(stripe int, p uint64, b *Batch, values bool) (uint64, bool, error) {
	s := t.s
	for range tries {
		b.buf, b.items = b.buf[:0], b.items[:0]
		seg, err := t.segmentAt(stripe, p)
		if seg == 0 {
			return 0, false, err
		}
		h := &s.words[seg+wordHdr]
		fault.Look(h)
		hdr := h.Load()
		if !owns(hdr, p) {
			continue
		}
		for i := range buckets {
			if err := s.copyBucket(seg+firstWord+i*8, hdr, b, values); err != nil {
				return 0, false, err
			}
		}
		mem.FenceLoads()
		fault.Look(h)
		if h.Load() == hdr {
			return hdr, true, nil
		}
	}
	return 0, false, fmt.Errorf("%w: position %#x is in no segment", ErrCorrupt, p)
}

func (s *Store) copyBucket(at int, hdr uint64, b *Batch, values bool) error {
	for i := range slotsEach {
		fault.Look(&s.words[at+i])
		w := s.words[at+i].Load()
		if w == 0 || !owns(hdr, tagOf(w)<<40) {
			continue
		}
		if err := s.copyEntry(at+i, w, b, values); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) copyEntry(slot int, w uint64, b *Batch, values bool) error {
	var e Entry
	for range tries {
		ok, err := s.read(slot, w, nil, &e)
		if err != nil {
			return err
		}
		if ok {
			n := len(b.buf)
			it := item{key: n, value: n + len(e.Key), end: -1}
			b.buf = mem.Append(b.buf, e.Key)
			if values && len(e.Value) <= batchValue {
				b.buf = mem.Append(b.buf, e.Value)
				it.end = len(b.buf)
			}
			expired := s.Expired(&e)
			if s.Still(&e) {
				if expired {
					b.buf = b.buf[:n]
				} else {
					b.items = append(b.items, it)
				}
				return nil
			}
			b.buf = b.buf[:n]
		}
		// Another entry is in the slot now, perhaps of the same key.
		fault.Look(&s.words[slot])
		if w = s.words[slot].Load(); w == 0 {
			return nil
		}
	}
	return fmt.Errorf("%w: slot %d never holds still", ErrCorrupt, slot)
}
