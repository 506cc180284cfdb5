package arena

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/shmkit/shmkit/internal/fault"
	"github.com/shmkit/shmkit/internal/mem"
)

// Errors of this package.
var (
	// ErrNoSpace is returned when the arena, or the file system, is full.
	ErrNoSpace = errors.New("arena is full")
	// ErrTooLarge is returned for a block beyond [MaxBlock].
	ErrTooLarge = errors.New("block too large")
	// ErrCorrupt is returned when the shared words contradict each other.
	ErrCorrupt = errors.New("corrupt arena")
)

// A Host is the segment in which the arena lies.
type Host interface {
	// Slot is the number of this handle's process slot.
	Slot() int
	// Allocate takes the space of a range of the body, and Free gives it back: see
	// the methods of shm.Segment.
	Allocate(off, n int64) error
	Free(off, n int64) error
}

// An Arena is a handle of an arena. Its methods may be called from several
// goroutines at once. They never wait for another process.
type Arena struct {
	mem    Memory
	geo    Geometry
	host   Host
	me     uint32 // slot + 1
	base   uint64 // of the chunks, in bytes
	head   *header
	pins   []pinLine
	table  []chunk
	budget int // bytes that may wait for pins
	keep   int // takePages or cachePages

	classes []class
	extents extents
	mine    pinSet
	trim    trimmer
	full    atomic.Uint64 // deaths when the last thorough search for free blocks began, + 1
	checked atomic.Uint64 // deaths when the last thorough search for empty chunks began
}

// Open makes a handle of the arena at g in the memory, which is all zero at first.
func Open(m Memory, g Geometry, host Host) (*Arena, error) {
	if err := g.validate(len(m.Bytes)); err != nil {
		return nil, err
	}
	a := &Arena{mem: m, geo: g, host: host, me: uint32(host.Slot()) + 1, base: uint64(g.ChunksOff())}
	var err error
	if a.head, err = mem.At[header](m.Bytes, g.Base); err != nil {
		return nil, err
	}
	if a.pins, err = mem.Slice[pinLine](m.Bytes, g.pinsOff(), g.Slots); err != nil {
		return nil, err
	}
	if a.table, err = mem.Slice[chunk](m.Bytes, g.tableOff(), g.Chunks); err != nil {
		return nil, err
	}
	a.keep = takePages
	a.budget = max(1<<20, g.Chunks*ChunkSize/8)
	a.classes = make([]class, len(blockSizes))
	for i := range a.classes {
		a.classes[i] = class{arena: a, index: i, size: blockSizes[i]}
	}
	a.extents.arena = a
	if a.me != 0 {
		a.settleIn()
	}
	return a, nil
}

// A Block is one that this process is filling: its head says Filling, and nobody
// else looks at it.
type Block struct {
	Ref  uint64 // offset in the body, a multiple of 16
	Inc  uint64 // its incarnation
	page *page
}

// Alloc returns a block of at least n bytes, its head of 8 bytes included, in the
// state Filling. What it contains is garbage. The caller fills it, then either
// makes it visible ([Arena.Enliven], a store of its Ref somewhere, [Arena.Linked])
// or gives it back by [Arena.Abandon]. It takes no shared lock. The error is
// [ErrNoSpace] or [ErrTooLarge].
func (a *Arena) Alloc(n int) (Block, error) {
	var b Block
	var err error
	if n > largestBlock {
		b, err = a.extents.alloc(n)
	} else {
		b, err = a.classes[classFor(n)].alloc()
	}
	if err != nil {
		return Block{}, err
	}
	head := a.HeadOf(b.Ref)
	b.Inc = Inc(head.Load()) + 1
	fault.Point("arena.alloc.head")
	head.Store(Head(b.Inc, Filling))
	mem.FenceStores() // a reader that sees new bytes must not see the old incarnation
	return b, nil
}

// Enliven marks a filled block as live. Whoever calls it has written down in shared
// memory what becomes of the block if this process dies before it is referred to.
func (a *Arena) Enliven(b Block) {
	fault.Point("arena.enliven")
	a.HeadOf(b.Ref).Store(Head(b.Inc, Live))
}

// Linked ends the filling of a block that something refers to now.
func (a *Arena) Linked(b Block) {
	if b.page.class == nil {
		a.extents.linked(b.page)
		return
	}
	b.page.class.linked(b.page)
}

// Abandon gives back a block that nothing refers to.
func (a *Arena) Abandon(b Block) {
	if b.page.class == nil {
		a.extents.abandon(b.page)
		return
	}
	b.page.class.abandon(b)
}

// Retire marks a live block of the given incarnation as one that nothing refers to
// any more; of another incarnation, it does nothing. [Arena.Reclaim] should follow.
func (a *Arena) Retire(ref, inc uint64) {
	if head, ok := a.headAt(ref); ok {
		fault.Point("arena.retire")
		head.CompareAndSwap(Head(inc, Live), Head(inc, Retired))
	}
}

// Reclaim makes a retired block available again: to this process, if the block's
// page is its own or nobody's, or else to whoever looks through the page. A block
// that somebody may have pinned waits until that is over.
func (a *Arena) Reclaim(ref, inc uint64) {
	i, ok := a.chunkOf(ref)
	if !ok {
		return
	}
	switch c := classOf(a.table[i].page.Load()); {
	case c == extent:
		a.extents.reclaim(i, inc)
	case c >= slab && c-slab < len(a.classes):
		a.classes[c-slab].take(i, ref, inc)
	}
}

// Replaced is Linked of one block and Reclaim of another, in one go if they are of one size.
func (a *Arena) Replaced(b Block, ref, inc uint64) {
	if c := b.page.class; c != nil {
		if i, ok := a.chunkOf(ref); ok && classOf(a.table[i].page.Load()) == slab+c.index {
			c.replaced(b.page, i, ref, inc)
			return
		}
	}
	a.Linked(b)
	a.Reclaim(ref, inc)
}

// Note tells others that a block of ref's page has been retired. It is what
// Reclaim does for those who act for a dead process.
func (a *Arena) Note(ref uint64) {
	if i, ok := a.chunkOf(ref); ok {
		a.note(i, 1)
	}
}

func (a *Arena) note(chunk int, n int) {
	fault.Point("arena.hint")
	a.table[chunk].hint.Add(uint32(n))
}

// HeadOf returns the head of the block at ref, which must be one that Alloc has
// returned.
func (a *Arena) HeadOf(ref uint64) *atomic.Uint64 { return &a.mem.Words[ref>>3] }

// chunkOf returns the chunk in which ref lies. It is false for a ref that lies in none.
func (a *Arena) chunkOf(ref uint64) (int, bool) {
	i := (ref - a.base) / ChunkSize // an offset before the chunks becomes huge
	return int(i), i < uint64(len(a.table)) && ref%16 == 0
}

// headAt is HeadOf for a ref from shared memory.
func (a *Arena) headAt(ref uint64) (*atomic.Uint64, bool) {
	if _, ok := a.chunkOf(ref); !ok {
		return nil, false
	}
	return a.HeadOf(ref), true
}

// Page returns the page word of the chunk in which ref lies and how many bytes the
// block there has, its head included, at most. It is false, with a size of 0, when
// the chunk has no blocks now; the word is still good for comparing.
//
// Who reads a block without a lock loads the page word before the head and after
// what it has read: the same word means that the chunk was of the same use all the
// time, so that the head was one.
func (a *Arena) Page(ref uint64) (word uint64, size int, ok bool) {
	i, ok := a.chunkOf(ref)
	if !ok {
		return 0, 0, false
	}
	fault.Look(&a.table[i].page)
	word = a.table[i].page.Load()
	within := int(ref-a.base) % ChunkSize
	switch c := classOf(word); {
	case c >= slab && c-slab < len(blockSizes):
		size = min(blockSizes[c-slab], ChunkSize-within)
	case c == extent && within == 0:
		size = min(countOf(word), len(a.table)-i) * ChunkSize
	}
	return word, size, size > 0
}

// PageOf returns the page word of ref's chunk, nil if it lies in none.
func (a *Arena) PageOf(ref uint64) *atomic.Uint64 {
	if i := (ref - a.base) / ChunkSize; i < uint64(len(a.table)) {
		return &a.table[i].page
	}
	return nil
}

// SamePage tells whether the page word of ref's chunk still is word.
func (a *Arena) SamePage(ref, word uint64) bool {
	p := &a.table[(ref-a.base)/ChunkSize].page
	fault.Look(p)
	return p.Load() == word
}

// Bytes returns the n bytes of memory from ref on. It panics outside of the body.
func (a *Arena) Bytes(ref uint64, n int) []byte {
	return a.mem.Bytes[ref : ref+uint64(n) : ref+uint64(n)]
}

// Words returns the body as words: the one at ref is Words()[ref/8].
func (a *Arena) Words() []atomic.Uint64 { return a.mem.Words }

// Close gives all pages and pins of this handle back, for others to find. Nothing
// may be in the middle of anything.
func (a *Arena) Close() {
	for i := range a.classes {
		a.classes[i].mu.Lock()
		a.classes[i].giveBack()
		a.classes[i].mu.Unlock()
	}
	a.extents.close()
	a.clearPins(int(a.me) - 1)
	a.clearQuiet(int(a.me) - 1)
}

// Cache says that the arena is going to be full, its user retiring blocks as it needs
// new ones.
func (a *Arena) Cache() { a.keep = cachePages }

// claim makes this process the owner of a chunk that has none.
func (a *Arena) claim(i int) bool {
	o := &a.table[i].owner
	if o.Load() != 0 {
		return false
	}
	fault.Point("arena.claim")
	return o.CompareAndSwap(0, a.me)
}

// disown gives a chunk back.
func (a *Arena) disown(i int) {
	fault.Point("arena.disown")
	a.table[i].owner.Store(0)
}

// setPage gives a chunk, which is this process's, another use.
func (a *Arena) setPage(i, class, n int) {
	p := &a.table[i].page
	word := next(p.Load(), class, n)
	fault.Point("arena.page")
	p.Store(word)
}

// raiseTop makes scans reach the first n chunks.
func (a *Arena) raiseTop(n int) {
	for {
		top := a.head.top.Load()
		if top >= uint64(n) {
			return
		}
		fault.Point("arena.top")
		if a.head.top.CompareAndSwap(top, uint64(n)) {
			return
		}
	}
}

// top returns how many chunks have ever been used.
func (a *Arena) top() int { return int(min(a.head.top.Load(), uint64(len(a.table)))) }

// back takes the space of n chunks from chunk i on.
func (a *Arena) back(i, n int) error {
	err := a.host.Allocate(int64(a.base)+int64(i)*ChunkSize, int64(n)*ChunkSize)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNoSpace, err)
	}
	return nil
}

// InUse tells whether any chunk has blocks, or is somebody's at this moment: if not, it
// does not help to wait for others when Alloc has found no space.
func (a *Arena) InUse() bool {
	for i := range a.top() {
		if ch := &a.table[i]; classOf(ch.page.Load()) > free || ch.owner.Load() != 0 {
			return true
		}
	}
	return false
}

// Used returns the bytes of the chunks that have blocks. It may be old.
func (a *Arena) Used() int {
	n := 0
	for i := range a.top() {
		if classOf(a.table[i].page.Load()) > free {
			n += ChunkSize
		}
	}
	return n
}

// page is this process's side of a chunk that it owns.
type page struct {
	class    *class // nil: an extent
	chunk    int
	chunks   int      // of an extent
	known    []uint64 // blocks on the class's list of free ones or in limbo, a bit each
	nknown   int
	inflight int // blocks given out and not yet linked or abandoned
}

func (p *page) has(i int) bool { return p.known[i/64]&(1<<(i%64)) != 0 }

func (p *page) add(i int) {
	p.known[i/64] |= 1 << (i % 64)
	p.nknown++
}

func (p *page) drop(i int) {
	p.known[i/64] &^= 1 << (i % 64)
	p.nknown--
}

// mutex is the process's lock of a class: what it guards is the process's own.
type mutex = sync.Mutex
