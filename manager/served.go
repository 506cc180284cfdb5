package manager

import (
	"context"
	"fmt"
)

// An Object is a value of a user's own plain type that processes change one after the other: what a
// class registered with Python's BaseManager is, without the server. [Object.With] gives one process at a
// time a copy, and makes what becomes of that the value in one step: so a process that dies in between
// has changed nothing.
//
// Its methods may be called from several goroutines.
type Object[T any] struct {
	cellsOf[T]
	lock *Lock
}

// NewObject opens the object called name in m, or creates it, with T's zero value, when there is none.
// The empty name makes a new one without a name. It fails with [ErrKind] when the name is another
// kind of object's, with [ErrType] when it is that of another type, and with [ErrNotPlain].
func NewObject[T any](m *Manager, name string) (*Object[T], error) {
	o := new(Object[T])
	err := o.obtain(m, name, kindObject, 1, nil)
	if err == nil {
		o.lock, err = o.mutex()
	}
	if err != nil {
		return nil, wrap("open", name, err)
	}
	endWith(o.use, o)
	return o, nil
}

// UnmarshalBinary makes o a handle of the object of the reference. It fails with [ErrNotExist]
// when that is gone.
func (o *Object[T]) UnmarshalBinary(b []byte) (err error) {
	n := new(Object[T])
	if err = n.resolve(b, kindObject); err != nil {
		return err
	}
	if n.lock, err = n.mutex(); err != nil {
		n.use.end()
		return err
	}
	*o = *n
	endWith(o.use, o)
	return nil
}

// With calls f, while no other With of the object runs in any process, with a copy of the value.
// When f returns nil, what is in the copy then becomes the value; with an error, or if f panics or the
// process dies, the value stays as it was. It blocks until it is its turn. The error is f's, the
// context's if that ends before, or [ErrClosed].
//
// f may take its time and call anything but With of the same object, which would wait for itself.
func (o *Object[T]) With(ctx context.Context, f func(*T) error) error {
	if err := o.begin("with"); err != nil {
		return err
	}
	// What died with the lock has changed nothing.
	return o.end("with", o.lock.With(ctx, func(error) error {
		var v T
		if err := o.load(ctx, 0, &v); err != nil {
			return err
		}
		if err := f(&v); err != nil {
			return err
		}
		return o.store(context.WithoutCancel(ctx), 0, &v)
	}))
}

// Load returns the value. It takes no lock: beside a With it is what it was before.
func (o *Object[T]) Load() (v T, err error) {
	if err = o.begin("load"); err != nil {
		return v, err
	}
	err = o.load(context.Background(), 0, &v)
	return v, o.end("load", err)
}

// Owner returns which process is in With; false if none is. The answer may be old.
func (o *Object[T]) Owner() (Owner, bool) { return o.lock.Owner() }

// Close ends the handle: see [Lock.Close].
func (o *Object[T]) Close() error {
	o.lock.Close()
	return o.part.Close()
}

// String returns the object's name, type, and who changes it.
func (o *Object[T]) String() string {
	owner, ok := o.Owner()
	return describeLock(fmt.Sprintf("%s of %s", kindNames[kindObject], o.form.codec.Type()), o.name, owner, ok)
}
