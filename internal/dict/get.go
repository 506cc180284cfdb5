package dict

import (
	"fmt"

	"github.com/shmkit/shmkit/internal/fault"
	"github.com/shmkit/shmkit/internal/mem"
)

// An Entry is an entry as somebody sees it who has no lock: what Key and Value
// contain is good if [Store.Still] says so after it was read.
type Entry struct {
	Key, Value []byte // in shared memory
	Flags      uint64
	Expiry     uint64 // if FlagExpires

	slot int    // index of the slot's word
	word uint64 // its content
	head uint64
	page uint64
}

// Same tells whether two are the same entry, not only equal ones.
func (e *Entry) Same(f *Entry) bool {
	return e.slot == f.slot && e.word == f.word && e.head>>2 == f.head>>2
}

// Expired tells whether the entry's time is over.
func (s *Store) Expired(e *Entry) bool {
	return e.Flags&FlagExpires != 0 && s.now() >= e.Expiry
}

// tries bounds how often a reader starts again. Each time somebody has changed what
// it looked at: so often only one who does nothing else.
const tries = 1 << 16

// Seek looks for a key. It takes no lock, writes nothing and never waits, whatever
// others do or left undone. It is true with the entry, which may be expired, false
// with no error when there is none.
func (t *Table) Seek(h uint64, key []byte, e *Entry) (bool, error) {
	stripe, p := t.stripeOf(h), position(h)
	tag := tagFor(h)
	first, second := pairOf(h)
	for range tries {
		seg, err := t.segmentAt(stripe, p)
		if seg == 0 {
			return false, err
		}
		for _, b := range [2]int{first, second} {
			at := seg + firstWord + b*8
			slots := t.s.words[at : at+slotsEach : at+slotsEach]
			for i := range slots {
				fault.Look(&slots[i])
				w := slots[i].Load()
				if tagOf(w) != tag || w == 0 {
					continue
				}
				ok, err := t.s.read(at+i, w, key, e)
				if err != nil {
					return false, err
				}
				if ok {
					if t.heat {
						warm(&t.words[at+control], i)
					}
					return true, nil
				}
			}
		}
		// A miss. If the segment was split meanwhile the key may have moved away.
		hdr := &t.s.words[seg+wordHdr]
		fault.Look(hdr)
		if owns(hdr.Load(), p) {
			return false, nil
		}
	}
	return false, fmt.Errorf("%w: position %#x is in no segment", ErrCorrupt, p)
}

// read looks at the entry in a slot, of which w is the content, and tells whether it
// has the key; nil is any key. The order of the loads is that of the protocol:
// slot, page, head, slot again, key and value, head and page again; the last two are
// the caller's when it is true.
func (s *Store) read(slot int, w uint64, key []byte, e *Entry) (bool, error) {
	for range tries {
		ref := refOf(w)
		page, size, ok := s.Arena.Page(ref)
		if ok {
			head := s.Arena.HeadOf(ref)
			fault.Look(head)
			e.head = head.Load()
		}
		fault.Look(&s.words[slot])
		if again := s.words[slot].Load(); again != w {
			if again == 0 || tagOf(again) != tagOf(w) {
				return false, nil
			}
			w = again
			continue
		}
		if !ok {
			continue // the chunk was given another use between the two looks at the slot
		}
		e.slot, e.word, e.page = slot, w, page
		fault.Look(&s.words[ref/8+wordMeta])
		meta := s.words[ref/8+wordMeta].Load()
		klen, off, n := keyLen(meta), keyOff(entryFlags(meta)), entrySize(meta)
		if n > size {
			if !s.Still(e) {
				continue
			}
			return false, fmt.Errorf("%w: entry of %d bytes in a block of %d", ErrCorrupt, n, size)
		}
		b := s.Arena.Bytes(ref, n)
		e.Key = b[off : off+klen : off+klen]
		if key != nil && !mem.Equal(e.Key, key) {
			if !s.Still(e) {
				continue // what was compared may not have been the key
			}
			return false, nil
		}
		e.Value = b[valueOff(meta):n:n]
		if e.Flags = entryFlags(meta); e.Flags&FlagExpires != 0 {
			e.Expiry = s.words[ref/8+2].Load()
		}
		return true, nil
	}
	return false, fmt.Errorf("%w: slot %d never holds still", ErrCorrupt, slot)
}

// Still tells whether what was read of the entry until now was its content.
//
//go:noinline
func (s *Store) Still(e *Entry) bool {
	mem.FenceLoads()
	ref := refOf(e.word)
	head := s.Arena.HeadOf(ref)
	fault.Look(head)
	return head.Load()>>2 == e.head>>2 && s.Arena.SamePage(ref, e.page)
}
