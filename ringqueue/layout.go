package ringqueue

import (
	"fmt"
	"math/bits"
	"os"
	"sync/atomic"

	"github.com/shmkit/shmkit/internal/mem"
	"github.com/shmkit/shmkit/shm"
)

// Kind is the segment kind of a queue, as shm and shmctl show it.
const Kind = "queue"

// layoutVersion changes whenever a word's meaning or place in the body does.
// A file of another layout is refused with [ErrLayout].
const layoutVersion = 2

// header is the start of a queue's segment body. The first line is written at
// creation and never again; every other line is written by whom its comment
// names. Lines that are written independently stand 128 bytes apart: a core
// prefetches lines in pairs.
//
//	offset
//	     0  geometry            creator, once
//	   128  tail                producers, helpers
//	   256  consume             consumers, helpers
//	   384  reclaim             anybody
//	   512  flags               whoever recovers, requeues, aborts, shuts down; roles
//	   640  not empty           waiters of Get, wakers
//	   768  not full            waiters of Put, wakers
//	   896  idle                waiters of Join, wakers
//	  1024  reserved
//	  4096  words               8 bytes a block
//	     …  large records       if there may be any: see largeGeometry
//	     …  data                64 bytes a block, page-aligned, up to the end
type header struct {
	capacity  uint64 // bytes of data; blocks × 64
	maxItems  uint64 // 0: as many as fit
	maxRecord uint64 // bytes
	poison    uint64 // deliveries; 0: unlimited
	modes     uint64 // modeSole…
	lapBits   uint64
	chunks    uint64 // of 64 KiB, for large records; 0: there are none
	_         [128 - 7*8]byte

	tail    atomic.Uint64
	_       [120]byte
	consume atomic.Uint64
	_       [120]byte
	reclaim atomic.Uint64
	_       [120]byte

	redeliver atomic.Uint64 // dirty: committed records may lie behind consume
	dropped   atomic.Uint64 // dirty: discarded records may lie before tail
	shutdown  atomic.Uint32 // shutdownFlag
	producer  atomic.Uint32 // slot+1 of the sole producer; 0: none
	consumer  atomic.Uint32 // slot+1 of the sole consumer; 0: none
	large     atomic.Uint32 // whether the tables for large records have space: see largeReady
	returned  atomic.Uint64 // dirty: large records may have been given back
	_         [128 - 3*8 - 4*4]byte

	notEmpty atomic.Uint32
	_        [124]byte
	notFull  atomic.Uint32
	_        [124]byte
	idle     atomic.Uint32
	_        [124]byte
}

const (
	modeSoleProducer = 1 << iota
	modeSoleConsumer
	modesKnown = modeSoleProducer | modeSoleConsumer
)

// Values of header.shutdown.
const (
	shutdownDrain = 1 // no more puts; what is there can still be taken
	shutdownNow   = 2 // no more puts, and what is there is dropped
)

const wordsOffset = 4096

// Capacities in bytes.
const (
	defaultCapacity = 1 << 20
	maxCapacity     = maxBlocks * blockSize
)

// roundCapacity returns the capacity that a queue asked for n bytes gets: a
// power of two, at least a page.
func roundCapacity(n int) (uint64, error) {
	if n < 0 || uint64(n) > maxCapacity {
		return 0, fmt.Errorf("capacity of %d bytes: not from 0 to %d", n, uint64(maxCapacity))
	}
	if n == 0 {
		n = defaultCapacity
	}
	c := max(uint64(n), uint64(os.Getpagesize()))
	return 1 << bits.Len64(c-1), nil
}

// largeOffset returns where the memory for large records starts in a queue of so
// many blocks, and without any, the data. It is a multiple of every page size up
// to 64 KiB, so that a file made on one kernel can be mapped twice on another.
func largeOffset(blocks uint64) uint64 {
	const align = 64 << 10
	return (wordsOffset + blocks*8 + align - 1) &^ (align - 1)
}

// dataOffset returns where the data of a queue of so many blocks starts, with so
// many chunks for large records.
func dataOffset(blocks, chunks uint64) uint64 {
	return largeOffset(blocks) + uint64(largeSize(blocks, chunks))
}

// bodySize returns the bytes of body that a queue of the given capacity takes from
// the beginning: all but the memory for large records.
func bodySize(capacity uint64) int64 { return int64(largeOffset(capacity/blockSize) + capacity) }

// A view is a queue's body as typed memory. What creation wrote is copied when
// it is checked: it may change in the file, and the mapping may be gone.
type view struct {
	core
	hdr       *header
	maxRecord uint64
	inline    uint64 // bytes of the largest record that lies in the ring
	modes     uint64
}

// newView makes the views into the segment's body, after checking that the
// geometry its header claims is one that creation could have written and fits
// the body.
func newView(seg *shm.Segment) (*view, error) {
	if n := seg.Slots(); n > maxOwners {
		return nil, fmt.Errorf("%w: %d slots, and words that can name %d", ErrCorrupt, n, maxOwners)
	}
	v, err := viewOf(seg.Body(), seg.Mirrored(), seg.Slot())
	if err == nil && v.large != nil {
		v.large.host = seg
	}
	return v, err
}

func viewOf(body []byte, mirrored bool, me int) (*view, error) {
	h, err := mem.At[header](body, 0)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	// Each is read once.
	capacity, maxItems, maxRecord := h.capacity, h.maxItems, h.maxRecord
	poison, modes, lapBits, chunks := h.poison, h.modes, h.lapBits, h.chunks
	if capacity > maxCapacity || capacity%blockSize != 0 {
		return nil, fmt.Errorf("%w: capacity of %d bytes", ErrCorrupt, capacity)
	}
	g, err := newGeometry(capacity/blockSize, int(min(lapBits, tagBits+1)), mirrored)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	inline := min(capacity/4, maxInline)
	if maxItems > maxBlocks || chunks > maxChunks || maxRecord > max(inline, largest(chunks)) || poison > maxAttempt || modes&^modesKnown != 0 {
		return nil, fmt.Errorf("%w: %d items, records of %d bytes, %d deliveries, modes %#x, in %d bytes and %d chunks",
			ErrCorrupt, maxItems, maxRecord, poison, modes, capacity, chunks)
	}
	large, err := newLarge(body, h, g.blocks, chunks)
	if err != nil {
		return nil, err
	}
	words, err := mem.Slice[atomic.Uint64](body, wordsOffset, int(g.blocks))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	length := capacity
	if mirrored {
		length *= 2
	}
	data, err := mem.Slice[byte](body, int(dataOffset(g.blocks, chunks)), int(length))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	return &view{
		hdr:       h,
		maxRecord: maxRecord,
		inline:    min(maxRecord, inline),
		modes:     modes,
		core: core{
			geometry:  g,
			maxItems:  maxItems,
			poison:    poison,
			me:        me,
			words:     words,
			data:      data,
			tail:      &h.tail,
			consume:   &h.consume,
			reclaim:   &h.reclaim,
			redeliver: dirty{&h.redeliver},
			dropped:   dirty{&h.dropped},
			shutdown:  &h.shutdown,
			large:     large,
		},
	}, nil
}
