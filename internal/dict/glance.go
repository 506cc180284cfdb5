package dict

import (
	"math/bits"
	"sync/atomic"

	"github.com/shmkit/shmkit/internal/fault"
	"github.com/shmkit/shmkit/internal/mem"
)

// Glance is what most reads are: of a key that is there, whose value has a known size
// and does not expire, while nobody changes it. It does what Seek does, in the same
// order, but is written for a processor, which has the memory of several keys on the way
// if it gets so far ahead: it is short; it computes what it can before
// the memory comes, so that little has to wait for it; and it branches seldom, and
// never on what can't be predicted, such as the slot that a key is in.
//
// It is false when anything is otherwise, and for hostile memory: then Seek is to find out.
func (t *Table) Glance(h uint64, key []byte, size int) (s Sight, ok bool) {
	words, p := t.words, position(h)
	root := &words[t.lineOf(t.stripeOf(h))+lineRoot]
	fault.Look(root)
	r := root.Load()
	i := r>>8/8 + firstWord + p>>1>>(63-r&63) // as directory and index have it
	if i >= uint64(len(words)) {
		return s, false
	}
	fault.Look(&words[i])
	seg := words[i].Load() / 8
	if seg-1 >= uint64(len(words)-SegmentBytes/8) { // also if it is 0
		return s, false
	}
	first, second := pairOf(h)
	tag := tagFor(h)
	slots := mem.Eight(words, seg+firstWord+uint64(first)*8)
	hits := match(slots, tag)
	if hits == 0 {
		slots = mem.Eight(words, seg+firstWord+uint64(second)*8)
		if hits = match(slots, tag); hits == 0 {
			return s, false
		}
	}
	slot := &slots[bits.TrailingZeros8(uint8(hits))&7]
	fault.Look(slot)
	w := slot.Load()
	ref := refOf(w)
	if s.pageAt = t.arena.PageOf(ref); s.pageAt == nil {
		return s, false
	}
	value := ref + uint64(keyOff(0)+pad(len(key)))
	if value+uint64(size) > uint64(len(t.bytes)) || len(key) > MaxKey {
		return s, false
	}
	fault.Look(s.pageAt)
	s.page = s.pageAt.Load()
	block := mem.Eight(words, ref/8)
	s.headAt = &block[0]
	fault.Look(s.headAt)
	s.head = s.headAt.Load()
	fault.Look(slot)
	again := slot.Load()
	fault.Look(&block[wordMeta])
	meta := block[wordMeta].Load()
	if (again^w)|(tagOf(w)^tag)|(meta^metaWord(len(key), size, 0)) != 0 || !mem.EqualAt(t.bytes, ref+uint64(keyOff(0)), key) {
		return s, false
	}
	if t.heat {
		warm(&slots[control], bits.TrailingZeros8(uint8(hits)))
	}
	s.Value = mem.Part(t.bytes, value, uint64(size))
	return s, true
}

// A Sight is what Glance has seen: Value is good if Still says so after it was read.
type Sight struct {
	Value []byte // in shared memory

	headAt, pageAt *atomic.Uint64
	head, page     uint64
}

// Still tells whether what was read of the entry until now was its content.
func (s Sight) Still() bool {
	mem.FenceLoads()
	fault.Look(s.headAt)
	fault.Look(s.pageAt)
	return (s.headAt.Load()^s.head)>>2|(s.pageAt.Load()^s.page) == 0
}

// match returns which slots have the tag, a bit each; of a free one, too, for tag 0.
func match(slots *[8]atomic.Uint64, tag uint64) (mask uint64) {
	w := tag << tagShift
	mask = hit(&slots[6], w, 0)
	mask = hit(&slots[5], w, mask)
	mask = hit(&slots[4], w, mask)
	mask = hit(&slots[3], w, mask)
	mask = hit(&slots[2], w, mask)
	mask = hit(&slots[1], w, mask)
	return hit(&slots[0], w, mask)
}

// hit shifts a bit into the mask: 1 for a slot with w's tag, else 0. It has no branches.
func hit(slot *atomic.Uint64, w, mask uint64) uint64 {
	_, borrow := bits.Sub64(slot.Load()^w, 1<<tagShift, 0)
	mask, _ = bits.Add64(mask, mask, borrow)
	return mask
}
