//go:build faultpoints

package explore

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/shmkit/shmkit/internal/mem"
)

// A Region is a piece of the shared memory: any bytes, or atomic words by way of
// mem.BytesOf and mem.BytesOfSlice. It is seen as words of 8 bytes, the last of
// which may be shorter.
type Region struct {
	Name  string // in traces and changes
	Bytes []byte
}

// A Change is a word of the memory that a step has changed.
type Change struct {
	Region   string
	Index    int // of the word in the region, in units of 8 bytes
	Old, New uint64
	only     bool // the region has no other word
}

// Word returns a name of the word: the region's with the index, or alone if the
// region has one word.
func (c Change) Word() string { return wordName(c.Region, c.Index, c.only) }

func (c Change) String() string { return fmt.Sprintf("%s %#x, then %#x", c.Word(), c.Old, c.New) }

func wordName(region string, i int, only bool) string {
	if only {
		return region
	}
	return fmt.Sprintf("%s[%d]", region, i)
}

// wordSize is the unit in which the memory is compared and put back, in bytes.
const wordSize = 8

// chunk is how many bytes are compared at once; a multiple of wordSize.
const chunk = 1024

// memory is the shared memory with a shadow: what it holds as far as the search
// knows. A step's changes are where the two differ. All words of all regions are
// numbered through.
type memory struct {
	regions []*region
	dirty   []int  // words whose shadow may differ from the start
	sum     uint64 // of the hashes of the words that differ from the start
	buf     []Change
}

type region struct {
	Region
	base   int  // number of the first word
	only   bool // it has one word
	start  []byte
	shadow []byte
}

func newMemory(rs []Region) *memory {
	m := &memory{}
	base := 0
	for _, r := range rs {
		m.regions = append(m.regions, &region{r, base, len(r.Bytes) <= wordSize, bytes.Clone(r.Bytes), bytes.Clone(r.Bytes)})
		base += (len(r.Bytes) + wordSize - 1) / wordSize
	}
	return m
}

// word returns the bytes of word i.
func word(b []byte, i int) []byte { return b[i*wordSize : min((i+1)*wordSize, len(b))] }

// value returns the word's bytes as the number that they are in memory.
func value(w []byte) uint64 {
	switch len(w) {
	case wordSize:
		return binary.NativeEndian.Uint64(w)
	case 4:
		return uint64(binary.NativeEndian.Uint32(w))
	}
	var b [wordSize]byte
	copy(b[:], w)
	return binary.LittleEndian.Uint64(b[:])
}

// differences calls f for each word in which the memory differs from its shadow.
func (m *memory) differences(f func(r *region, i int)) {
	for _, r := range m.regions {
		for from := 0; from < len(r.Bytes); from += chunk {
			to := min(from+chunk, len(r.Bytes))
			if bytes.Equal(r.Bytes[from:to], r.shadow[from:to]) {
				continue
			}
			for i := from / wordSize; i*wordSize < to; i++ {
				if !bytes.Equal(word(r.Bytes, i), word(r.shadow, i)) {
					f(r, i)
				}
			}
		}
	}
}

// compare brings the shadow up to date, and returns what has changed. The result
// is valid until the next call of compare or follow.
func (m *memory) compare(j *journal) []Change {
	m.buf = m.buf[:0]
	m.differences(func(r *region, i int) {
		j.add(r.base + i)
		m.note(r, i)
	})
	j.end(len(m.buf))
	return m.buf
}

// follow is compare for a step that has been taken before, with the same
// changes. It costs nothing for the words that are as they were.
func (m *memory) follow(words []uint32) []Change {
	m.buf = m.buf[:0]
	for _, n := range words {
		r := m.region(int(n))
		m.note(r, int(n)-r.base)
	}
	return m.buf
}

func (m *memory) region(n int) *region {
	for _, r := range slices.Backward(m.regions) {
		if n >= r.base {
			return r
		}
	}
	return nil
}

// note takes word i over into the shadow.
func (m *memory) note(r *region, i int) {
	now, was := word(r.Bytes, i), word(r.shadow, i)
	c := Change{r.Name, i, value(was), value(now), r.only}
	copy(was, now)
	n := r.base + i
	first := value(word(r.start, i))
	m.sum += hashOf(n, first, c.New) - hashOf(n, first, c.Old)
	m.dirty = append(m.dirty, n)
	m.buf = append(m.buf, c)
}

// hashOf is what a word adds to the sum. Words that hold what they held at the
// start add nothing.
func hashOf(n int, first, v uint64) uint64 {
	if v == first {
		return 0
	}
	return Mix(uint64(n), v)
}

// restore gives the memory what the shadow holds.
func (m *memory) restore() {
	m.differences(func(r *region, i int) { copy(word(r.Bytes, i), word(r.shadow, i)) })
}

// reset gives the memory and the shadow what they held at the start.
func (m *memory) reset() {
	for _, n := range m.dirty {
		r := m.region(n)
		w := word(r.start, n-r.base)
		copy(word(r.Bytes, n-r.base), w)
		copy(word(r.shadow, n-r.base), w)
	}
	m.dirty, m.sum = m.dirty[:0], 0
}

// name returns which region a word that is about to be loaded lies in, and what
// it is called in traces.
func (m *memory) name(p any) (region, word string) {
	for _, r := range m.regions {
		for off := 0; off < len(r.Bytes); off += 4 {
			var found bool
			switch p := p.(type) {
			case *atomic.Uint64:
				w, err := mem.At[atomic.Uint64](r.Bytes, off)
				found = err == nil && w == p
			case *atomic.Uint32:
				w, err := mem.At[atomic.Uint32](r.Bytes, off)
				found = err == nil && w == p
			}
			if found {
				word = wordName(r.Name, off/wordSize, r.only)
				if off%wordSize != 0 {
					word += "+4"
				}
				return r.Name, word
			}
		}
	}
	return "", "a word outside of the memory"
}

// loaded returns the value of a word; false if it is of no type that is loaded
// from shared memory.
func loaded(p any) (uint64, bool) {
	switch p := p.(type) {
	case *atomic.Uint64:
		return p.Load(), true
	case *atomic.Uint32:
		return uint64(p.Load()), true
	}
	return 0, false
}

// Mix adds v to a hash of 64 bits (by the finalizer of MurmurHash3). Small numbers
// may be given to it as they are: no two pairs of them are taken for one.
func Mix(h, v uint64) uint64 {
	h = (h*0x9e3779b97f4a7c15 ^ v) + 0x9e3779b97f4a7c15
	h = (h ^ h>>33) * 0xff51afd7ed558ccd
	h = (h ^ h>>33) * 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}
