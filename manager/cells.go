package manager

import (
	"context"
	"errors"
	"fmt"

	"github.com/shmkit/shmkit/internal/cells"
	"github.com/shmkit/shmkit/internal/mem"
)

// ErrIndex is returned for an index, or a range of them, that is not there.
var ErrIndex = errors.New("index out of range")

// ErrNotPlain is returned for a type whose values have no fixed size, or none at all: what has
// pointers, strings, slices or maps in it. It is also an [ErrType].
var ErrNotPlain = fmt.Errorf("%w: not a plain type", ErrType)

// cellsOf are values of a plain type in the object's own memory: what [Value], [Array] and [Object]
// are made of. Before them is a lock for users.
type cellsOf[T any] struct {
	part
	form  form[T]
	cells *cells.Cells
}

// cellsBase is where they begin, behind the users' lock.
const cellsBase = lineSize

// obtain opens or creates an object of count values; 0 opens one of any number.
func (c *cellsOf[T]) obtain(m *Manager, name string, kind uint64, count int, init []T) error {
	r, err := c.plain(kind)
	if err != nil {
		return err
	}
	size, err := cells.Size(max(count, 1), c.form.size)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrTooLarge, err)
	}
	fill := func(b []byte) error {
		if count == 0 {
			return ErrNotExist
		}
		if len(init) > count {
			return fmt.Errorf("%w: %d values for %d elements", ErrIndex, len(init), count)
		}
		if err := cells.Init(b[cellsBase:], count, c.form.size); err != nil {
			return err
		}
		n, err := cells.View(b[cellsBase:])
		for i := 0; i < len(init) && err == nil; i++ {
			err = c.fill(n.Bytes()[i*c.form.size:], &init[i])
		}
		return err
	}
	if err := c.obtainWords(m, name, r, cellsBase+size, fill, c.attach); err != nil {
		return err
	}
	if n := c.cells.Len(); count != 0 && n != count {
		c.use.end()
		return fmt.Errorf("%w: it has %d elements, not %d", ErrType, n, count)
	}
	return nil
}

// plain finds out how values are laid out, and what the object's record must be.
func (c *cellsOf[T]) plain(kind uint64) (r record, err error) {
	if c.form, err = formOf[T](); err != nil {
		return r, err
	}
	size, fixed := c.form.codec.Fixed()
	if !fixed || size == 0 {
		return r, fmt.Errorf("%w: %s", ErrNotPlain, c.form.codec.Type())
	}
	c.form.size = size
	return record{kind: kind, sum: c.form.codec.Sum(), text: c.form.codec.Type()}, nil
}

func (c *cellsOf[T]) attach(b []byte) (err error) {
	m := c.m
	c.cells, err = sideOf(m, c.object, func() (*cells.Cells, error) {
		return cells.Open(m.seg, b[cellsBase:], m.sideOptions())
	})
	if err == nil && c.cells.Width() != c.form.size {
		err = fmt.Errorf("%w: cells of %d bytes for values of %d", ErrCorrupt, c.cells.Width(), c.form.size)
	}
	return err
}

// resolve makes c a handle of the object that the bytes refer to.
func (c *cellsOf[T]) resolve(b []byte, kind uint64) error {
	want, err := c.plain(kind)
	if err != nil {
		return err
	}
	return c.part.resolve(b, func(r *record) error { return r.match(&want) }, c.attachWords(c.attach))
}

// mutex returns a handle of the users' lock of the object.
func (c *cellsOf[T]) mutex() (*Lock, error) {
	if err := c.m.seg.Acquire(); err != nil {
		return nil, err
	}
	defer c.m.seg.Release()
	o := c.m.keep(c.object.id)
	if o == nil {
		return nil, ErrClosed
	}
	l := &Lock{part: part{m: c.m, name: c.name}}
	if err := l.settle(o, l.attachWords(l.attach)); err != nil {
		return nil, err
	}
	endWith(l.use, l)
	return l, nil
}

// fill puts the encoding of v into b.
func (c *cellsOf[T]) fill(b []byte, v *T) error {
	if c.form.flat {
		mem.Put(b, v)
		return nil
	}
	got, err := c.form.codec.Append(b[:0:c.form.size], v)
	if err == nil && len(got) != c.form.size {
		err = fmt.Errorf("%w: %d bytes of %s", ErrCorrupt, len(got), c.form.codec.Type())
	}
	return err
}

// A narrow value travels in the low bytes of a word.
func (c *cellsOf[T]) toWord(v *T) (uint64, error) {
	var w uint64
	err := c.fill(mem.BytesOf(&w), v)
	return w, err
}

func (c *cellsOf[T]) fromWord(w uint64, v *T) error {
	return c.form.decode(mem.BytesOf(&w)[:c.form.size], v)
}

// load reads a value.
func (c *cellsOf[T]) load(ctx context.Context, i int, v *T) error {
	if c.cells.Narrow() {
		return c.fromWord(c.cells.Load(i), v)
	}
	if c.form.flat {
		return c.cells.Read(ctx, i, mem.BytesOf(v))
	}
	buf := buffer(c.form.size)
	defer buffers.Put(buf)
	if err := c.cells.Read(ctx, i, *buf); err != nil {
		return err
	}
	return c.form.decode(*buf, v)
}

// store changes a value.
func (c *cellsOf[T]) store(ctx context.Context, i int, v *T) error {
	if c.cells.Narrow() {
		w, err := c.toWord(v)
		if err == nil {
			c.cells.Store(i, w)
		}
		return err
	}
	return c.update(ctx, i, func([]byte) (*T, bool) { return v, true })
}

// swap changes a value and sets *old to what it was.
func (c *cellsOf[T]) swap(ctx context.Context, i int, v, old *T) error {
	if c.cells.Narrow() {
		w, err := c.toWord(v)
		if err != nil {
			return err
		}
		return c.fromWord(c.cells.Swap(i, w), old)
	}
	was := buffer(c.form.size)
	defer buffers.Put(was)
	err := c.update(ctx, i, func(now []byte) (*T, bool) {
		mem.Copy(*was, now)
		return v, true
	})
	if err != nil {
		return err
	}
	return c.form.decode(*was, old)
}

// compareAndSwap changes a value if its encoding is that of old, and tells whether it was.
func (c *cellsOf[T]) compareAndSwap(ctx context.Context, i int, old, v *T) (done bool, err error) {
	if c.cells.Narrow() {
		from, err := c.toWord(old)
		if err != nil {
			return false, err
		}
		to, err := c.toWord(v)
		return err == nil && c.cells.CompareAndSwap(i, from, to), err
	}
	want := buffer(c.form.size)
	defer buffers.Put(want)
	if err := c.fill(*want, old); err != nil {
		return false, err
	}
	err = c.update(ctx, i, func(now []byte) (*T, bool) {
		done = mem.Equal(now, *want)
		return v, done
	})
	return done && err == nil, err
}

// update changes a wide value to what f returns, unless that is false. f is called with the
// value's encoding in shared memory, while nobody else writes.
func (c *cellsOf[T]) update(ctx context.Context, i int, f func(now []byte) (*T, bool)) error {
	var fillErr error
	err := c.cells.Update(ctx, i, func(now, next []byte) bool {
		v, ok := f(now)
		if ok {
			fillErr = c.fill(next, v)
		}
		return ok && fillErr == nil
	})
	return errors.Join(err, fillErr)
}

// buffer returns a buffer of n bytes from the pool.
func buffer(n int) *[]byte {
	b := buffers.Get().(*[]byte)
	if cap(*b) < n {
		*b = make([]byte, n)
	}
	*b = (*b)[:n]
	return b
}
