package manager_test

import (
	"errors"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/shmkit/shmkit/manager"
)

// open opens a manager of its own for the test.
func open(t testing.TB, o *manager.Options) *manager.Manager {
	t.Helper()
	if o == nil {
		o = &manager.Options{}
	}
	if o.Dir == "" {
		o.Dir = tempDir(t)
	}
	m, err := manager.Open("m", o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

func newDict[K comparable, V any](t testing.TB, m *manager.Manager, name string) *manager.Dict[K, V] {
	t.Helper()
	d, err := manager.NewDict[K, V](m, name)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// collected wants a number of objects to be collected, after some cycles.
func collected(t testing.TB, m *manager.Manager, want int) {
	t.Helper()
	got := 0
	for deadline := time.Now().Add(20 * time.Second); got < want && time.Now().Before(deadline); {
		runtime.GC() // handles that nobody has any more
		n, err := m.Collect()
		must(t, err)
		got += n
		time.Sleep(time.Millisecond)
	}
	if n, _ := m.Collect(); got+n != want {
		t.Fatalf("%d objects collected, want %d", got+n, want)
	}
	clean(t, m)
}

// remain collects until so many objects are left.
func remain(t testing.TB, m *manager.Manager, want int) {
	t.Helper()
	until(t, fmt.Sprintf("%d objects remain", want), func() bool {
		runtime.GC()
		_, err := m.Collect()
		must(t, err)
		r, err := m.Fsck()
		must(t, err)
		return r.Objects == want && r.OK()
	})
}

// clean wants every block to be accounted for.
func clean(t testing.TB, m *manager.Manager) *manager.Report {
	t.Helper()
	r, err := m.Fsck()
	must(t, err)
	for _, p := range r.Problems {
		t.Error(p)
	}
	if t.Failed() {
		t.FailNow()
	}
	return r
}

func TestRemove(t *testing.T) {
	dir := tempDir(t)
	m := open(t, &manager.Options{Dir: dir})
	d := newDict[string, int](t, m, "d")
	for i := range 5000 {
		must(t, d.Set(fmt.Sprint(i), i))
	}
	other, err := manager.Open("m", &manager.Options{Dir: dir})
	must(t, err)
	e := newDict[string, int](t, other, "d")
	must(t, m.Remove("d"))
	if err := m.Remove("d"); !errors.Is(err, manager.ErrNotExist) {
		t.Errorf("removed twice: %v", err)
	}
	must(t, d.Close())
	collected(t, m, 0) // the other handle goes on
	if v, ok, err := e.Get("77"); v != 77 || !ok || err != nil {
		t.Errorf("%d, %v, %v", v, ok, err)
	}
	f := newDict[string, string](t, m, "d") // another one of the same name
	must(t, f.Set("a", "b"))
	must(t, other.Close())
	collected(t, m, 1)
	if v, ok, err := f.Get("a"); v != "b" || !ok || err != nil {
		t.Errorf("%q, %v, %v", v, ok, err)
	}
}

func TestNested(t *testing.T) {
	m := open(t, nil)
	type inner = manager.Dict[string, int]
	outer := newDict[string, *inner](t, m, "outer")
	for i := range 3 {
		d := newDict[string, int](t, m, "")
		must(t, d.Set("n", i))
		must(t, outer.Set(fmt.Sprint(i), d))
	}
	collected(t, m, 0)
	for i := range 3 {
		d, ok, err := outer.Get(fmt.Sprint(i))
		must(t, err)
		if !ok {
			t.Fatal(i)
		}
		if n, err := manager.Add(d, "n", 10); n != i+10 || err != nil {
			t.Errorf("%d, %v", n, err)
		}
	}
	kept, _, err := outer.Get("1")
	must(t, err)
	must(t, outer.Clear())
	collected(t, m, 2)
	if v, ok, err := kept.Get("n"); v != 11 || !ok || err != nil {
		t.Errorf("%d, %v, %v", v, ok, err)
	}
	must(t, outer.Set("again", kept))
	must(t, kept.Close())
	collected(t, m, 0)
	_, err = outer.Delete("again")
	must(t, err)
	collected(t, m, 1)
}

// TestCycle has dicts refer to themselves and each other.
func TestCycle(t *testing.T) {
	m := open(t, nil)
	a, b := newDict[string, *manager.Ref](t, m, ""), newDict[string, *manager.Ref](t, m, "")
	must(t, a.Set("self", a.Ref()))
	must(t, a.Set("b", b.Ref()))
	must(t, b.Set("a", a.Ref()))
	must(t, b.Close())
	collected(t, m, 0)
	r, _, err := a.Get("b")
	must(t, err)
	again, err := manager.DictOf[string, *manager.Ref](r)
	must(t, err)
	if ok, err := again.Contains("a"); !ok || err != nil {
		t.Errorf("%v, %v", ok, err)
	}
	if _, err := manager.DictOf[string, int](r); !errors.Is(err, manager.ErrType) {
		t.Errorf("as another type: %v", err)
	}
	must(t, again.Close())
	must(t, a.Close())
	r = nil
	collected(t, m, 2)
}
