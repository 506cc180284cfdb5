package dict

import (
	"errors"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/shmkit/shmkit/internal/arena"
	"github.com/shmkit/shmkit/internal/futex"
	"github.com/shmkit/shmkit/internal/mem"
)

// Errors of this package, besides those of the arena.
var (
	// ErrCorrupt is returned when the shared words contradict each other.
	ErrCorrupt = errors.New("corrupt dict")
	// ErrTooLarge is returned for a key beyond [MaxKey] or a value beyond [MaxValue].
	ErrTooLarge = errors.New("key or value too large")
	// ErrCrowded is returned when so many keys have the same hash that there is no
	// place for another one.
	ErrCrowded = errors.New("too many keys with the same hash")
)

// A Host is the segment in which a store lies.
type Host interface {
	arena.Host
	// Probe recovers the process slot if its process is dead, and tells whether it
	// did: see shm.Segment.
	Probe(slot int) (recovered bool)
}

// A Store is a handle of what all tables of a segment have in common: the arena and
// the locks. Its methods may be called from several goroutines at once.
type Store struct {
	Arena *arena.Arena

	host    Host
	me      uint32 // slot + 1
	words   []atomic.Uint64
	bytes   []byte
	stripes []stripe
	now     func() uint64
	relieve func(n, try int) (bool, error)
	spins   int
	await   func(lock *atomic.Uint32, held uint32) // instead of the kernel; nil but in tests

	waits [Stripes]sync.Mutex // goroutines of this process that wait for a stripe

	gateMu sync.Mutex // guards gates
	gates  [Stripes]*futex.Gate
}

// alloc is Alloc, of a store that gives something up for it if it can.
func (s *Store) alloc(n int) (arena.Block, error) {
	for try := 1; ; try++ {
		b, err := s.Arena.Alloc(n)
		if err == nil || s.relieve == nil || !errors.Is(err, arena.ErrNoSpace) {
			return b, err
		}
		if ok, relieveErr := s.relieve(n, try); !ok {
			return b, errors.Join(err, relieveErr)
		}
	}
}

// Options are what a store needs to know besides the memory.
type Options struct {
	Base int           // of the store in the body, in bytes; a multiple of 256
	Now  func() uint64 // the time that expiries are compared with
	// Relieve, if not nil, is called without a lock when there is no memory for a
	// block of n bytes, for the try-th time: it gives something up, or returns false
	// if there is nothing.
	Relieve func(n, try int) (bool, error)
}

// Open makes a handle of the store in the memory, which is all zero at first.
func Open(a *arena.Arena, m arena.Memory, host Host, o Options) (*Store, error) {
	if err := checkBody(len(m.Bytes), o.Base); err != nil {
		return nil, err
	}
	s := &Store{Arena: a, host: host, me: uint32(host.Slot()) + 1, words: m.Words, bytes: m.Bytes, now: o.Now, relieve: o.Relieve}
	var err error
	if s.stripes, err = mem.Slice[stripe](m.Bytes, o.Base, Stripes); err != nil {
		return nil, err
	}
	if runtime.GOMAXPROCS(0) > 1 {
		s.spins = 200
	}
	return s, nil
}
