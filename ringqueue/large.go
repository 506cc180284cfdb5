package ringqueue

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/shmkit/shmkit/internal/arena"
	"github.com/shmkit/shmkit/internal/fault"
	"github.com/shmkit/shmkit/internal/mem"
	"github.com/shmkit/shmkit/shm"
)

// A large record is one that is not worth its room in the ring: more than a
// quarter of it. It lies in a block of an arena in the same segment, and what the
// ring carries is a reference of 16 bytes, so that handing it over costs the same
// whatever its size. The space of the arena, and of its tables, is taken when a
// block is first needed.
//
// A block passes through these hands, each of which is one word in the file:
//
//	free ──▶ reserved in the ring ──▶ committed ──▶ borrowed ──▶ leased ──▶ retired ──▶ free
//	                  │                  ▲  ▲          │         │    ▲        ▲
//	                  │ abort, death     │  └─ death ──┘   death, │    │        │
//	                  │                  │                 requeue▼    │borrow  │
//	                  │                  │                     returned┘        │
//	                  └──────────────────┴──────────────── poison ──────────────┘
//
// While it is in the ring, the record's word says whose it is, and everything is
// as with any record. The word says that the record is one by reference from the
// moment on at which the reference is written, and before the block is made live:
// so a block is named in shared memory as long as it is live.
//
// Whoever borrows the record does not keep its place in the ring. He writes his name
// into the lease word of the block's first chunk, and releases the record: a long
// lease holds up nobody. The lease word then is the truth. If he gives the record
// back or dies, it becomes returned, where whoever borrows next finds it.
//
// A block is retired by whoever owns it at that moment, and before the word that
// names it is changed, if that is the ring's. Retiring it is a compare-and-swap that
// names the block's incarnation, so that whoever recovers from a death in between may
// repeat it.
type large struct {
	geo      arena.Geometry
	memory   arena.Memory
	leases   []atomic.Uint64 // one for each chunk: see leaseWord
	state    *atomic.Uint32
	returned dirty
	host     *shm.Segment // nil: only to look at
	slot     int          // this handle's; noSlot for whoever acts for a dead process, or only looks

	preparing sync.Mutex // one goroutine at a time takes the tables' space

	once  sync.Once
	arena *arena.Arena // of this handle
}

const noSlot = -1

// Values of header.large.
const (
	largeNone    = 0 // the tables take no space
	largeReady   = 1
	largeClaimed = 2 // + the slot of the process that takes the space
)

// What a block begins with: its head, which is the arena's, then the length of the
// record. The record begins a cache line behind the block's start.
const (
	blockHead    = 64
	lengthInHead = 8
)

// Every large record takes whole chunks, so that a process keeps no memory at hand
// that others could need.
const (
	leastBlock = arena.ChunkSize/2 + 1
	maxChunks  = arena.MaxChunks
)

// largest returns the size of the largest record for which so many chunks suffice.
func largest(chunks uint64) uint64 {
	return max(min(chunks*arena.ChunkSize, arena.MaxBlock), blockHead) - blockHead
}

// chunksFor returns how many chunks a large record of n bytes takes.
func chunksFor(n uint64) uint64 { return (n + blockHead + arena.ChunkSize - 1) / arena.ChunkSize }

// leasesOffset returns where the lease words are: at the start.
func leasesSize(chunks uint64) uint64 { return (chunks*8 + 127) &^ 127 }

// largeGeometry returns where the arena is in a queue of so many blocks: behind the
// lease words, and they behind the ring's words.
//
//	offset
//	largeOffset  lease words         8 bytes a chunk
//	          …  arena               its header, pins, table: see package arena
//	          …  chunks              64 KiB each
func largeGeometry(blocks, chunks uint64) arena.Geometry {
	return arena.Geometry{Base: int(largeOffset(blocks) + leasesSize(chunks)), Slots: arena.Slots, Chunks: int(chunks)}
}

// largeSize returns the bytes of all that, which are not taken at creation.
func largeSize(blocks, chunks uint64) int64 {
	if chunks == 0 {
		return 0
	}
	return int64(largeGeometry(blocks, chunks).End()) - int64(largeOffset(blocks))
}

// newLarge makes the views; it touches nothing.
func newLarge(body []byte, h *header, blocks, chunks uint64) (*large, error) {
	if chunks == 0 {
		return nil, nil
	}
	l := &large{geo: largeGeometry(blocks, chunks), state: &h.large, returned: dirty{&h.returned}, slot: noSlot}
	if end := l.geo.End(); end < 0 || end > len(body) {
		return nil, fmt.Errorf("%w: %d chunks in %d bytes", ErrCorrupt, chunks, len(body))
	}
	var err error
	if l.memory, err = arena.View(body[:l.geo.End()]); err == nil {
		l.leases, err = mem.Slice[atomic.Uint64](body, int(largeOffset(blocks)), int(chunks))
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	return l, nil
}

// host is what the arena needs of the segment.
type host struct {
	*shm.Segment
	slot int
}

func (h host) Slot() int { return h.slot }

// open returns this handle's arena. It is nil before anybody has needed one, and
// when the tables contradict each other.
func (l *large) open() *arena.Arena {
	if l.state.Load() != largeReady {
		return nil
	}
	l.once.Do(func() { l.arena, _ = arena.Open(l.memory, l.geo, host{l.host, l.slot}) })
	return l.arena
}

// close gives back what the handle has of the arena.
func (l *large) close() {
	l.once.Do(func() {}) // it is not opened any more
	if l.arena != nil {
		l.arena.Close()
	}
}

// prepare takes the space of the tables, if nobody has. It is full while another
// process is at it: one at a time, because taking space may zero it.
func (l *large) prepare() (status, error) {
	l.preparing.Lock()
	defer l.preparing.Unlock()
	for {
		switch s := l.state.Load(); s {
		case largeReady:
			return done, nil
		case largeNone:
			fault.Point("ring.large.claim")
			if !l.state.CompareAndSwap(largeNone, largeClaimed+uint32(l.slot)) {
				continue
			}
			start := int64(l.geo.Base) - int64(leasesSize(uint64(l.geo.Chunks)))
			if err := l.host.Allocate(start, int64(l.geo.ChunksOff())-start); err != nil {
				fault.Point("ring.large.unclaim")
				l.state.Store(largeNone)
				return noSpace, err
			}
			fault.Point("ring.large.ready")
			l.state.Store(largeReady)
			return done, nil
		default:
			if !l.host.Probe(int(s) - largeClaimed) {
				return full, nil
			}
		}
	}
}

// preparer returns the slot that is taking the tables' space.
func (l *large) preparer() (slot int, ok bool) {
	s := l.state.Load()
	return int(s) - largeClaimed, s >= largeClaimed && s-largeClaimed < maxOwners
}

// alloc returns a block for a record of n bytes. It is full if it may help to wait
// until others have given back theirs.
func (l *large) alloc(a *arena.Arena, n uint64) (arena.Block, status, error) {
	const races = 100
	for range races {
		b, err := a.Alloc(max(int(n)+blockHead, leastBlock))
		if err == nil {
			return b, done, nil
		}
		if a.InUse() {
			return b, full, err
		}
		if errors.Is(err, shm.ErrNoSpace) {
			return b, noSpace, err
		}
		// Nothing is in use, and there is room: others were in the middle of something.
	}
	return arena.Block{}, full, nil
}

// A reference is what the ring carries of a large record, in native byte order.
type reference struct {
	ref  uint64 // of the block
	page uint64 // page word of its first chunk, which no later use of that has
}

const referenceSize = 16

func (r reference) put(b []byte) {
	binary.LittleEndian.PutUint64(b, r.ref)
	binary.LittleEndian.PutUint64(b[8:], r.page)
}

// referenceAt reads the reference of the record at pos, and checks that it is one to a
// block that is there.
func (c *core) referenceAt(a *arena.Arena, pos uint64) (reference, bool) {
	b, ok := c.span(pos, referenceSize)
	if !ok || a == nil {
		return reference{}, false
	}
	r := reference{binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[8:])}
	word, _, ok := a.Page(r.ref)
	return r, ok && word == r.page && r.ref%arena.ChunkSize == 0
}

// room returns the record's memory in its block, as much as there is.
func (l *large) room(a *arena.Arena, ref uint64) ([]byte, bool) {
	_, size, ok := a.Page(ref)
	if !ok || size <= blockHead {
		return nil, false
	}
	return a.Bytes(ref+blockHead, size-blockHead), true
}

// bytes returns the record in the block at ref.
func (l *large) bytes(a *arena.Arena, ref uint64) ([]byte, bool) {
	b, ok := l.room(a, ref)
	if !ok {
		return nil, false
	}
	n := l.length(a, ref)
	if n > uint64(len(b)) {
		return nil, false
	}
	return b[:n:n], true
}

func (l *large) length(a *arena.Arena, ref uint64) uint64 {
	return binary.LittleEndian.Uint64(a.Bytes(ref+lengthInHead, 8))
}

func (l *large) setLength(a *arena.Arena, ref, n uint64) {
	binary.LittleEndian.PutUint64(a.Bytes(ref+lengthInHead, 8), n)
}

// retire frees a block, which is the caller's.
func retire(a *arena.Arena, ref uint64) {
	inc := arena.Inc(a.HeadOf(ref).Load())
	a.Retire(ref, inc)
	a.Reclaim(ref, inc)
}

// retireFor is retire for whoever acts for a dead process.
func retireFor(a *arena.Arena, ref uint64) {
	a.Retire(ref, arena.Inc(a.HeadOf(ref).Load()))
	a.Note(ref)
}
