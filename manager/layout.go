package manager

import (
	"fmt"
	"sync/atomic"

	"github.com/shmkit/shmkit/internal/arena"
	"github.com/shmkit/shmkit/internal/clock"
	"github.com/shmkit/shmkit/internal/dict"
	"github.com/shmkit/shmkit/internal/mem"
	"github.com/shmkit/shmkit/shm"
)

// The body of a manager's segment:
//
//	0      head, below; a line of 128 bytes for each word that changes
//	4096   store of package dict: locks and transactions
//	…      arena: its tables, and from a multiple of 4096 on its chunks
//
// The numbers of the first line are written at creation and never change.

const (
	headSize  = 4096
	storeBase = headSize
	layout    = 1
)

// head is the start of the body.
type head struct {
	slots   atomic.Uint64
	chunks  atomic.Uint64
	seed    atomic.Uint64 // of the hash
	objects atomic.Uint64 // table: id of an object to what it is
	names   atomic.Uint64 // table: name to id
	evict   atomic.Uint64 // 1: dicts give up entries when the memory is used up
	_       [80]byte
	lastID  atomic.Uint64 // ids given out
	_       [120]byte
	loose   atomic.Uint64 // grows when something may have become unreachable
	_       [120]byte
	cycle   atomic.Uint64 // collections begun
	_       [120]byte
	sweeper atomic.Uint32 // slot + 1 of who collects
	_       [124]byte
	_       [1280]byte
	// opening is odd for each slot that is getting a handle of an object, and grows.
	opening [slots]atomic.Uint64
}

// slots is the number of process slots of a manager.
const slots = 256

var _ [0]struct{} = [arena.Slots - slots]struct{}{}

// geometry is what the numbers of the head say of the rest.
type geometry struct {
	slots  int
	chunks int
}

func (g geometry) arena() arena.Geometry {
	return arena.Geometry{Base: (storeBase + dict.Size + 4095) &^ 4095, Slots: g.slots, Chunks: g.chunks}
}

// views are the parts of a body.
type views struct {
	memory arena.Memory
	head   *head
	geo    geometry
}

func viewsOf(body []byte) (*views, error) {
	m, err := arena.View(body)
	if err != nil {
		return nil, err
	}
	h, err := mem.At[head](body, 0)
	if err != nil {
		return nil, err
	}
	return &views{memory: m, head: h}, nil
}

// check reads the geometry and compares it with the size.
func (v *views) check(slots int) error {
	g := geometry{slots: slots, chunks: int(v.head.chunks.Load() & (1<<32 - 1))}
	if v.head.slots.Load() != uint64(slots) || g.chunks < 1 || g.chunks > arena.MaxChunks || g.arena().End() > len(v.memory.Bytes) {
		return fmt.Errorf("%w: %d slots and %d chunks in %d bytes", shm.ErrCorrupt, v.head.slots.Load(), g.chunks, len(v.memory.Bytes))
	}
	v.geo = g
	return nil
}

// open makes handles of what is in the body, for the process slot of the segment.
// Relieve is for a cache: see package dict.
func (v *views) open(s *shm.Segment, relieve func(n, try int) (bool, error)) (*dict.Store, error) {
	a, err := arena.Open(v.memory, v.geo.arena(), s)
	if err != nil {
		return nil, err
	}
	return dict.Open(a, v.memory, s, dict.Options{Base: storeBase, Now: clock.Now, Relieve: relieve})
}
