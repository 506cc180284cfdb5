package manager

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"slices"

	"github.com/shmkit/shmkit/internal/arena"
	"github.com/shmkit/shmkit/internal/dict"
)

// A List is a list shared by processes: what multiprocessing.Manager().list() is to Python. Its
// elements may be of any type, and other objects of the manager by reference. Each method happens as
// a whole, at one moment, or not at all, whoever dies.
//
// Adding and taking at both ends takes the same time however long the list is; elsewhere it takes
// about as long as copying 16 bytes for each hundred elements, and what concerns all elements takes
// time for all. Reading takes no lock, but waits while a change of many elements is being made; what it
// returns was there at one moment. Changes are computed without a lock, and computed anew if others were
// faster; the error is [ErrConflict] if they were 1,000 times, which is to be reckoned with only when
// a change of very many elements meets others who never cease to change the list.
//
// As in Python, a negative index counts from the end. Where an index must be that of an element, the
// error is [ErrIndex] if it is not; ranges and the places of insertions are cut to what there is. Elements
// are equal when their encodings are.
//
// The methods may be called from several goroutines. Other errors: [ErrNoSpace], [ErrTooLarge],
// [ErrClosed], and what the encoding of an element says.
type List[T any] struct {
	part
	table  *dict.Table
	form   form[T]
	chunks chunkForm
}

// NewList opens the list called name in m, or creates it when there is none. The empty name makes
// a new one without a name, which lives as long as there are handles of it or entries whose value it
// is. It fails with [ErrKind] when the name is another kind of object's, and with [ErrType] when its
// elements are of another type.
func NewList[T any](m *Manager, name string) (*List[T], error) {
	l := new(List[T])
	want, err := l.record()
	if err == nil {
		err = l.obtain(m.space, name, want, func(id uint64) (arena.Block, error) {
			return m.store.NewTable(kindList, id, 1)
		}, l.attach)
	}
	if err != nil {
		return nil, wrap("open", name, err)
	}
	endWith(l.use, l)
	return l, nil
}

// record finds out how elements are laid out, and what the list's record must be.
func (l *List[T]) record() (r record, err error) {
	if l.form, err = formOf[T](); err != nil {
		return r, err
	}
	l.chunks.size = l.form.size
	r = record{kind: kindList, sum: l.form.codec.Sum(), text: l.form.codec.Type()}
	if l.form.refers {
		r.flags = recordRefers
	}
	return r, nil
}

func (l *List[T]) attach(o *object) (err error) {
	l.table, err = l.m.store.Table(o.record.ref, false)
	return err
}

// UnmarshalBinary makes l a handle of the list of the reference. It fails with [ErrNotExist]
// when that is gone.
func (l *List[T]) UnmarshalBinary(b []byte) error {
	n := new(List[T])
	want, err := n.record()
	if err != nil {
		return err
	}
	if err := n.resolve(b, func(r *record) error { return r.match(&want) }, n.attach); err != nil {
		return err
	}
	*l = *n
	endWith(l.use, l)
	return nil
}

// change is an operation that edits the list. The objects that vs refer to are kept until it is
// over.
func (l *List[T]) change(op string, vs []T, f func(e *edit, elems [][]byte) error) error {
	if err := l.begin(op); err != nil {
		return err
	}
	elems := make([][]byte, len(vs))
	for i := range vs {
		if l.form.refers {
			drop, err := keep(l.m, &vs[i])
			if err != nil {
				return l.end(op, err)
			}
			defer drop()
		}
		var err error
		if elems[i], err = l.form.append(nil, &vs[i]); err != nil {
			return l.end(op, err)
		}
		if len(elems[i]) > math.MaxUint32/2 {
			return l.end(op, fmt.Errorf("%w: an element of %d bytes", ErrTooLarge, len(elems[i])))
		}
	}
	return l.end(op, l.edit(func(e *edit) error { return f(e, elems) }))
}

// inspect is an operation that looks at the list.
func (l *List[T]) inspect(op string, f func(e *edit) error) error {
	if err := l.begin(op); err != nil {
		return err
	}
	return l.end(op, l.look(f))
}

func (l *List[T]) elements(elems [][]byte) ([]T, error) {
	vs := make([]T, len(elems))
	for i, b := range elems {
		if err := l.form.decode(b, &vs[i]); err != nil {
			return nil, err
		}
	}
	return vs, nil
}

// index returns i as one from the beginning, of an element.
func index(i, n int) (int, error) {
	k := i
	if i < 0 {
		k += n
	}
	if k < 0 || k >= n {
		return 0, fmt.Errorf("%w: %d of %d", ErrIndex, i, n)
	}
	return k, nil
}

// bound returns i as one from the beginning, cut to the length.
func bound(i, n int) int {
	if i < 0 {
		i += n
	}
	return min(max(i, 0), n)
}

// Append adds elements at the end.
func (l *List[T]) Append(vs ...T) error {
	return l.change("append", vs, func(e *edit, elems [][]byte) error {
		n, err := e.length()
		if err != nil {
			return err
		}
		return e.splice(n, n, elems)
	})
}

// Extend adds the elements of a sequence at the end, at one moment.
func (l *List[T]) Extend(seq iter.Seq[T]) error { return l.Append(slices.Collect(seq)...) }

// Prepend adds elements at the beginning.
func (l *List[T]) Prepend(vs ...T) error { return l.Insert(0, vs...) }

// Insert adds elements before the one at i.
func (l *List[T]) Insert(i int, vs ...T) error { return l.setSlice("insert", i, i, vs) }

// SetSlice replaces the elements from i up to j by others, as many as there may be. A j before i
// is i.
func (l *List[T]) SetSlice(i, j int, vs ...T) error { return l.setSlice("set slice", i, j, vs) }

// DeleteSlice removes the elements from i up to j.
func (l *List[T]) DeleteSlice(i, j int) error { return l.setSlice("delete slice", i, j, nil) }

// Clear removes all elements.
func (l *List[T]) Clear() error { return l.setSlice("clear", 0, math.MaxInt, nil) }

func (l *List[T]) setSlice(op string, i, j int, vs []T) error {
	return l.change(op, vs, func(e *edit, elems [][]byte) error {
		n, err := e.length()
		if err != nil {
			return err
		}
		from := bound(i, n)
		return e.splice(from, max(bound(j, n), from), elems)
	})
}

// Set replaces the element at i.
func (l *List[T]) Set(i int, v T) error {
	return l.change("set", []T{v}, func(e *edit, elems [][]byte) error {
		k, err := e.position(i)
		if err != nil {
			return err
		}
		return e.splice(k, k+1, elems)
	})
}

// Delete removes the element at i.
func (l *List[T]) Delete(i int) error {
	return l.change("delete", nil, func(e *edit, _ [][]byte) error {
		k, err := e.position(i)
		if err != nil {
			return err
		}
		return e.splice(k, k+1, nil)
	})
}

// Pop removes the element at i, and returns it.
func (l *List[T]) Pop(i int) (v T, err error) {
	err = l.change("pop", nil, func(e *edit, _ [][]byte) error {
		k, err := e.position(i)
		if err != nil {
			return err
		}
		b, err := e.get(k)
		if err == nil {
			err = l.form.decode(b, &v)
		}
		if err != nil {
			return err
		}
		return e.splice(k, k+1, nil)
	})
	return v, err
}

// PopFirst removes the first element and returns it, and false if there is none.
func (l *List[T]) PopFirst() (T, bool, error) { return l.tryPop(0) }

// PopLast removes the last element and returns it, and false if there is none.
func (l *List[T]) PopLast() (T, bool, error) { return l.tryPop(-1) }

func (l *List[T]) tryPop(i int) (v T, ok bool, err error) {
	v, err = l.Pop(i)
	if errors.Is(err, ErrIndex) {
		return v, false, nil
	}
	return v, err == nil, err
}

// PopFirstWait removes the first element and returns it. It waits until there is one, or ctx is
// done; then the error is the context's.
func (l *List[T]) PopFirstWait(ctx context.Context) (T, error) { return l.popWait(ctx, 0) }

// PopWait is [List.PopFirstWait] of the last element.
func (l *List[T]) PopWait(ctx context.Context) (T, error) { return l.popWait(ctx, -1) }

func (l *List[T]) popWait(ctx context.Context, i int) (v T, err error) {
	for {
		v, ok, err := l.tryPop(i)
		if ok || err != nil {
			return v, err
		}
		if err := l.begin("pop"); err != nil {
			return v, err
		}
		err = l.table.Wait(ctx, l.m.hash(indexKey), waitPolicy(l.m.opts.Wait), func() (some bool, err error) {
			if l.m.isClosed() {
				return false, ErrClosed
			}
			err = l.look(func(e *edit) error {
				n, err := e.length()
				some = n > 0
				return err
			})
			return some, err
		})
		if err = l.end("pop", err); err != nil {
			return v, err
		}
	}
}

// Get returns the element at i.
func (l *List[T]) Get(i int) (v T, err error) {
	err = l.inspect("get", func(e *edit) error {
		k, err := e.position(i)
		if err != nil {
			return err
		}
		b, err := e.get(k)
		if err != nil {
			return err
		}
		return l.form.decode(b, &v)
	})
	return v, err
}

// Update replaces the element at i by what f makes of it, and returns that. f is called without any lock,
// and again when others have changed the list meanwhile. An error of f is returned, and nothing is
// changed.
func (l *List[T]) Update(i int, f func(old T) (T, error)) (v T, err error) {
	err = l.change("update", nil, func(e *edit, _ [][]byte) error {
		k, err := e.position(i)
		if err != nil {
			return err
		}
		b, err := e.get(k)
		var old T
		if err == nil {
			err = l.form.decode(b, &old)
		}
		if err == nil {
			err = e.settled()
		}
		if err != nil {
			return err
		}
		if v, err = f(old); err != nil {
			return err
		}
		if l.form.refers {
			done, err := keep(l.m, &v)
			if err != nil {
				return err
			}
			e.tx.kept = append(e.tx.kept, done)
		}
		if b, err = l.form.append(nil, &v); err != nil {
			return err
		}
		return e.splice(k, k+1, [][]byte{b})
	})
	return v, err
}

// Len returns the number of elements. It is 0 when the manager is closed.
func (l *List[T]) Len() (n int) {
	l.inspect("length", func(e *edit) (err error) { n, err = e.length(); return err })
	return n
}

// Slice returns a copy of the elements from i up to j.
func (l *List[T]) Slice(i, j int) (vs []T, err error) {
	err = l.inspect("slice", func(e *edit) error {
		n, err := e.length()
		if err != nil {
			return err
		}
		from := bound(i, n)
		elems, err := e.all(from, max(bound(j, n), from))
		if err != nil {
			return err
		}
		vs, err = l.elements(elems)
		return err
	})
	return vs, err
}

// Snapshot returns a copy of all elements.
func (l *List[T]) Snapshot() ([]T, error) { return l.Slice(0, math.MaxInt) }

// All returns an iterator over the elements from the first to the last. They are read about a hundred at a
// time: what others insert or remove before that place meanwhile may have it see elements twice, or
// not at all. An error is returned with a zero element, and ends it.
func (l *List[T]) All() iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for i := 0; ; {
			vs, err := l.Slice(i, i+chunkItems)
			if err != nil {
				var zero T
				yield(zero, err)
				return
			}
			for _, v := range vs {
				if !yield(v, nil) {
					return
				}
			}
			if i += len(vs); len(vs) == 0 {
				return
			}
		}
	}
}

// search returns the indices of elements that equal v, up to most of them.
func (l *List[T]) search(e *edit, want []byte, most int) (at []int, err error) {
	n := 0
	for c := range e.index.chunks() {
		elems, err := e.elements(c)
		if err != nil {
			return nil, err
		}
		for i, b := range elems {
			if bytes.Equal(b, want) {
				if at = append(at, n+i); len(at) == most {
					return at, nil
				}
			}
		}
		n += len(elems)
	}
	return at, nil
}

func (l *List[T]) find(op string, v T, most int) (at []int, err error) {
	want, err := l.form.append(nil, &v)
	if err != nil {
		return nil, wrap(op, l.name, err)
	}
	err = l.inspect(op, func(e *edit) (err error) { at, err = l.search(e, want, most); return err })
	return at, err
}

// Index returns the index of the first element that equals v; -1 if none does.
func (l *List[T]) Index(v T) (int, error) {
	at, err := l.find("index", v, 1)
	if len(at) == 0 {
		return -1, err
	}
	return at[0], err
}

// Contains tells whether an element equals v.
func (l *List[T]) Contains(v T) (bool, error) {
	at, err := l.find("contains", v, 1)
	return len(at) > 0, err
}

// Count returns how many elements equal v.
func (l *List[T]) Count(v T) (int, error) {
	at, err := l.find("count", v, math.MaxInt)
	return len(at), err
}

// Remove removes the first element that equals v, and tells whether there was one.
func (l *List[T]) Remove(v T) (found bool, err error) {
	want, err := l.form.append(nil, &v)
	if err != nil {
		return false, wrap("remove", l.name, err)
	}
	err = l.change("remove", nil, func(e *edit, _ [][]byte) error {
		at, err := l.search(e, want, 1)
		if found = len(at) > 0; !found || err != nil {
			return err
		}
		return e.splice(at[0], at[0]+1, nil)
	})
	return found && err == nil, err
}

// rearrange replaces all elements by the same in another order.
func (l *List[T]) rearrange(op string, f func(e *edit, elems [][]byte) error) error {
	return l.change(op, nil, func(e *edit, _ [][]byte) error {
		n, err := e.length()
		if err != nil {
			return err
		}
		elems, err := e.all(0, n)
		if err != nil {
			return err
		}
		elems = slices.Clone(elems)
		if err := f(e, elems); err != nil {
			return err
		}
		return e.splice(0, n, elems)
	})
}

// Reverse reverses the order of the elements.
func (l *List[T]) Reverse() error {
	return l.rearrange("reverse", func(_ *edit, elems [][]byte) error {
		slices.Reverse(elems)
		return nil
	})
}

// Sort sorts the elements, equal ones staying in their order. compare is called without any lock, and
// the sorting begins anew when others change the list meanwhile.
func (l *List[T]) Sort(compare func(a, b T) int) error {
	type pair struct {
		v T
		b []byte
	}
	return l.rearrange("sort", func(e *edit, elems [][]byte) error {
		vs, err := l.elements(elems)
		if err == nil {
			err = e.settled()
		}
		if err != nil {
			return err
		}
		pairs := make([]pair, len(vs))
		for i := range pairs {
			pairs[i] = pair{vs[i], elems[i]}
		}
		slices.SortStableFunc(pairs, func(a, b pair) int { return compare(a.v, b.v) })
		for i := range pairs {
			elems[i] = pairs[i].b
		}
		return nil
	})
}

// SortList sorts a list of what has an order.
func SortList[T cmp.Ordered](l *List[T]) error { return l.Sort(cmp.Compare[T]) }

// String returns the list's name, length and type.
func (l *List[T]) String() string {
	return fmt.Sprintf("%s %q: %d of %s", kindNames[kindList], l.name, l.Len(), l.form.codec.Type())
}
