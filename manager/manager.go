package manager

import (
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/zeebo/xxh3"

	"github.com/shmkit/shmkit/internal/arena"
	"github.com/shmkit/shmkit/internal/dict"
	"github.com/shmkit/shmkit/shm"
)

// Kind is the kind of a manager's segment.
const Kind = "manager"

// A Manager is a handle of a segment that holds named objects: dicts and others. Its
// methods may be called from several goroutines at once.
//
// A *Manager is its own handle for other processes: it marshals to text and to
// bytes, so that it can be an argument of a process or a field of a message, and is
// attached to the same segment where it is unmarshalled. The receiver closes what it
// has unmarshalled.
type Manager struct {
	*space
}

// space is what a Manager refers to: so a Manager can be made into another's handle.
type space struct {
	seg     *shm.Segment
	views   *views
	store   *dict.Store
	objects *dict.Table // id to record
	names   *dict.Table // name to id
	seed    uint64
	evict   bool
	opts    Options

	mu     sync.Mutex
	open   map[uint64]*object // objects with handles in this process
	parked []*object          // of them, those that are only there because this process holds them
	closed bool

	coarse atomic.Int64 // Unix time in nanoseconds, of this second

	computing computing

	collecting sync.Mutex    // one collection at a time
	swept      atomic.Uint64 // what the head's loose was when this process's last one began
	collected  uint64        // what the head's loose was at the last one, for housekeeping
	again      bool

	hand atomic.Uint64 // whose turn it is to be evicted from

	quit chan struct{}
	done chan struct{}
}

// Open opens the manager called name, or creates it when there is none.
func Open(name string, o *Options) (*Manager, error) {
	return open("open", name, o, shm.OpenOrCreateSpec)
}

// Create creates the manager called name, or fails with [ErrExist].
func Create(name string, o *Options) (*Manager, error) {
	return open("create", name, o, shm.CreateSpec)
}

// New creates a manager without a name of its own choosing. It lives as long as a
// process holds it, and travels as an argument.
func New(o *Options) (*Manager, error) {
	var opts Options
	if o != nil {
		opts = *o
	}
	opts.Persistent = false
	return Create("", &opts)
}

// OpenExisting opens the manager called name, or fails with [ErrNotExist]. Of the
// options only those of this handle count.
func OpenExisting(name string, o *Options) (*Manager, error) {
	return open("open", name, o, shm.OpenSpec)
}

// Attach opens the manager whose handle another process got from
// [Manager.Handle] (or by marshalling the manager). If that very manager is gone it
// fails with [ErrNotExist], whatever its name stands for now.
func Attach(handle string, o *Options) (*Manager, error) {
	return open("attach", handle, o, shm.OpenHandle)
}

func open(op, name string, o *Options, how func(string, *shm.Spec, *shm.Options) (*shm.Segment, error)) (*Manager, error) {
	m := &Manager{new(space)}
	if o != nil {
		m.opts = *o
	}
	chunks, err := m.opts.chunks()
	if err != nil {
		return nil, wrap(op, name, err)
	}
	g := geometry{slots: slots, chunks: chunks}
	sp := &shm.Spec{
		Kind: Kind, Layout: layout, Type: "objects",
		Size: int64(g.arena().ChunksOff()), Reserve: int64(chunks) * arena.ChunkSize,
		Slots: slots,
		Init:  func(s *shm.Segment) error { return initialise(s, g, m.opts.Evict) },
		Check: m.look, Recover: m.recover, Leave: m.leave, Linger: true,
	}
	seg, err := how(name, sp, m.opts.segment())
	if err != nil {
		return nil, wrap(op, name, err)
	}
	if err := m.start(seg); err != nil {
		seg.Close()
		return nil, wrap(op, name, err)
	}
	return m, nil
}

// initialise makes the two tables that every manager has.
func initialise(s *shm.Segment, g geometry, evict bool) error {
	v, err := viewsOf(s.Body())
	if err != nil {
		return err
	}
	h := v.head
	h.slots.Store(uint64(g.slots))
	h.chunks.Store(uint64(g.chunks))
	h.seed.Store(rand.Uint64())
	if evict {
		h.evict.Store(1)
	}
	v.geo = g
	store, err := v.open(s, nil)
	if err != nil {
		return err
	}
	defer store.Arena.Close()
	for i, w := range []interface{ Store(uint64) }{&h.objects, &h.names} {
		b, err := store.NewTable(kindInternal, uint64(i), internalStripes)
		if err != nil {
			return err
		}
		store.Arena.Enliven(b)
		store.Arena.Linked(b)
		w.Store(b.Ref)
	}
	h.lastID.Store(internalIDs)
	return nil
}

const (
	internalStripes = 16
	internalIDs     = 2 // of the two tables: 0 and 1
)

// look checks the body, before anything else is done with it.
func (m *space) look(s *shm.Segment) (err error) {
	if m.views, err = viewsOf(s.Body()); err != nil {
		return err
	}
	if err := m.views.check(s.Slots()); err != nil {
		return err
	}
	// A store for recovery, which may begin before this handle has a slot.
	m.store, err = m.views.open(s, nil)
	return err
}

// start makes the handle's parts, when it has its slot.
func (m *space) start(s *shm.Segment) error {
	m.seg = s
	if m.views == nil { // created, not opened
		if err := m.look(s); err != nil {
			return err
		}
	}
	h := m.views.head
	relieve := func(_, try int) (bool, error) { return m.collectForRoom(try) }
	if m.evict = h.evict.Load() == 1; m.evict {
		relieve = m.relieve
	}
	store, err := m.views.open(s, relieve)
	if err != nil {
		return err
	}
	m.store, m.seed = store, h.seed.Load() // what leave gives back, even if the rest fails
	if m.objects, err = store.Table(h.objects.Load(), false); err != nil {
		return err
	}
	if m.names, err = store.Table(h.names.Load(), false); err != nil {
		return err
	}
	if m.evict {
		store.Arena.Cache()
	}
	m.open = make(map[uint64]*object)
	m.quit, m.done = make(chan struct{}), make(chan struct{})
	m.coarse.Store(time.Now().UnixNano())
	m.enlist()
	go m.housekeeping()
	return nil
}

// recover is the segment's hook: it ends what a dead process was in the middle of.
func (m *space) recover(s *shm.Segment, slot int) error {
	store, err := m.views.open(s, nil)
	if err != nil {
		return err
	}
	err = m.forget(s, store, slot, true) // even if that can't be done, nobody waits for the dead
	return errors.Join(err, store.Recover(slot))
}

// leave gives back what this handle has of the arena.
func (m *space) leave(s *shm.Segment) {
	m.store.Arena.Close()
	if err := m.forget(s, m.store, s.Slot(), false); err != nil && m.opts.Logger != nil {
		m.opts.Logger.Warn("manager: leaving", "path", s.Path(), "error", err)
	}
}

// housekeepingPeriod is how often a handle looks after what nobody waits for.
const housekeepingPeriod = time.Second

// housekeeping is the handle's own goroutine, from start to Close.
func (m *space) housekeeping() {
	defer close(m.done)
	tick := time.NewTicker(housekeepingPeriod)
	defer tick.Stop()
	for {
		select {
		case <-m.quit:
			return
		case now := <-tick.C:
			m.coarse.Store(now.UnixNano())
		}
		if m.seg.Acquire() != nil {
			return
		}
		m.tidy()
		m.seg.Release()
	}
}

// isClosed tells whether the handle was closed.
func (m *space) isClosed() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.closed
}

// tidy is one round of housekeeping.
func (m *space) tidy() {
	m.unpark()
	m.store.Arena.Trim(func() bool { return m.seg.Idle(1) })
	if err := errors.Join(m.expire(), m.collectIfLoose()); err != nil && m.opts.Logger != nil {
		m.opts.Logger.Warn("manager: housekeeping", "path", m.seg.Path(), "error", err)
	}
}

// Close gives this handle up: its dicts and other objects return [ErrClosed] from now on. It does
// not wait for what is going on in other goroutines. A second Close does nothing.
func (m *Manager) Close() error {
	m.mu.Lock()
	closed := m.closed
	m.closed = true
	m.mu.Unlock()
	if !closed {
		m.delist()
		m.seg.OnClose(m.interrupt)
		close(m.quit)
		<-m.done
	}
	return m.seg.Close()
}

// interrupt ends what is being waited for through this handle.
func (m *space) interrupt() {
	m.store.Interrupt()
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, o := range m.open {
		for _, s := range o.sides {
			s.Close()
		}
	}
}

// Name returns the manager's name in its directory.
func (m *Manager) Name() string { return m.seg.Name() }

// Handle returns the manager's address as text, for [Attach] in another process.
func (m *Manager) Handle() string { return m.seg.Handle() }

// Segment returns the segment in which the manager lives.
func (m *Manager) Segment() *shm.Segment { return m.seg }

// AppendText appends the handle.
func (m *Manager) AppendText(b []byte) ([]byte, error) { return append(b, m.Handle()...), nil }

// MarshalText returns the handle.
func (m *Manager) MarshalText() ([]byte, error) { return m.AppendText(nil) }

// UnmarshalText attaches the manager to the one with that handle.
func (m *Manager) UnmarshalText(text []byte) error {
	other, err := Attach(string(text), nil)
	if err != nil {
		return err
	}
	m.space = other.space
	return nil
}

// hash returns the hash of a key.
func (m *space) hash(key []byte) uint64 { return xxh3.HashSeed(key, m.seed) }

// Names returns the names of the objects.
func (m *Manager) Names() ([]string, error) {
	if err := m.seg.Acquire(); err != nil {
		return nil, wrap("names", m.Name(), err)
	}
	defer m.seg.Release()
	var names []string
	var c dict.Cursor
	var b dict.Batch
	for {
		ok, err := m.names.Next(&c, &b, false)
		if err != nil {
			return nil, wrap("names", m.Name(), err)
		}
		if !ok {
			return names, nil
		}
		for i := range b.Len() {
			names = append(names, string(b.Key(i)))
		}
	}
}
