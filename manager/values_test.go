package manager_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"
	"sync"
	"testing"

	"github.com/shmkit/shmkit/manager"
)

type point struct{ X, Y, Z float64 }

type padded struct {
	A bool
	B int64
	C [3]uint8
}

// testValue tries all operations of a value with two handles of the manager.
func testValue[T comparable](t *testing.T, a, b T) {
	t.Helper()
	t.Run(fmt.Sprintf("%T", a), func(t *testing.T) {
		dir := tempDir(t)
		m, n := open(t, &manager.Options{Dir: dir}), open(t, &manager.Options{Dir: dir})
		v, err := manager.NewValue(m, "v", a)
		must(t, err)
		w, err := manager.NewValue(n, "v", b) // it is there already
		must(t, err)
		check := func(want T) {
			t.Helper()
			for _, h := range []*manager.Value[T]{v, w} {
				if x, err := h.Load(); x != want || err != nil {
					t.Errorf("%v, %v, want %v", x, err, want)
				}
			}
		}
		check(a)
		must(t, w.Store(b))
		check(b)
		if old, err := v.Swap(a); old != b || err != nil {
			t.Error(old, err)
		}
		check(a)
		if ok, err := w.CompareAndSwap(b, b); ok || err != nil {
			t.Error(ok, err)
		}
		if ok, err := w.CompareAndSwap(a, b); !ok || err != nil {
			t.Error(ok, err)
		}
		check(b)
		if x, err := v.Update(func(old T) (T, error) { return a, nil }); x != a || err != nil {
			t.Error(x, err)
		}
		check(a)
		refuse := errors.New("no")
		if _, err := v.Update(func(old T) (T, error) { return b, refuse }); !errors.Is(err, refuse) {
			t.Error(err)
		}
		check(a)
		l, err := v.Mutex()
		must(t, err)
		theirs, err := w.Mutex()
		must(t, err)
		must(t, l.Lock(bg))
		if ok, err := theirs.TryLock(); ok || err != nil {
			t.Error(ok, err)
		}
		must(t, l.Unlock())

		arr, err := manager.NewArray(m, "a", 5, a, b)
		must(t, err)
		brr, err := manager.NewArray[T](n, "a", 0)
		must(t, err)
		var zero T
		must(t, brr.Set(4, b))
		if s, err := arr.Slice(0, 5); err != nil || !slices.Equal(s, []T{a, b, zero, zero, b}) {
			t.Error(s, err)
		}
		must(t, arr.SetSlice(1, []T{a, a, b}))
		if s, err := brr.Slice(0, brr.Len()); err != nil || !slices.Equal(s, []T{a, a, a, b, b}) {
			t.Error(s, err)
		}
		for _, bad := range []error{
			arr.Set(5, a), arr.Set(-1, a), arr.SetSlice(3, []T{a, a, a}), arr.Read(4, make([]T, 2)),
		} {
			if !errors.Is(bad, manager.ErrIndex) {
				t.Error(bad)
			}
		}
		if old, err := arr.Swap(0, b); old != a || err != nil {
			t.Error(old, err)
		}
		if ok, err := brr.CompareAndSwap(0, b, a); !ok || err != nil {
			t.Error(ok, err)
		}
		for i, x := range arr.All() {
			if want := []T{a, a, a, b, b}[i]; x != want {
				t.Error(i, x)
			}
		}
		if _, err := manager.NewArray[T](n, "a", 6); !errors.Is(err, manager.ErrType) {
			t.Error(err)
		}
		r, err := m.Fsck()
		must(t, err)
		if !r.OK() {
			t.Error(r.Problems)
		}
	})
}

func TestValues(t *testing.T) {
	testValue(t, int64(-5), math.MaxInt64)
	testValue(t, uint8(3), 255)
	testValue(t, int16(-3), 77)
	testValue(t, uint32(1<<31), 5)
	testValue(t, float32(1.5), -2.5)
	testValue(t, 1.5, math.Inf(-1))
	testValue(t, true, false)
	testValue(t, [3]byte{1, 2, 3}, [3]byte{4, 5, 6})
	testValue(t, point{1, 2, 3}, point{4, 5, 6})
	testValue(t, padded{true, 1, [3]uint8{1, 2, 3}}, padded{false, -1, [3]uint8{4, 5, 6}})
	testValue(t, [1000]int32{1: 5}, [1000]int32{999: 7})
}

// TestAdd adds to elements that share a word, from several goroutines.
func TestAdd(t *testing.T) {
	dir := tempDir(t)
	m, n := open(t, &manager.Options{Dir: dir}), open(t, &manager.Options{Dir: dir})
	var wg sync.WaitGroup
	const each = 2000
	for i := range 8 {
		wg.Go(func() {
			a, err := manager.NewArray[uint16]([]*manager.Manager{m, n}[i%2], "a", 4)
			if err != nil {
				t.Error(err)
				return
			}
			for range each {
				if _, err := a.Add(i%4, 1); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	a, err := manager.NewArray[uint16](m, "a", 0)
	must(t, err)
	if s, err := a.Slice(0, 4); err != nil || !slices.Equal(s, []uint16{2 * each, 2 * each, 2 * each, 2 * each}) {
		t.Error(s, err)
	}
	f, err := manager.NewValue(m, "f", 0.5)
	must(t, err)
	if sum, err := f.Add(0.25); sum != 0.75 || err != nil {
		t.Error(sum, err)
	}
	b, err := manager.NewValue(m, "b", true)
	must(t, err)
	if _, err := b.Add(true); !errors.Is(err, manager.ErrType) {
		t.Error(err)
	}
	if _, err := manager.NewValue(m, "s", "text"); !errors.Is(err, manager.ErrNotPlain) || !errors.Is(err, manager.ErrType) {
		t.Error(err)
	}
}

// TestWideIsWhole reads wide elements while others write them: never half of one.
func TestWideIsWhole(t *testing.T) {
	dir := tempDir(t)
	m, n := open(t, &manager.Options{Dir: dir}), open(t, &manager.Options{Dir: dir})
	type wide [100]int64
	of := func(x int64) (w wide) {
		for i := range w {
			w[i] = x
		}
		return w
	}
	a, err := manager.NewArray[wide](m, "a", 2)
	must(t, err)
	b, err := manager.NewArray[wide](n, "a", 2)
	must(t, err)
	stop := make(chan struct{})
	var writers sync.WaitGroup
	for i, h := range []*manager.Array[wide]{a, b, b} {
		writers.Go(func() {
			for x := int64(i); ; x += 3 {
				select {
				case <-stop:
					return
				default:
				}
				if err := h.Set(int(x)%2, of(x)); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for range 20000 {
		for i := range 2 {
			w, err := a.Get(i)
			must(t, err)
			if w != of(w[0]) {
				t.Fatal(w)
			}
		}
	}
	close(stop)
	writers.Wait()
}

func TestArrayView(t *testing.T) {
	m := open(t, &manager.Options{Dir: tempDir(t)})
	a, err := manager.NewArray[float64](m, "a", 1000)
	must(t, err)
	must(t, a.View(func(s []float64) error {
		for i := range s {
			s[i] = float64(i)
		}
		return nil
	}))
	if x, err := a.Get(999); x != 999 || err != nil {
		t.Error(x, err)
	}
	p, err := manager.NewArray[padded](m, "p", 10)
	must(t, err)
	if err := p.View(func([]padded) error { return nil }); !errors.Is(err, manager.ErrType) {
		t.Error(err)
	}
}

func TestCounter(t *testing.T) {
	dir := tempDir(t)
	m := open(t, &manager.Options{Dir: dir})
	c, err := manager.NewCounter(m, "c")
	must(t, err)
	for range 5 { // each in a slot that others had
		n, err := manager.OpenExisting("m", &manager.Options{Dir: dir})
		must(t, err)
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				d, err := manager.NewCounter(n, "c")
				for i := 0; i < 1000 && err == nil; i++ {
					err = d.Add(2)
				}
				if err = errors.Join(err, d.Add(-1000)); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		must(t, n.Close())
	}
	if n, err := c.Load(); n != 5*4*1000 || err != nil {
		t.Error(n, err)
	}
}

func TestObject(t *testing.T) {
	dir := tempDir(t)
	m, n := open(t, &manager.Options{Dir: dir}), open(t, &manager.Options{Dir: dir})
	type account struct {
		Balance, Turns int64
		History        [8]int64
	}
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			o, err := manager.NewObject[account]([]*manager.Manager{m, n}[i%2], "account")
			for k := 0; k < 500 && err == nil; k++ {
				err = o.With(bg, func(a *account) error {
					a.Balance += int64(i)
					a.History[a.Turns%8] = int64(i)
					runtime.Gosched()
					a.Turns++
					return nil
				})
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	o, err := manager.NewObject[account](m, "account")
	must(t, err)
	refuse := errors.New("no")
	if err := o.With(bg, func(a *account) error { a.Balance = 0; return refuse }); !errors.Is(err, refuse) {
		t.Error(err)
	}
	func() {
		defer func() { _ = recover() }()
		o.With(bg, func(a *account) error { a.Balance = 0; panic("no") })
	}()
	a, err := o.Load()
	if a.Balance != 500*(0+1+2+3) || a.Turns != 2000 || err != nil {
		t.Error(a, err)
	}
	if _, ok := o.Owner(); ok {
		t.Error(o)
	}
	ctx, cancel := context.WithCancel(bg)
	cancel()
	must(t, o.With(bg, func(*account) error {
		p, err := manager.NewObject[account](n, "account")
		must(t, err)
		if err := p.With(ctx, func(*account) error { return nil }); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		return nil
	}))
}

func TestNamespace(t *testing.T) {
	dir := tempDir(t)
	m, n := open(t, &manager.Options{Dir: dir}), open(t, &manager.Options{Dir: dir})
	a, err := manager.NewNamespace(m, "ns")
	must(t, err)
	b, err := manager.NewNamespace(n, "ns")
	must(t, err)
	must(t, manager.SetAttr(a, "x", 10))
	must(t, manager.SetAttr(a, "_y", "hidden"))
	must(t, manager.SetAttr(a, "m", map[string][]int{"a": {1, 2}}))
	if x, err := manager.Attr[int](b, "x"); x != 10 || err != nil {
		t.Error(x, err)
	}
	if x, err := manager.Attr[map[string][]int](b, "m"); x["a"][1] != 2 || err != nil {
		t.Error(x, err)
	}
	if _, err := manager.Attr[string](b, "x"); !errors.Is(err, manager.ErrType) {
		t.Error(err)
	}
	if _, err := manager.Attr[string](b, "z"); !errors.Is(err, manager.ErrNotFound) {
		t.Error(err)
	}
	// An object that only an attribute refers to.
	d, err := manager.NewDict[string, int](m, "")
	must(t, err)
	must(t, d.Set("k", 5))
	must(t, manager.SetAttr(a, "d", d))
	must(t, d.Close())
	for range 3 {
		_, err := m.Collect()
		must(t, err)
	}
	e, err := manager.Attr[*manager.Dict[string, int]](b, "d")
	must(t, err)
	if v, ok, err := e.Get("k"); v != 5 || !ok || err != nil {
		t.Error(v, ok, err)
	}
	if names, err := b.Names(); err != nil || !slices.Equal(names, []string{"_y", "d", "m", "x"}) {
		t.Error(names, err)
	}
	if s := b.String(); s != `namespace "ns": d, m, x` {
		t.Error(s)
	}
	if ok, err := b.Delete("d"); !ok || err != nil {
		t.Error(ok, err)
	}
	r, err := m.Fsck()
	must(t, err)
	if !r.OK() {
		t.Error(r.Problems)
	}
}

func TestSet(t *testing.T) {
	dir := tempDir(t)
	m, n := open(t, &manager.Options{Dir: dir}), open(t, &manager.Options{Dir: dir})
	a, err := manager.NewSet[string](m, "s")
	must(t, err)
	b, err := manager.NewSet[string](n, "s")
	must(t, err)
	must(t, a.AddAll(slices.Values([]string{"a", "b", "c"})))
	if added, err := b.Add("c"); added || err != nil {
		t.Error(added, err)
	}
	if ok, err := b.Contains("b"); !ok || err != nil {
		t.Error(ok, err)
	}
	if ok, err := b.Remove("z"); ok || err != nil {
		t.Error(ok, err)
	}
	must(t, b.Retain(func(s string) bool { return s != "a" }))
	if ok, err := a.Equal(map[string]struct{}{"b": {}, "c": {}}); !ok || err != nil {
		t.Error(ok, err)
	}
	if _, ok, err := a.Pop(); !ok || err != nil || b.Len() != 1 {
		t.Error(ok, err, b.Len())
	}
	must(t, a.Clear())
	if _, ok, err := b.Pop(); ok || err != nil {
		t.Error(ok, err)
	}
	if _, err := manager.NewDict[string, struct{}](m, "s"); !errors.Is(err, manager.ErrKind) {
		t.Error(err)
	}
}

// TestObjectsAsValues has each kind of object be a value of a dict.
func TestObjectsAsValues(t *testing.T) {
	dir := tempDir(t)
	m, n := open(t, &manager.Options{Dir: dir}), open(t, &manager.Options{Dir: dir})
	nested(t, m, n, func() (*manager.Lock, error) { return manager.NewLock(m, "") }, (*manager.Lock).Unlock, manager.ErrNotLocked)
	nested(t, m, n, func() (*manager.RLock, error) { return manager.NewRLock(m, "") }, (*manager.RLock).Unlock, manager.ErrNotOwner)
	nested(t, m, n, func() (*manager.RWLock, error) { return manager.NewRWLock(m, "") }, (*manager.RWLock).RUnlock, manager.ErrNotLocked)
	nested(t, m, n, func() (*manager.Semaphore, error) { return manager.NewBoundedSemaphore(m, "", 1) }, (*manager.Semaphore).Release, manager.ErrReleased)
	nested(t, m, n, func() (*manager.Event, error) { return manager.NewEvent(m, "") }, (*manager.Event).Set, nil)
	nested(t, m, n, func() (*manager.Cond, error) { return manager.NewCond(m, "", nil) }, (*manager.Cond).NotifyAll, manager.ErrNotOwner)
	nested(t, m, n, func() (*manager.Barrier, error) { return manager.NewBarrier(m, "", 3, nil) }, (*manager.Barrier).Abort, nil)
	nested(t, m, n, func() (*manager.Value[int], error) { return manager.NewValue(m, "", 5) }, func(v *manager.Value[int]) error { return v.Store(1) }, nil)
	nested(t, m, n, func() (*manager.Array[int], error) { return manager.NewArray[int](m, "", 5) }, func(v *manager.Array[int]) error { return v.Set(7, 1) }, manager.ErrIndex)
	nested(t, m, n, func() (*manager.Object[point], error) { return manager.NewObject[point](m, "") },
		func(v *manager.Object[point]) error { return v.With(bg, func(*point) error { return nil }) }, nil)
	nested(t, m, n, func() (*manager.Counter, error) { return manager.NewCounter(m, "") }, func(v *manager.Counter) error { return v.Add(1) }, nil)
	nested(t, m, n, func() (*manager.Namespace, error) { return manager.NewNamespace(m, "") }, func(v *manager.Namespace) error { return manager.SetAttr(v, "x", 1) }, nil)
	nested(t, m, n, func() (*manager.Set[int], error) { return manager.NewSet[int](m, "") }, (*manager.Set[int]).Clear, nil)
	for range 2 {
		_, err := m.Collect()
		must(t, err)
	}
	r, err := m.Fsck()
	must(t, err)
	if !r.OK() {
		t.Error(r.Problems)
	}
}

func nested[T any](t *testing.T, m, n *manager.Manager, make func() (T, error), use func(T) error, want error) {
	t.Helper()
	o, err := make()
	must(t, err)
	name := fmt.Sprintf("of %T", o)
	d, err := manager.NewDict[string, T](m, name)
	must(t, err)
	must(t, d.Set("it", o))
	e, err := manager.NewDict[string, T](n, name)
	must(t, err)
	v, ok, err := e.Get("it")
	if !ok || err != nil {
		t.Fatal(name, ok, err)
	}
	if err := use(v); !errors.Is(err, want) {
		t.Errorf("%s: %v, want %v", name, err, want)
	}
}
