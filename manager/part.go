package manager

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/shmkit/shmkit/internal/arena"
)

// A part is what the handles of all kinds of objects have in common. They embed it.
type part struct {
	m      *space
	name   string
	object *object
	use    *use
}

// obtain opens the object called name in m, or creates it with the block that fill makes, and
// has attach make the rest of the handle.
func (p *part) obtain(m *space, name string, want record, fill func(id uint64) (arena.Block, error), attach func(*object) error) error {
	if err := m.seg.Acquire(); err != nil {
		return err
	}
	defer m.seg.Release()
	p.m, p.name = m, name
	o, err := m.obtain(name, want, fill)
	if err != nil {
		return err
	}
	if name == "" {
		p.name = fmt.Sprintf("#%d", o.id)
	}
	return p.settle(o, attach)
}

// resolve makes p a handle of the object that the bytes refer to, if fits returns no error.
func (p *part) resolve(b []byte, fits func(*record) error, attach func(*object) error) error {
	m, o, err := resolve(b)
	if err != nil {
		return err
	}
	if err := m.seg.Acquire(); err != nil {
		return err // with the manager's handle the object's was given up
	}
	defer m.seg.Release()
	p.m, p.name = m, fmt.Sprintf("#%d", o.id)
	if err := fits(&o.record); err != nil {
		m.drop(o)
		return err
	}
	return p.settle(o, attach)
}

// settle ends the making of a handle. The use of the object is p's, or it is over.
func (p *part) settle(o *object, attach func(*object) error) error {
	p.object, p.use = o, &use{m: p.m, o: o}
	if err := attach(o); err != nil {
		p.use.end()
		return err
	}
	return nil
}

// A use is a handle's use of its object, which ends once.
type use struct {
	once sync.Once
	m    *space
	o    *object
	last func() // what is to be done before; may be nil

	closed atomic.Bool // the handle is
}

func (u *use) end() {
	u.once.Do(func() {
		if u.m.seg.Acquire() != nil {
			return // with the manager's handle all of its objects' were given up
		}
		defer u.m.seg.Release()
		if u.last != nil {
			u.last()
		}
		u.m.drop(u.o)
	})
}

// endWith has the use end with what the user has of it: p becomes garbage.
func endWith[T any](u *use, p *T) { runtime.AddCleanup(p, (*use).end, u) }

// Name returns the object's name. One without a name has "#" and a number.
func (p *part) Name() string { return p.name }

// AppendBinary appends a reference to the object: with that it can be a value in a [Dict] or a
// [List] of the same manager, or go to another process in a message.
func (p *part) AppendBinary(b []byte) ([]byte, error) {
	if p.m == nil {
		return b, fmt.Errorf("%w: an object that is none", ErrNotExist)
	}
	return appendReference(b, p.m, p.object.id), nil
}

// MarshalBinary returns a reference to the object.
func (p *part) MarshalBinary() ([]byte, error) { return p.AppendBinary(nil) }

func (p *part) of() (*space, uint64) {
	if p.m == nil {
		return nil, 0
	}
	return p.m, p.object.id
}

// Close ends the handle: operations that begin later return [ErrClosed]. Those that have begun go on,
// and keep the object: it is given up when the handle has become garbage, which it would be without
// Close too. Other handles of the object, in this process too, go on.
func (p *part) Close() error {
	p.use.closed.Store(true)
	return nil
}
