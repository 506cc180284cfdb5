package dict

import (
	"errors"

	"github.com/shmkit/shmkit/internal/fault"
	"github.com/shmkit/shmkit/internal/mem"
)

// ErrExpired is returned when a pin was ousted before its end.
var ErrExpired = errors.New("pin was ousted")

// snapshotTries is how often a snapshot is tried without locks.
const snapshotTries = 3

// Snapshot calls use with all entries that the table had at one moment, from start on
// if it must begin anew. What use is given is valid until it returns; it may be
// nonsense, and the error of use then doesn't matter, when the snapshot is begun
// anew, or fails with [ErrExpired] because it was ousted each time.
//
// It notes down the words of all slots, under a pin: the blocks stay what they are,
// though their entries be replaced. The words are those of one moment if no
// stripe's version has changed between the first and the last; else, after some tries,
// if all stripes were locked.
func (t *Table) Snapshot(start func(), use func(key, value []byte) error) error {
	s := t.s
	var words []uint64
	expired := 0
	for n := 0; ; n++ {
		pin := s.Arena.Pin()
		ok := false
		var err error
		if n < snapshotTries {
			words, ok, err = t.noteFreely(words[:0])
		} else {
			words, err = t.noteLocked(words[:0])
			ok = true
		}
		if ok && err == nil {
			start()
			err = s.useNoted(words, use)
			mem.FenceLoads()
			if !s.Arena.Pinned(pin) {
				err = ErrExpired
			}
		}
		s.Arena.Unpin(pin)
		if err == ErrExpired && expired < snapshotTries { // this process was stopped for long
			expired++
			continue
		}
		if ok || err != nil {
			return err
		}
	}
}

// noteFreely notes the slots without a lock. It is false if there was a change.
func (t *Table) noteFreely(words []uint64) ([]uint64, bool, error) {
	s := t.s
	vers := make([]uint64, t.count)
	for i := range vers {
		v, ok := s.quiet(t.lockOf(i))
		if !ok {
			return words, false, nil
		}
		vers[i] = v
	}
	words, err := t.note(words)
	mem.FenceLoads()
	for i, v := range vers {
		l := &s.stripes[t.lockOf(i)]
		fault.Look(&l.ver)
		if l.ver.Load() != v {
			return words, false, err
		}
	}
	return words, true, err
}

// noteLocked notes the slots with all stripes locked, in ascending order of the
// locks. The memory for them is allocated before.
func (t *Table) noteLocked(words []uint64) ([]uint64, error) {
	s := t.s
	for {
		if room := t.Len()*5/4 + buckets; cap(words) < room {
			words = make([]uint64, 0, room)
		}
		for i := range Stripes {
			if t.locks(i) {
				s.acquire(i)
			}
		}
		fits := t.Len() <= cap(words)
		var err error
		if fits {
			words, err = t.note(words)
		}
		for i := range Stripes {
			if t.locks(i) {
				s.stripes[i].release()
			}
		}
		if fits {
			return words, err
		}
	}
}

// locks tells whether a lock is that of one of the table's stripes.
func (t *Table) locks(lock int) bool { return (lock-t.first)&(Stripes-1) < t.count }

// note appends the words of all slots in use.
func (t *Table) note(words []uint64) ([]uint64, error) {
	s := t.s
	for i := range t.count {
		for p, more := uint64(0), true; more; {
			seg, err := t.segmentAt(i, p)
			if err != nil {
				return words, err
			}
			if seg == 0 {
				break
			}
			hdr := s.words[seg+wordHdr].Load()
			for b := range buckets {
				slots := s.bucket(seg, b)
				for j := range slotsEach {
					fault.Look(&slots[j])
					if w := slots[j].Load(); w != 0 && owns(hdr, tagOf(w)<<40) {
						words = append(words, w)
					}
				}
			}
			p, more = after(hdr, p)
		}
	}
	return words, nil
}

// useNoted calls use with the entries in the slots.
func (s *Store) useNoted(words []uint64, use func(key, value []byte) error) error {
	var e Entry
	for _, w := range words {
		if !s.view(w, &e) {
			return ErrExpired
		}
		if !s.Expired(&e) {
			if err := use(e.Key, e.Value); err != nil {
				return err
			}
		}
	}
	return nil
}

// view reads the entry that a slot's word refers to, under a pin. It is false when
// there is none, which means that the pin does not hold any more.
func (s *Store) view(w uint64, e *Entry) bool {
	ref := refOf(w)
	page, size, ok := s.Arena.Page(ref)
	if !ok {
		return false
	}
	e.word, e.page, e.head = w, page, s.Arena.HeadOf(ref).Load()
	meta := s.words[ref/8+wordMeta].Load()
	n := entrySize(meta)
	if n > size {
		return false
	}
	b := s.Arena.Bytes(ref, n)
	off := keyOff(entryFlags(meta))
	e.Key = b[off : off+keyLen(meta) : off+keyLen(meta)]
	e.Value = b[valueOff(meta):n:n]
	e.Flags, e.Expiry = entryFlags(meta), 0
	if e.Flags&FlagExpires != 0 {
		e.Expiry = s.words[ref/8+2].Load()
	}
	return true
}

// View calls use with the value of a key, which stays what it is until use returns,
// even if the entry is replaced meanwhile: unless memory is short, and the error is
// [ErrExpired]. It is false if there is no value.
func (t *Table) View(h uint64, key []byte, use func(value []byte) error) (bool, error) {
	pin := t.s.Arena.Pin()
	defer t.s.Arena.Unpin(pin)
	var e Entry
	for {
		ok, err := t.Seek(h, key, &e)
		if !ok || err != nil {
			if err == nil && !t.s.Arena.Pinned(pin) {
				err = ErrExpired
			}
			return false, err
		}
		if t.s.Still(&e) {
			break
		}
	}
	if t.s.Expired(&e) {
		return false, nil
	}
	err := use(e.Value)
	mem.FenceLoads()
	if !t.s.Arena.Pinned(pin) {
		err = ErrExpired
	}
	return true, err
}
