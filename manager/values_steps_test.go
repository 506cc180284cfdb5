//go:build unix && faultpoints

package manager_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/shmkit/shmkit/manager"
	"github.com/shmkit/shmkit/ringqueue"
)

type wide [40]int64

func wideOf(x int64) (w wide) {
	for i := range w {
		w[i] = x
	}
	return w
}

// An objectDeed makes a deed of an operation on an object called x, which open opens. After it
// the survivor checks what has become of it.
func objectDeed[T interface{ Close() error }](name string, open func(m *manager.Manager) (T, error), do func(T) error, check func(t *testing.T, x T)) deed {
	var victims T
	return deed{
		name:   name,
		before: func(m *manager.Manager) (err error) { victims, err = open(m); return err },
		do:     func(*manager.Manager, string) error { return do(victims) },
		after: func(t *testing.T, m *manager.Manager) {
			x, err := open(m)
			must(t, err)
			check(t, x)
			must(t, x.Close())
			must(t, m.Remove("x"))
		},
	}
}

// valueDeeds are those on values and what is made like them.
func valueDeeds() []deed {
	narrow := func(m *manager.Manager) (*manager.Array[uint16], error) {
		return manager.NewArray[uint16](m, "x", 3, 1, 1, 1)
	}
	// checkNarrow wants the element to be what it was, or want, and changes it.
	checkNarrow := func(want uint16) func(t *testing.T, x *manager.Array[uint16]) {
		return func(t *testing.T, x *manager.Array[uint16]) {
			v, err := x.Get(1)
			if err != nil || v != 1 && v != want {
				t.Error(v, err)
			}
			if sum, err := x.Add(1, 5); sum != v+5 || err != nil {
				t.Error(sum, err)
			}
		}
	}
	value := func(m *manager.Manager) (*manager.Value[wide], error) {
		return manager.NewValue(m, "x", wideOf(1))
	}
	checkWide := func(t *testing.T, x *manager.Value[wide]) {
		v, err := x.Load()
		if err != nil || v != wideOf(1) && v != wideOf(2) {
			t.Error(v, err)
		}
		must(t, x.Store(wideOf(3)))
		if v, err := x.Load(); err != nil || v != wideOf(3) {
			t.Error(v, err)
		}
	}
	queue := func(m *manager.Manager) (*manager.Queue[int], error) {
		q, err := manager.NewQueue[int](m, "x", &ringqueue.Options{Capacity: 4096})
		if err == nil && q.Len() == 0 {
			err = errors.Join(q.TryPut(1), q.TryPut(2))
		}
		return q, err
	}
	// checkQueue wants the queue to have the items from one of two numbers up to one of two.
	checkQueue := func(from, to [2]int) func(t *testing.T, q *manager.Queue[int]) {
		return func(t *testing.T, q *manager.Queue[int]) {
			var got []int
			for {
				v, err := q.TryGet()
				if err != nil {
					break
				}
				got = append(got, v)
			}
			for i, v := range got {
				if v != got[0]+i {
					t.Error(got)
				}
			}
			if len(got) == 0 || !slices.Contains(from[:], got[0]) || !slices.Contains(to[:], got[len(got)-1]) {
				t.Error(got)
			}
			must(t, q.Put(bg, 5))
			if v, err := q.Get(bg); v != 5 || err != nil {
				t.Error(v, err)
			}
		}
	}
	return []deed{
		objectDeed("put", queue, func(q *manager.Queue[int]) error { return q.Put(bg, 3) }, checkQueue([2]int{1, 1}, [2]int{2, 3})),
		objectDeed("take", queue, func(q *manager.Queue[int]) error { _, err := q.Get(bg); return err }, checkQueue([2]int{1, 2}, [2]int{2, 2})),
		objectDeed("receive", queue, func(q *manager.Queue[int]) error {
			d, err := q.Receive(bg)
			if err != nil {
				return err
			}
			return d.Ack()
		}, checkQueue([2]int{1, 2}, [2]int{2, 2})),
		{name: "new value", do: func(m *manager.Manager, _ string) error { _, err := value(m); return err },
			after: func(t *testing.T, m *manager.Manager) {
				x, err := value(m)
				must(t, err)
				checkWide(t, x)
				must(t, x.Close())
				must(t, m.Remove("x"))
			}},
		objectDeed("store", value, func(x *manager.Value[wide]) error { return x.Store(wideOf(2)) }, checkWide),
		objectDeed("swap", value, func(x *manager.Value[wide]) error { _, err := x.Swap(wideOf(2)); return err }, checkWide),
		objectDeed("compare and swap a value", value, func(x *manager.Value[wide]) error {
			_, err := x.CompareAndSwap(wideOf(1), wideOf(2))
			return err
		}, checkWide),
		objectDeed("set an element", narrow, func(x *manager.Array[uint16]) error { return x.Set(1, 2) }, checkNarrow(2)),
		objectDeed("add to an element", narrow, func(x *manager.Array[uint16]) error { _, err := x.Add(1, 2); return err }, checkNarrow(3)),
		objectDeed("with an object", func(m *manager.Manager) (*manager.Object[wide], error) { return manager.NewObject[wide](m, "x") },
			func(x *manager.Object[wide]) error {
				return x.With(bg, func(w *wide) error { *w = wideOf(w[0] + 1); return nil })
			},
			func(t *testing.T, x *manager.Object[wide]) {
				v, err := x.Load()
				if err != nil || v != wideOf(0) && v != wideOf(1) {
					t.Error(v, err)
				}
				must(t, x.With(bg, func(w *wide) error {
					if *w != v {
						t.Error(*w, v)
					}
					return nil
				}))
			}),
		objectDeed("count", func(m *manager.Manager) (*manager.Counter, error) { return manager.NewCounter(m, "x") },
			func(x *manager.Counter) error { return errors.Join(x.Add(1), x.Add(1)) },
			func(t *testing.T, x *manager.Counter) {
				if n, err := x.Load(); n < 0 || n > 2 || err != nil {
					t.Error(n, err)
				}
			}),
		objectDeed("set an attribute", func(m *manager.Manager) (*manager.Namespace, error) { return manager.NewNamespace(m, "x") },
			func(x *manager.Namespace) error { return manager.SetAttr(x, "a", 1) },
			func(t *testing.T, x *manager.Namespace) {
				if v, err := manager.Attr[int](x, "a"); (v != 1 || err != nil) && !errors.Is(err, manager.ErrNotFound) {
					t.Error(v, err)
				}
			}),
		objectDeed("add to a set", func(m *manager.Manager) (*manager.Set[string], error) { return manager.NewSet[string](m, "x") },
			func(x *manager.Set[string]) error { _, err := x.Add("a"); return err },
			func(t *testing.T, x *manager.Set[string]) {
				if _, err := x.Add("a"); err != nil || x.Len() != 1 {
					t.Error(err, x.Len())
				}
			}),
	}
}
