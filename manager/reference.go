package manager

import (
	"encoding/binary"
	"fmt"
	"runtime"
	"sync"

	"github.com/shmkit/shmkit/shm"
)

// A reference is a handle of an object as a value in another object. On the wire it is
// the object's id, followed by the manager's handle: so it can also travel to other
// processes by any other way.
type reference interface {
	// of returns the manager and id that it refers to; nil if there are none.
	of() (*space, uint64)
	AppendBinary(b []byte) ([]byte, error)
	UnmarshalBinary(b []byte) error
}

// spaces are the managers that this process has open, by segment: a reference that is
// decoded is one of the same handle.
var spaces struct {
	mu   sync.Mutex
	open map[[16]byte][]*space
}

// enlist makes the manager known to references.
func (m *space) enlist() {
	spaces.mu.Lock()
	defer spaces.mu.Unlock()
	if spaces.open == nil {
		spaces.open = make(map[[16]byte][]*space)
	}
	id := m.seg.ID()
	spaces.open[id] = append(spaces.open[id], m)
}

// delist is the opposite.
func (m *space) delist() {
	spaces.mu.Lock()
	defer spaces.mu.Unlock()
	id := m.seg.ID()
	list := spaces.open[id]
	for i := range list {
		if list[i] == m {
			list = append(list[:i:i], list[i+1:]...)
			break
		}
	}
	if len(list) == 0 {
		delete(spaces.open, id)
	} else {
		spaces.open[id] = list
	}
}

// spaceOf returns a manager of this process for the handle, which it opens if it has none.
// One that is opened here stays open until the process ends.
func spaceOf(handle string) (*space, error) {
	id, err := shm.HandleID(handle)
	if err != nil {
		return nil, err
	}
	spaces.mu.Lock()
	list := spaces.open[id]
	spaces.mu.Unlock()
	if len(list) > 0 {
		return list[0], nil
	}
	m, err := Attach(handle, nil)
	if err != nil {
		return nil, err
	}
	return m.space, nil
}

// appendReference appends a reference as it stands in shared memory.
func appendReference(b []byte, m *space, id uint64) []byte {
	return append(binary.LittleEndian.AppendUint64(b, id), m.seg.Handle()...)
}

// resolve returns a handle of the object of a reference.
func resolve(b []byte) (*space, *object, error) {
	if len(b) < 8 {
		return nil, nil, fmt.Errorf("%w: a reference of %d bytes", ErrCorrupt, len(b))
	}
	m, err := spaceOf(string(b[8:]))
	if err != nil {
		return nil, nil, err
	}
	if err := m.seg.Acquire(); err != nil {
		return nil, nil, err
	}
	defer m.seg.Release()
	id := binary.LittleEndian.Uint64(b)
	o, err := m.hold(id)
	if err == nil && o == nil {
		err = fmt.Errorf("%w: object %d", ErrNotExist, id)
	}
	return m, o, err
}

// AppendBinary appends a reference to the dict.
func (d *Dict[K, V]) AppendBinary(b []byte) ([]byte, error) {
	if d == nil || d.m == nil {
		return b, fmt.Errorf("%w: a dict that is none", ErrNotExist)
	}
	return appendReference(b, d.m, d.object.id), nil
}

// MarshalBinary returns a reference to the dict.
func (d *Dict[K, V]) MarshalBinary() ([]byte, error) { return d.AppendBinary(nil) }

// UnmarshalBinary makes d a handle of the dict of the reference. It fails with
// [ErrNotExist] when that is gone.
func (d *Dict[K, V]) UnmarshalBinary(b []byte) error {
	m, o, err := resolve(b)
	if err != nil {
		return err
	}
	if err := m.seg.Acquire(); err != nil {
		return err // with the manager's handle the object's was given up
	}
	defer m.seg.Release()
	n := &Dict[K, V]{m: m, name: fmt.Sprintf("#%d", o.id)}
	want, err := n.forms()
	if err == nil {
		err = o.record.match(&want)
	}
	if err == nil {
		err = n.attach(o)
	}
	if err != nil {
		m.drop(o)
		return err
	}
	*d = *n
	d.watchOver()
	return nil
}

func (d *Dict[K, V]) of() (*space, uint64) {
	if d == nil || d.m == nil {
		return nil, 0
	}
	return d.m, d.object.id
}

// keep keeps the object open that a value refers to, until drop is called: so that it has a
// handle at the moment at which the reference to it is stored, whatever else becomes of the
// value. See collect.go.
func (d *Dict[K, V]) keep(v *V) (drop func(), err error) {
	m, id := any(*v).(reference).of()
	if m == nil || m.seg.ID() != d.m.seg.ID() {
		return nil, fmt.Errorf("%w: the value is no object of this manager", ErrNotExist)
	}
	if err := m.seg.Acquire(); err != nil {
		return nil, err
	}
	o := m.keep(id)
	if o == nil {
		m.seg.Release()
		return nil, fmt.Errorf("%w: the value", ErrClosed)
	}
	return func() {
		m.drop(o)
		m.seg.Release()
	}, nil
}

// A use is a handle's use of its object, which ends once.
type use struct {
	once sync.Once
	m    *space
	o    *object
}

func (u *use) end() {
	u.once.Do(func() {
		if u.m.seg.Acquire() != nil {
			return // with the manager's handle all of its objects' were given up
		}
		defer u.m.seg.Release()
		u.m.drop(u.o)
	})
}

// endWith has the use end with what the user has of it.
func endWith[T any](u *use, p *T) { runtime.AddCleanup(p, (*use).end, u) }

// watchOver has the use of the object end with the Dict.
func (d *Dict[K, V]) watchOver() {
	d.use = &use{m: d.m, o: d.object}
	endWith(d.use, d)
}

// Close gives this handle of the dict up. It is not needed for the sake of memory: a
// handle that nothing refers to any more is given up by the garbage collector. Other handles of the
// dict, in this process too, go on. The handle must not be used afterwards.
func (d *Dict[K, V]) Close() error {
	d.use.end()
	return nil
}
