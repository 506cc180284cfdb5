package manager

import (
	"context"
	"fmt"
	"reflect"
)

// A Value is one value of a plain type (numbers, bools, and arrays and structs of them) in shared
// memory. It is never torn, whatever its size and whoever dies: reading takes no lock. Values of 1, 2, 4
// or 8 bytes are changed by one instruction; of others one process at a time changes one, for the time
// of copying it, and one that is stopped in that moment keeps other writers waiting.
//
// Its methods may be called from several goroutines. The errors are [ErrClosed] and
// [ErrCorrupt], if nothing else is said.
type Value[T any] struct{ cellsOf[T] }

// NewValue opens the value called name in m, or creates it, being init, when there is none. The
// empty name makes a new one without a name. It fails with [ErrKind] when the name is another kind
// of object's, with [ErrType] when it is that of a value of another type, and with [ErrNotPlain].
func NewValue[T any](m *Manager, name string, init T) (*Value[T], error) {
	v := new(Value[T])
	if err := v.obtain(m, name, kindValue, 1, []T{init}); err != nil {
		return nil, wrap("open", name, err)
	}
	endWith(v.use, v)
	return v, nil
}

// UnmarshalBinary makes v a handle of the value of the reference. It fails with [ErrNotExist]
// when that is gone.
func (v *Value[T]) UnmarshalBinary(b []byte) error {
	n := new(Value[T])
	if err := n.resolve(b, kindValue); err != nil {
		return err
	}
	*v = *n
	endWith(v.use, v)
	return nil
}

// Load returns the value.
func (v *Value[T]) Load() (x T, err error) {
	if err = v.begin("load"); err != nil {
		return x, err
	}
	err = v.load(context.Background(), 0, &x)
	return x, v.end("load", err)
}

// Store changes the value.
func (v *Value[T]) Store(x T) error {
	if err := v.begin("store"); err != nil {
		return err
	}
	return v.end("store", v.store(context.Background(), 0, &x))
}

// Swap changes the value, and returns what it was.
func (v *Value[T]) Swap(x T) (old T, err error) {
	if err = v.begin("swap"); err != nil {
		return old, err
	}
	err = v.swap(context.Background(), 0, &x, &old)
	return old, v.end("swap", err)
}

// CompareAndSwap changes the value to x if it is old, and tells whether it was. Values are
// compared by their bits: 0 and -0 differ, and a NaN is itself.
func (v *Value[T]) CompareAndSwap(old, x T) (bool, error) {
	if err := v.begin("compare and swap"); err != nil {
		return false, err
	}
	ok, err := v.compareAndSwap(context.Background(), 0, &old, &x)
	return ok, v.end("compare and swap", err)
}

// Update changes the value to what f makes of it, and returns that. f is called outside of all
// locks, and again when others have changed the value meanwhile. An error of f is returned, and nothing
// is changed.
func (v *Value[T]) Update(f func(old T) (T, error)) (x T, err error) {
	if err = v.begin("update"); err != nil {
		return x, err
	}
	x, err = v.modify(0, f)
	return x, v.end("update", err)
}

// Add adds delta to the value and returns the sum: for integers, which wrap around, and floats. It
// is an [ErrType] for others.
func (v *Value[T]) Add(delta T) (sum T, err error) {
	if err = v.begin("add"); err != nil {
		return sum, err
	}
	sum, err = v.add(0, delta)
	return sum, v.end("add", err)
}

// Mutex returns a handle of the lock that goes with the value, for changes of more than one step. The
// methods of the value don't take it.
func (v *Value[T]) Mutex() (*Lock, error) {
	l, err := v.mutex()
	return l, wrap("lock", v.name, err)
}

// String returns the value's name, type and value.
func (v *Value[T]) String() string {
	x, err := v.Load()
	if err != nil {
		return fmt.Sprintf("%s %q: %v", kindNames[kindValue], v.name, err)
	}
	return fmt.Sprintf("%s %q: %v", kindNames[kindValue], v.name, x)
}

// modify changes a value to what f makes of it.
func (c *cellsOf[T]) modify(i int, f func(old T) (T, error)) (x T, err error) {
	ctx := context.Background()
	for {
		var old T
		if err := c.load(ctx, i, &old); err != nil {
			return x, err
		}
		if x, err = f(old); err != nil {
			return x, err
		}
		if ok, err := c.compareAndSwap(ctx, i, &old, &x); ok || err != nil {
			return x, err
		}
	}
}

// add adds delta to a value.
func (c *cellsOf[T]) add(i int, delta T) (T, error) {
	d := reflect.ValueOf(&delta).Elem()
	return c.modify(i, func(old T) (T, error) {
		v := reflect.ValueOf(&old).Elem()
		switch {
		case v.CanInt():
			v.SetInt(v.Int() + d.Int())
		case v.CanUint():
			v.SetUint(v.Uint() + d.Uint())
		case v.CanFloat():
			v.SetFloat(v.Float() + d.Float())
		default:
			return old, fmt.Errorf("%w: can't add to %s", ErrType, c.form.codec.Type())
		}
		return old, nil
	})
}
