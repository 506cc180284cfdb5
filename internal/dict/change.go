package dict

import (
	"errors"
	"fmt"
	"slices"

	"github.com/shmkit/shmkit/internal/arena"
	"github.com/shmkit/shmkit/internal/fault"
	"github.com/shmkit/shmkit/internal/mem"
)

// A Condition says when a change is made.
type Condition int

// Conditions of a change. An entry whose time is over counts as absent.
const (
	Always    Condition = iota
	IfAbsent            // there is no entry of the key
	IfPresent           // there is one
	IfSame              // there is the very entry given, or none if none is given
)

// A Draft is an entry that this process is filling. Nobody else sees it.
type Draft struct {
	s     *Store
	block arena.Block
	meta  uint64
}

// Draft makes room for an entry with the key and a value of n bytes. An expiry of 0
// is none. Either [Table.Change] links it or [Draft.Discard] gives it back.
func (s *Store) Draft(key []byte, n int, flags, expiry uint64) (Draft, error) {
	if len(key) > MaxKey || n > MaxValue {
		return Draft{}, fmt.Errorf("%w: a key of %d bytes, a value of %d", ErrTooLarge, len(key), n)
	}
	if expiry != 0 {
		flags |= FlagExpires
	}
	meta := metaWord(len(key), n, flags)
	b, err := s.alloc(entrySize(meta))
	if err != nil {
		return Draft{}, err
	}
	w := s.words[b.Ref/8:]
	fault.Point("dict.draft.meta")
	mem.StoreRelease(&w[wordMeta], meta)
	if expiry != 0 {
		fault.Point("dict.draft.expiry")
		mem.StoreRelease(&w[2], expiry)
	}
	mem.Copy(s.Arena.Bytes(b.Ref, entrySize(meta))[keyOff(flags):], key)
	return Draft{s, b, meta}, nil
}

// Value returns the memory of the value, to be filled.
func (d *Draft) Value() []byte {
	return d.s.Arena.Bytes(d.block.Ref, entrySize(d.meta))[valueOff(d.meta):]
}

// Empty tells whether there is no draft.
func (d *Draft) Empty() bool { return d.s == nil }

// Discard gives the draft back.
func (d *Draft) Discard() {
	if d.s != nil {
		d.s.Arena.Abandon(d.block)
		d.s = nil
	}
}

// A Change says what becomes of an entry, and when.
type Change struct {
	New  Draft // empty: the entry is removed
	If   Condition
	Same *Entry // of IfSame; nil: no entry
	// With is a block that shares the entry's fate: if it is being filled it becomes
	// live with the new one, which must be the key's first; a live one is retired
	// with the old one.
	With arena.Block
	// Fill, if not nil, completes the new value under the lock from the old one. It is
	// short, and neither waits nor allocates. If it returns false nothing is changed.
	Fill func(old Old, new []byte) bool
}

// Old is what an entry was that is about to be replaced.
type Old struct {
	Present bool
	Value   []byte
	Expiry  uint64 // 0: none
}

// place is where a key is, or could be, under the lock.
type place struct {
	tag   uint64
	slot  int    // index of a slot's word; 0: there is no room
	word  uint64 // its content; 0: the key is absent
	inc   uint64 // incarnation of the entry there
	bytes uint64 // size of its block
	entry Entry
}

// Change makes a change to the entry of a key, or finds that its condition does not hold. It locks the
// key's stripe for a moment. The draft is used up by it in any case. Found tells
// whether there was an entry that had not expired.
func (t *Table) Change(h uint64, key []byte, c *Change) (done, found bool, err error) {
	s := t.s
	stripe := t.stripeOf(h)
	var parts splitParts
	defer parts.discard(s)
	for {
		l := s.acquire(t.lockOf(stripe))
		var pl place
		if err = t.find(h, key, &pl); err != nil {
			break
		}
		found = pl.word != 0 && !s.Expired(&pl.entry)
		if !c.holds(&pl, found) || c.Fill != nil && !c.fill(&pl, found) {
			l.release()
			c.New.Discard()
			return false, found, nil
		}
		if c.New.Empty() && pl.word == 0 {
			l.release()
			return true, false, nil
		}
		if pl.slot != 0 {
			t.commit(l, stripe, &pl, &c.New, c.With, 0)
			l.release()
			l.tell()
			t.settle(&pl, &c.New, c.With)
			return true, found, nil
		}
		// There is no room. The parts of a split are made without the lock.
		if parts.ready {
			err = t.split(l, stripe, h, &parts)
			l.release()
		} else {
			l.release()
			if err = t.prepare(stripe, h, &parts); err != nil && t.heat && errors.Is(err, arena.ErrNoSpace) {
				err = t.makeWay(stripe, h)
			}
		}
		if err != nil {
			c.New.Discard()
			return false, found, err
		}
	}
	s.stripes[t.lockOf(stripe)].release()
	c.New.Discard()
	return false, false, err
}

// holds tells whether the condition does.
func (c *Change) holds(pl *place, found bool) bool {
	switch c.If {
	case IfAbsent:
		return !found
	case IfPresent:
		return found
	case IfSame:
		if c.Same == nil {
			return !found
		}
		return found && pl.entry.Same(c.Same)
	}
	return true
}

func (c *Change) fill(pl *place, found bool) bool {
	old := Old{Present: found}
	if found {
		old.Value = pl.entry.Value
		if pl.entry.Flags&FlagExpires != 0 {
			old.Expiry = pl.entry.Expiry
		}
	}
	return c.Fill(old, c.New.Value())
}

// find looks for the place of a key, under the lock. Some slots are taken already.
func (t *Table) find(h uint64, key []byte, pl *place, taken ...int) error {
	tag := tagFor(h)
	pl.tag, pl.slot, pl.word = tag, 0, 0
	seg, err := t.segmentAt(t.stripeOf(h), position(h))
	if seg == 0 {
		return err
	}
	most := 0
	first, second := pairOf(h)
	for _, b := range [2]int{first, second} {
		at := seg + firstWord + b*8
		slots := t.s.words[at : at+slotsEach : at+slotsEach]
		room, empty := 0, 0
		for i := range slots {
			w := slots[i].Load()
			if w == 0 {
				if slices.Contains(taken, at+i) {
					continue
				}
				room++
				empty = at + i
				continue
			}
			if tagOf(w) != tag {
				continue
			}
			ok, err := t.s.entryUnderLock(at+i, w, pl)
			if err != nil {
				return err
			}
			if ok && mem.Equal(pl.entry.Key, key) {
				pl.slot, pl.word = at+i, w
				return nil
			}
		}
		if room > most && most == 0 { // the second bucket only if the first is full: reads begin there
			most, pl.slot = room, empty
		}
	}
	return nil
}

// entryUnderLock reads the entry in a slot that nobody else can change.
func (s *Store) entryUnderLock(slot int, w uint64, pl *place) (bool, error) {
	e := &pl.entry
	ok, err := s.read(slot, w, nil, e)
	if !ok || err != nil {
		return false, err
	}
	pl.inc = arena.Inc(e.head)
	_, size, _ := s.Arena.Page(refOf(w))
	pl.bytes = uint64(size)
	return true, nil
}

// commit replaces the content of a place by a draft, or by nothing, under the
// stripe's lock: by the steps of the protocol, of which the store of the slot is the
// one that counts. A part of the line's statistics is counted with it.
func (t *Table) commit(l *stripe, stripe int, pl *place, d *Draft, with arena.Block, counts int) {
	s := t.s
	line := t.lineOf(stripe)
	count, size := s.words[line+lineCount].Load(), s.words[line+lineBytes].Load()
	var w uint64
	if pl.word != 0 {
		count--
		size -= pl.bytes
	}
	if !d.Empty() {
		_, n, _ := s.Arena.Page(d.block.Ref)
		w = slotWord(pl.tag, entryFlags(d.meta), d.block.Ref)
		count++
		size += uint64(n)
	}
	if t.heat && pl.word == 0 {
		s.cool(pl.slot)
	}
	l.note(rSlot, uint64(pl.slot))
	l.note(rNew, w)
	l.note(rNewInc, d.block.Inc)
	l.note(rOld, pl.word)
	l.note(rOldInc, pl.inc)
	l.note(rLine, uint64(line))
	l.note(rCount, count)
	l.note(rBytes, size)
	l.note(rWith, with.Ref)
	l.note(rWithInc, with.Inc)
	l.begin(opReplace)
	if w != 0 {
		if with.Ref != 0 {
			s.Arena.Enliven(with)
		}
		s.Arena.Enliven(d.block)
	}
	l.bump()
	fault.Point("dict.slot")
	mem.StoreRelease(&s.words[pl.slot], w)
	s.finishReplace(l)
	if counts != 0 {
		c := &s.words[line+counts]
		fault.Point("dict.count.removed")
		mem.StoreRelease(c, c.Load()+1)
	}
}

// finishReplace is what follows the commit, in the order that recovery repeats.
func (s *Store) finishReplace(l *stripe) {
	if w := l.f[rOld].Load(); w != 0 {
		s.Arena.Retire(refOf(w), l.f[rOldInc].Load())
	}
	if with := l.f[rWith].Load(); with != 0 && l.f[rNew].Load() == 0 {
		s.Arena.Retire(with, l.f[rWithInc].Load())
	}
	if line := l.f[rLine].Load(); s.has(line, lineWords) { // others could have written to it
		fault.Point("dict.count")
		mem.StoreRelease(&s.words[line+lineCount], l.f[rCount].Load())
		fault.Point("dict.bytes")
		mem.StoreRelease(&s.words[line+lineBytes], l.f[rBytes].Load())
	}
	l.begin(opNone)
}

// settle ends what a committed change has used, without the lock.
func (t *Table) settle(pl *place, d *Draft, with arena.Block) {
	switch {
	case !d.Empty() && pl.word != 0 && with.Ref == 0:
		t.s.Arena.Replaced(d.block, refOf(pl.word), pl.inc)
		d.s = nil
		return
	case !d.Empty():
		t.s.Arena.Linked(d.block)
		if with.Ref != 0 {
			t.s.Arena.Linked(with)
		}
		d.s = nil
	case with.Ref != 0:
		t.s.Arena.Reclaim(with.Ref, with.Inc)
	}
	if pl.word != 0 {
		t.s.Arena.Reclaim(refOf(pl.word), pl.inc)
	}
}

// note stores a field of the intent, and begin what the fields mean. All stores of a
// lock session are in order: release stores on arm64, and plain ones on amd64.
func (l *stripe) note(field int, v uint64) {
	fault.Point("dict.note")
	mem.StoreRelease(&l.f[field], v)
}

func (l *stripe) begin(op uint64) {
	fault.Point("dict.intent")
	mem.StoreRelease(&l.op, op)
}

// bump says to those who read several keys without a lock that one may change.
func (l *stripe) bump() {
	fault.Point("dict.version")
	mem.StoreRelease(&l.ver, l.ver.Load()+1)
}
