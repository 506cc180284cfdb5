package manager

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/shmkit/shmkit/internal/arena"
	"github.com/shmkit/shmkit/internal/dict"
	"github.com/shmkit/shmkit/internal/fault"
	"github.com/shmkit/shmkit/shm"
)

// Kinds of objects.
const (
	kindInternal  = 1
	kindDict      = 2
	kindList      = 3
	kindLock      = 4
	kindRLock     = 5
	kindRWLock    = 6
	kindSemaphore = 7
	kindEvent     = 8
	kindCond      = 9
	kindBarrier   = 10
	kindValue     = 11
	kindArray     = 12
	kindObject    = 13
	kindCounter   = 14
	kindNamespace = 15
	kindQueue     = 16
	kindSet       = 17
)

var kindNames = map[uint64]string{
	kindInternal: "internal", kindDict: "dict", kindList: "list", kindLock: "lock", kindRLock: "recursive lock",
	kindRWLock: "read-write lock", kindSemaphore: "semaphore", kindEvent: "event", kindCond: "condition", kindBarrier: "barrier",
	kindValue: "value", kindArray: "array", kindObject: "object", kindCounter: "counter", kindNamespace: "namespace", kindQueue: "queue", kindSet: "set",
}

// Words of an object's block, whatever its kind: see package dict.
const (
	objectTouched = 4
	objectDying   = 5 // 1: it is being taken apart, or about to be
	objectHandles = 8
	objectSize    = (objectHandles + slots/64) * 8
)

// A record is what the table of objects has of one. On the wire it is five words and
// the text.
type record struct {
	kind, ref, inc, sum, flags uint64
	text                       string
}

// Flags of a record.
const recordRefers = 1 // its entries refer to objects

// isTable tells whether the object is a table of package dict.
func (r *record) isTable() bool {
	switch r.kind {
	case kindDict, kindList, kindNamespace, kindSet:
		return true
	}
	return false
}

const recordFixed = 40

func (r *record) append(b []byte) []byte {
	for _, w := range [...]uint64{r.kind, r.ref, r.inc, r.sum, r.flags} {
		b = binary.LittleEndian.AppendUint64(b, w)
	}
	return append(b, r.text...)
}

func parseRecord(b []byte) (r record, err error) {
	if len(b) < recordFixed {
		return r, fmt.Errorf("%w: an object's record of %d bytes", ErrCorrupt, len(b))
	}
	for i, w := range [...]*uint64{&r.kind, &r.ref, &r.inc, &r.sum, &r.flags} {
		*w = binary.LittleEndian.Uint64(b[8*i:])
	}
	r.text = string(b[recordFixed:])
	return r, nil
}

func idKey(id uint64) []byte { return binary.LittleEndian.AppendUint64(nil, id) }

// object is this process's handle of an object. All of the process's dicts and others
// that stand for it share it.
type object struct {
	id     uint64
	record record
	refs   int // guarded by space.mu

	// sides are this process's sides of the object, guarded by space.mu. What is waited for
	// through them ends with the manager's handle.
	sides []side
}

// A side is a handle of package robust.
type side interface{ Close() }

// sideOf returns the side of the object that all handles in this process share, which open makes
// if there is none.
func sideOf[S side](m *space, o *object, open func() (S, error)) (S, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, s := range o.sides {
		if s, ok := s.(S); ok {
			return s, nil
		}
	}
	return addSide(m, o, open)
}

// addSide adds a side to the object. Called with mu held.
func addSide[S side](m *space, o *object, open func() (S, error)) (s S, err error) {
	if m.closed {
		return s, ErrClosed
	}
	if s, err = open(); err == nil {
		o.sides = append(o.sides, s)
	}
	return s, err
}

// removeSide takes a side away that only one handle had.
func (m *space) removeSide(o *object, s side) {
	m.mu.Lock()
	defer m.mu.Unlock()
	o.sides = slices.DeleteFunc(o.sides, func(other side) bool { return other == s })
}

// lookup copies the value of a key out of an internal table.
func (m *space) lookup(t *dict.Table, store *dict.Store, key []byte, e *dict.Entry) ([]byte, bool, error) {
	for {
		ok, err := t.Seek(m.hash(key), key, e)
		if !ok || err != nil {
			return nil, false, err
		}
		if v := append([]byte(nil), e.Value...); store.Still(e) {
			return v, true, nil
		}
	}
}

// insert puts a key into an internal table.
func (m *space) insert(t *dict.Table, key, value []byte, c dict.Change) (bool, error) {
	d, err := m.store.Draft(key, len(value), 0, 0)
	if err != nil {
		return false, err
	}
	return m.insertDraft(t, d, key, value, c)
}

func (m *space) insertDraft(t *dict.Table, d dict.Draft, key, value []byte, c dict.Change) (bool, error) {
	copy(d.Value(), value)
	c.New = d
	done, _, err := t.Change(m.hash(key), key, &c)
	return done, err
}

func checkName(name string) error {
	if name == "" || len(name) > 128 || !utf8.ValidString(name) {
		return fmt.Errorf("%w: %q is not 1 to 128 bytes of text", ErrName, name)
	}
	return nil
}

// obtain opens the object called name, or creates it: fill makes its block. The
// empty name is that of a new object without one.
func (m *space) obtain(name string, want record, fill func(id uint64) (arena.Block, error)) (*object, error) {
	if name != "" {
		if err := checkName(name); err != nil {
			return nil, err
		}
	}
	for {
		if name != "" {
			o, err := m.byName(name)
			if err != nil {
				return nil, err
			}
			if o != nil {
				if err := o.record.match(&want); err != nil {
					m.drop(o)
					return nil, err
				}
				return o, nil
			}
		}
		o, err := m.create(want, fill)
		if err != nil || name == "" {
			return o, err
		}
		named, err := m.insert(m.names, []byte(name), idKey(o.id), dict.Change{If: dict.IfAbsent})
		if err == nil && named {
			return o, nil
		}
		m.drop(o) // somebody else was faster
		m.loosen()
		if err != nil {
			return nil, err
		}
	}
}

// is returns no error if the object is of the kind.
func (r *record) is(kind uint64) error {
	if r.kind != kind {
		return fmt.Errorf("%w: it is a %s, not a %s", ErrKind, r.kindName(), kindNames[kind])
	}
	return nil
}

// match returns no error if the object is as wanted.
func (r *record) match(want *record) error {
	if err := r.is(want.kind); err != nil {
		return err
	}
	if r.sum != want.sum {
		return fmt.Errorf("%w: it holds %s, not %s", ErrType, r.text, want.text)
	}
	return nil
}

// byName returns the object of a name; nil if there is none.
func (m *space) byName(name string) (*object, error) {
	for range nameTries {
		var e dict.Entry
		id, ok, err := m.lookup(m.names, m.store, []byte(name), &e)
		if !ok || err != nil {
			return nil, err
		}
		if len(id) != 8 {
			return nil, fmt.Errorf("%w: an id of %d bytes", ErrCorrupt, len(id))
		}
		o, err := m.hold(binary.LittleEndian.Uint64(id))
		if o != nil || err != nil {
			return o, err
		}
		// The name was taken away meanwhile, and the object with it.
	}
	return nil, fmt.Errorf("%w: %q is the name of no object", ErrCorrupt, name)
}

// nameTries is how often a name is looked up: each time it may have been given to
// another object, and that be gone.
const nameTries = 100

// create makes an object that this process has a handle of, and that is nobody
// else's yet.
func (m *space) create(r record, fill func(id uint64) (arena.Block, error)) (*object, error) {
	h := m.views.head
	fault.Point("manager.id")
	id := h.lastID.Add(1)
	b, err := fill(id)
	if err != nil {
		return nil, err
	}
	r.ref, r.inc = b.Ref, b.Inc
	o := &object{id: id, record: r, refs: 1}
	m.mu.Lock()
	m.setHandle(r.ref)
	m.open[id] = o
	m.mu.Unlock()
	_, err = m.insert(m.objects, idKey(id), r.append(nil), dict.Change{With: b})
	if err != nil {
		m.store.Arena.Abandon(b)
		m.mu.Lock()
		delete(m.open, id)
		m.mu.Unlock()
		return nil, err
	}
	return o, nil
}

// hold makes a handle of the object with the id; nil if there is none any more.
//
// It says that it is about to, looks whether the object is alive, and then sets this
// process's bit in the object's block. The collector says first that the
// object is dying, and then looks whether anybody is about to, and at the bits. One of
// the two sees the other.
func (m *space) hold(id uint64) (*object, error) {
	for try := 0; ; try++ {
		o, err := m.tryHold(id)
		if err != errDying || try == holdTries {
			if err == errDying {
				err = nil
			}
			return o, err
		}
		time.Sleep(time.Millisecond) // it may be put back
	}
}

// holdTries is how often a dying object is looked at: for the collector takes some
// microseconds to find that it must be put back.
const holdTries = 100

func (m *space) tryHold(id uint64) (*object, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if o := m.open[id]; o != nil {
		o.refs++
		return o, nil
	}
	flag := &m.views.head.opening[m.seg.Slot()]
	fault.Point("manager.opening")
	n := flag.Load() &^ 1
	flag.Store(n + 1)
	defer func() {
		fault.Point("manager.opened")
		flag.Store(n + 2)
	}()
	r, ok, err := m.recordOf(id)
	if !ok || err != nil {
		return nil, err
	}
	m.setHandle(r.ref)
	o := &object{id: id, record: r, refs: 1}
	m.open[id] = o
	return o, nil
}

// recordOf returns the record of an object. Of one that is being taken apart the
// error is errDying.
func (m *space) recordOf(id uint64) (record, bool, error) {
	r, dying, ok, err := m.inspectRecord(id, new(dict.Entry))
	if dying && err == nil {
		return record{}, false, errDying
	}
	return r, ok, err
}

// inspectRecord returns the record of an object and whether that is being taken apart, and has e
// be the record's entry.
func (m *space) inspectRecord(id uint64, e *dict.Entry) (r record, dying, ok bool, err error) {
	for {
		b, ok, err := m.lookup(m.objects, m.store, idKey(id), e)
		if !ok || err != nil {
			return r, false, false, err
		}
		if r, err = parseRecord(b); err != nil {
			return r, false, false, err
		}
		if _, size, ok := m.store.Arena.Page(r.ref); !ok || size < objectSize {
			return r, false, false, fmt.Errorf("%w: object %d has no block", ErrCorrupt, id)
		}
		dying = m.dying(r.ref).Load() != 0
		if m.store.Still(e) { // else the block may have been another's by then
			return r, dying, true, nil
		}
	}
}

// inspectObject is inspectRecord for who only looks.
func (m *space) inspectObject(id uint64) (r record, dying, ok bool, err error) {
	return m.inspectRecord(id, new(dict.Entry))
}

// dying returns the word of an object's block that says whether it is being taken apart. Only the
// collector changes it.
func (m *space) dying(ref uint64) *atomic.Uint64 {
	return &m.store.Arena.Words()[ref/8+objectDying]
}

// keep makes another use of a handle of the object; nil if there is none.
func (m *space) keep(id uint64) *object {
	m.mu.Lock()
	defer m.mu.Unlock()
	o := m.open[id]
	if o != nil {
		o.refs++
	}
	return o
}

// drop ends a use of a handle.
func (m *space) drop(o *object) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if o.refs--; o.refs > 0 {
		return
	}
	if !m.holds(&o.record) {
		m.letGo(o)
	} else if !slices.Contains(m.parked, o) {
		m.parked = append(m.parked, o)
	}
}

// letGo gives up the handle of an object that nothing in this process uses. Called with mu held.
func (m *space) letGo(o *object) {
	delete(m.open, o.id)
	switch o.record.kind {
	case kindQueue, kindBarrier: // leases that have become garbage, unfinished; a place among the parties
		if err := o.record.takeOut(m.seg, m.store, m.seg.Slot(), false); err != nil && m.opts.Logger != nil {
			m.opts.Logger.Warn("manager: giving up an object", "path", m.seg.Path(), "object", o.id, "error", err)
		}
	}
	m.clearHandle(m.store, o.record.ref, m.seg.Slot())
	m.loosen()
}

// unpark gives up what was only kept because this process held it: it may have been freed
// by others, or again be used here.
func (m *space) unpark() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.parked = slices.DeleteFunc(m.parked, func(o *object) bool {
		switch {
		case o.refs > 0:
			return true
		case m.holds(&o.record):
			return false
		}
		m.letGo(o)
		return true
	})
}

// handleWord returns the word of an object's block in which the slot's bit is.
func handleWord(store *dict.Store, ref uint64, slot int) (*atomic.Uint64, uint64) {
	return &store.Arena.Words()[ref/8+objectHandles+uint64(slot/64)], 1 << (slot % 64)
}

func (m *space) setHandle(ref uint64) {
	w, bit := handleWord(m.store, ref, m.seg.Slot())
	fault.Point("manager.handle.set")
	w.Or(bit)
	m.touch(m.store, ref)
}

// touch says that the object is in use in this cycle of the collector's. It never takes that
// back from others who have said it later.
func (m *space) touch(store *dict.Store, ref uint64) {
	w := &store.Arena.Words()[ref/8+objectTouched]
	for {
		fault.Look(w)
		was, now := w.Load(), m.views.head.cycle.Load()
		if was >= now {
			return
		}
		fault.Point("manager.handle.touch")
		if w.CompareAndSwap(was, now) {
			return
		}
	}
}

// clearHandle takes the slot's handle of an object away. Whoever had it may have stored a
// reference to the object where the collector had looked already: so it is touched first.
func (m *space) clearHandle(store *dict.Store, ref uint64, slot int) {
	m.touch(store, ref)
	w, bit := handleWord(store, ref, slot)
	fault.Point("manager.handle.clear")
	w.And(^bit)
}

// loosen says that something may not be reachable any more.
func (m *space) loosen() {
	fault.Point("manager.loose")
	m.views.head.loose.Add(1)
}

// forget takes away what a slot, whose process is dead or leaving, has of handles, and what
// it held of the objects.
func (m *space) forget(s *shm.Segment, store *dict.Store, slot int, dead bool) error {
	var errs []error
	objects, err := store.Table(m.views.head.objects.Load(), false)
	if err != nil {
		return err
	}
	var c dict.Cursor
	var b dict.Batch
	for {
		ok, err := objects.Next(&c, &b, true)
		if !ok || err != nil {
			m.loosen()
			h := m.views.head
			if h.sweeper.Load() == uint32(slot)+1 {
				fault.Point("manager.forget.sweeper")
				h.sweeper.Store(0)
			}
			if n := h.opening[slot].Load(); n&1 != 0 {
				fault.Point("manager.forget.opening")
				h.opening[slot].Store(n + 1)
			}
			return errors.Join(append(errs, err)...)
		}
		for i := range b.Len() {
			v, _ := b.Value(i)
			r, err := parseRecord(v)
			if err != nil {
				return err
			}
			if _, size, ok := store.Arena.Page(r.ref); !ok || size < objectSize {
				continue
			}
			if w, bit := handleWord(store, r.ref, slot); w.Load()&bit != 0 {
				errs = append(errs, r.takeOut(s, store, slot, dead))
				m.clearHandle(store, r.ref, slot)
			}
		}
	}
}
