package manager

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"reflect"
	"sync"

	"github.com/shmkit/shmkit/shm"
)

// A reference is a handle of an object as a value in another object. On the wire it is
// the object's id, followed by the manager's handle: so it can also travel to other
// processes by any other way.
type reference interface {
	// of returns the manager and id that it refers to; nil if there are none. What may
	// also refer to nothing has the id 0 then, on the wire too.
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

// eachReference calls visit with the ids of the objects that an entry of an object's table, which
// has references, refers to.
func (r *record) eachReference(key, value []byte, visit func(id uint64) error) error {
	if value == nil { // it has been removed since
		return nil
	}
	if r.kind != kindList {
		return visitReference(value, visit)
	}
	if bytes.Equal(key, indexKey) {
		return nil
	}
	elems, err := chunkForm{}.split(value)
	for i := 0; i < len(elems) && err == nil; i++ {
		err = visitReference(elems[i], visit)
	}
	return err
}

func visitReference(b []byte, visit func(id uint64) error) error {
	if len(b) < 8 {
		return fmt.Errorf("%w: a reference of %d bytes", ErrCorrupt, len(b))
	}
	return visit(binary.LittleEndian.Uint64(b))
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

// UnmarshalBinary makes d a handle of the dict of the reference. It fails with
// [ErrNotExist] when that is gone.
func (d *Dict[K, V]) UnmarshalBinary(b []byte) error {
	n := &Dict[K, V]{kind: kindDict}
	if d.kind != 0 {
		n.kind = d.kind
	}
	fits := func(r *record) error {
		want, err := n.forms()
		if err != nil {
			return err
		}
		return r.match(&want)
	}
	if err := n.resolve(b, fits, n.attach); err != nil {
		return err
	}
	*d = *n
	endWith(d.use, d)
	return nil
}

// referenceIn returns the reference that a value is; nil if it is a nil pointer.
func referenceIn[V any](v *V) reference {
	if reflect.ValueOf(*v).IsNil() {
		return nil
	}
	return any(*v).(reference)
}

// keep keeps the object open that a value refers to, until drop is called: so that it has a
// handle at the moment at which the reference to it is stored, whatever else becomes of the
// value. See collect.go.
func keep[V any](in *space, v *V) (drop func(), err error) {
	var m *space
	var id uint64
	if r := referenceIn(v); r != nil {
		m, id = r.of()
	}
	if m != nil && id == 0 {
		return func() {}, nil
	}
	if m == nil || m.seg.ID() != in.seg.ID() {
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
