package arena

import (
	"fmt"
	"sync/atomic"

	"github.com/shmkit/shmkit/internal/mem"
)

// The arena in a body, from a base that is a multiple of 128; all numbers are
// little-endian:
//
//	0        header: epoch, top, deaths, which slots have pins, grace; a line of 128
//	         bytes each; then a word for each slot: quiet
//	pinsOff  pins: a line of 128 bytes (16 words) for each process slot
//	table    an entry of 16 bytes for each chunk: page word, owner, hint
//	chunks   from the next multiple of ChunkSize on, so that they are whole pages
//
// A block starts with its head, a word of incarnation<<2 | state.

// ChunkSize is the unit in which the arena takes space, in bytes.
const ChunkSize = 64 << 10

// MaxChunks bounds the number of chunks: 1 TiB.
const MaxChunks = 1 << 24

// Slots bounds the number of process slots.
const Slots = 256

// States of a block, the low bits of its head. Only the holder of the block's
// page stores a head; the one change that others make is from Live to Retired, by
// a compare-and-swap that names the incarnation.
const (
	Filling = 0 // free, or being filled by the page's owner; nothing refers to it
	Live    = 1 // one slot, root or other block refers to it
	Retired = 2 // nothing refers to it any more, but somebody may still read it
)

// Head returns the head of a block in the given incarnation and state.
func Head(inc uint64, state uint64) uint64 { return inc<<2 | state }

// Inc returns the incarnation in a head.
func Inc(head uint64) uint64 { return head >> 2 }

// State returns the state in a head.
func State(head uint64) uint64 { return head & 3 }

// header is the arena's own line-wise words.
type header struct {
	epoch  atomic.Uint64 // grows with each harvest
	_      [120]byte
	top    atomic.Uint64 // chunks from here on have never been used; a bound for scans
	_      [120]byte
	deaths atomic.Uint64 // reaps so far: blocks may be free without a hint
	_      [120]byte
	pinned [Slots / 64]atomic.Uint64 // slots that may have pins, a bit each
	_      [96]byte
	grace  atomic.Uint64 // grows with each batch of chunks whose space is to be given back
	_      [120]byte
	// quiet is 0 for a slot whose process reads nothing; else one more than what grace
	// was at some moment at which the process was reading nothing.
	quiet [Slots]atomic.Uint64
}

const headerSize = 5*128 + Slots*8

// pinLine holds a process's pins: see [Arena.Pin].
type pinLine [16]atomic.Uint64

// chunk is an entry of the table.
type chunk struct {
	// page is class | n<<16 | generation<<32. Only the owner stores it. The
	// generation grows with each store, so that whoever reads a block without a lock
	// sees that the chunk was given another use meanwhile. For an extent n is the
	// number of its chunks, for the chunks behind its first the distance to that.
	page atomic.Uint64
	// owner is the slot number + 1 of the process that allocates from this chunk, or
	// 0: taken by compare-and-swap from 0, given back by a store, or by the reaper.
	owner atomic.Uint32
	// hint is about how many blocks have become free or retired since the owner
	// last looked. Everybody adds to it. It decides nothing but where to look.
	hint atomic.Uint32
}

// Classes of chunks. From slab on they are sizes of blocks.
const (
	hole   = 0 // its space is not taken
	free   = 1 // its space is taken; what is in it is garbage
	extent = 2 // the first chunk of an extent
	inside = 3 // a later chunk of an extent
	slab   = 4
)

func pageWord(class, n uint64, gen uint64) uint64 { return class | n<<16 | gen<<32 }

func classOf(page uint64) int { return int(page & 0xffff) }
func countOf(page uint64) int { return int(page >> 16 & 0xffff) }

// next returns the page word for another use of the chunk.
func next(page uint64, class, n int) uint64 {
	return pageWord(uint64(class), uint64(n), page>>32+1)
}

// A Memory is the body in which the arena lies, seen as words and as bytes.
type Memory struct {
	Words []atomic.Uint64
	Bytes []byte
}

// View returns the memory of a body.
func View(body []byte) (Memory, error) {
	words, err := mem.Slice[atomic.Uint64](body, 0, len(body)/8)
	if err != nil {
		return Memory{}, err
	}
	return Memory{Words: words, Bytes: body}, nil
}

// A Geometry says where an arena is and how large.
type Geometry struct {
	Base   int // of the arena in the body, in bytes; a multiple of 128
	Slots  int // process slots
	Chunks int
}

func (g Geometry) pinsOff() int  { return g.Base + headerSize }
func (g Geometry) tableOff() int { return g.pinsOff() + g.Slots*128 }

// ChunksOff returns where the chunks begin, in bytes from the start of the body.
// What is before must be allocated when the arena is opened.
func (g Geometry) ChunksOff() int {
	return (g.tableOff() + g.Chunks*16 + ChunkSize - 1) / ChunkSize * ChunkSize
}

// End returns where the chunks end.
func (g Geometry) End() int { return g.ChunksOff() + g.Chunks*ChunkSize }

// validate checks numbers that may come from a file.
func (g Geometry) validate(size int) error {
	if g.Base < 0 || g.Base%128 != 0 || g.Base > size || g.Slots < 1 || g.Slots > Slots || g.Chunks < 1 || g.Chunks > MaxChunks || g.End() > size {
		return fmt.Errorf("%w: %d chunks and %d slots at %d in %d bytes", ErrCorrupt, g.Chunks, g.Slots, g.Base, size)
	}
	return nil
}
