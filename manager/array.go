package manager

import (
	"context"
	"fmt"
	"iter"

	"github.com/shmkit/shmkit/internal/mem"
)

// An Array is a number of values of a plain type side by side in shared memory. Each element is
// read and changed as a [Value] is, and never torn; several are not read or changed at one moment. Of
// elements that do not have 1, 2, 4 or 8 bytes one in the array is changed at a time.
//
// Its methods may be called from several goroutines. The errors are [ErrIndex], [ErrClosed] and
// [ErrCorrupt], if nothing else is said.
type Array[T any] struct{ cellsOf[T] }

// NewArray opens the array called name in m, or creates it when there is none: n elements, which
// are zero but for the first ones, given by init. With an n of 0 it only opens one, of any length. The
// empty name makes a new one without a name. It fails with [ErrKind] when the name is another kind
// of object's, with [ErrType] when it is that of an array of another type or length, with [ErrNotExist],
// [ErrNotPlain] and [ErrTooLarge].
func NewArray[T any](m *Manager, name string, n int, init ...T) (*Array[T], error) {
	a := new(Array[T])
	if err := a.obtain(m, name, kindArray, n, init); err != nil {
		return nil, wrap("open", name, err)
	}
	endWith(a.use, a)
	return a, nil
}

// UnmarshalBinary makes a a handle of the array of the reference. It fails with [ErrNotExist]
// when that is gone.
func (a *Array[T]) UnmarshalBinary(b []byte) error {
	n := new(Array[T])
	if err := n.resolve(b, kindArray); err != nil {
		return err
	}
	*a = *n
	endWith(a.use, a)
	return nil
}

// Len returns the number of elements.
func (a *Array[T]) Len() int { return a.cells.Len() }

// within begins an operation on the elements from i up to j.
func (a *Array[T]) within(op string, i, j int) error {
	if i < 0 || j < i || j > a.Len() {
		return wrap(op, a.name, fmt.Errorf("%w: %d to %d of %d", ErrIndex, i, j, a.Len()))
	}
	return a.begin(op)
}

// Get returns an element.
func (a *Array[T]) Get(i int) (x T, err error) {
	if err = a.within("get", i, i+1); err != nil {
		return x, err
	}
	err = a.load(context.Background(), i, &x)
	return x, a.end("get", err)
}

// Set changes an element.
func (a *Array[T]) Set(i int, x T) error {
	if err := a.within("set", i, i+1); err != nil {
		return err
	}
	return a.end("set", a.store(context.Background(), i, &x))
}

// Swap changes an element, and returns what it was.
func (a *Array[T]) Swap(i int, x T) (old T, err error) {
	if err = a.within("swap", i, i+1); err != nil {
		return old, err
	}
	err = a.swap(context.Background(), i, &x, &old)
	return old, a.end("swap", err)
}

// CompareAndSwap changes an element to x if it is old: see [Value.CompareAndSwap].
func (a *Array[T]) CompareAndSwap(i int, old, x T) (bool, error) {
	if err := a.within("compare and swap", i, i+1); err != nil {
		return false, err
	}
	ok, err := a.compareAndSwap(context.Background(), i, &old, &x)
	return ok, a.end("compare and swap", err)
}

// Update changes an element to what f makes of it: see [Value.Update].
func (a *Array[T]) Update(i int, f func(old T) (T, error)) (x T, err error) {
	if err = a.within("update", i, i+1); err != nil {
		return x, err
	}
	x, err = a.modify(i, f)
	return x, a.end("update", err)
}

// Add adds delta to an element and returns the sum: see [Value.Add].
func (a *Array[T]) Add(i int, delta T) (sum T, err error) {
	if err = a.within("add", i, i+1); err != nil {
		return sum, err
	}
	sum, err = a.add(i, delta)
	return sum, a.end("add", err)
}

// Slice returns a copy of the elements from i up to j.
func (a *Array[T]) Slice(i, j int) ([]T, error) {
	if err := a.within("slice", i, j); err != nil {
		return nil, err
	}
	s := make([]T, j-i)
	return s, a.end("slice", a.read(i, s))
}

// Read copies the elements from i on to dst, as many as that has room for.
func (a *Array[T]) Read(i int, dst []T) error {
	if err := a.within("read", i, i+len(dst)); err != nil {
		return err
	}
	return a.end("read", a.read(i, dst))
}

func (a *Array[T]) read(i int, dst []T) (err error) {
	for k := 0; k < len(dst) && err == nil; k++ {
		err = a.load(context.Background(), i+k, &dst[k])
	}
	return err
}

// SetSlice copies src to the elements from i on.
func (a *Array[T]) SetSlice(i int, src []T) error {
	if err := a.within("set slice", i, i+len(src)); err != nil {
		return err
	}
	var err error
	for k := 0; k < len(src) && err == nil; k++ {
		err = a.store(context.Background(), i+k, &src[k])
	}
	return a.end("set slice", err)
}

// All returns an iterator over the indices and elements. It ends early when the manager is closed.
func (a *Array[T]) All() iter.Seq2[int, T] {
	return func(yield func(int, T) bool) {
		for i := range a.Len() {
			x, err := a.Get(i)
			if err != nil || !yield(i, x) {
				return
			}
		}
	}
}

// View calls f with the elements' memory itself, for calculations in place. It is mapped until f
// returns, and must not be used afterwards. Nothing else is promised: others change it meanwhile, the
// compiler knows nothing of that, and what is written may be seen in any order and, where it has more
// than 8 bytes, half. Who needs more takes the lock, [Array.Mutex], as all others then must. A
// process that dies in f leaves what it has written. The error is f's, [ErrClosed], or [ErrType] for a
// type whose memory is not its encoding: with bools or padding in it.
func (a *Array[T]) View(f func([]T) error) error {
	if err := a.begin("view"); err != nil {
		return err
	}
	defer a.end("view", nil)
	if !a.form.flat {
		return wrap("view", a.name, fmt.Errorf("%w: %s has padding or bools", ErrType, a.form.codec.Type()))
	}
	s, err := mem.Slice[T](a.cells.Bytes(), 0, a.Len())
	if err != nil {
		return wrap("view", a.name, err)
	}
	return f(s)
}

// Mutex returns a handle of the lock that goes with the array, for changes of more than one step. The
// methods of the array don't take it.
func (a *Array[T]) Mutex() (*Lock, error) {
	l, err := a.mutex()
	return l, wrap("lock", a.name, err)
}

// String returns the array's name, length and type.
func (a *Array[T]) String() string {
	return fmt.Sprintf("%s %q: %d of %s", kindNames[kindArray], a.name, a.Len(), a.form.codec.Type())
}
