package manager_test

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"slices"
	"testing"

	"github.com/shmkit/shmkit/manager"
)

// The other side of a row is one of these functions, in a goroutine with a handle of its
// own, in a child that gets the manager's handle, or in an unrelated process that
// opens it by name.
var others = merged(dictOthers, objectOthers, lockOthers)

func merged(all ...map[string]func(m *manager.Manager) error) map[string]func(m *manager.Manager) error {
	one := make(map[string]func(m *manager.Manager) error)
	for _, m := range all {
		maps.Copy(one, m)
	}
	return one
}

var dictOthers = map[string]func(m *manager.Manager) error{
	"hot": hot,
	"effect": func(m *manager.Manager) error {
		d, err := manager.NewDict[string, int](m, "d")
		if err != nil {
			return err
		}
		for i := range 10 {
			if err := d.Set(fmt.Sprint(i), i*i); err != nil {
				return err
			}
		}
		_, _, err = d.Pop("mine")
		return err
	},
	"add": func(m *manager.Manager) error {
		d, err := manager.NewDict[string, int](m, "d")
		for i := 0; i < 300 && err == nil; i++ {
			_, err = manager.Add(d, "x", 1)
		}
		return err
	},
	"nested": func(m *manager.Manager) error {
		outer, err := manager.NewDict[string, *manager.Dict[string, int]](m, "outer")
		if err != nil {
			return err
		}
		in, ok, err := outer.Get("in")
		if err != nil || !ok {
			return errors.Join(err, fmt.Errorf("in: %v", ok))
		}
		if err := in.Set("theirs", 2); err != nil {
			return err
		}
		_, err = in.Delete("mine")
		return err
	},
}

var otherWays = []struct {
	name  string
	start func(t *testing.T, m *manager.Manager, dir, what string) (wait func() error)
}{
	{"goroutine", func(t *testing.T, _ *manager.Manager, dir, what string) func() error {
		n := open(t, &manager.Options{Dir: dir})
		done := make(chan error, 1)
		go func() { done <- errors.Join(others[what](n), n.Close()) }()
		return func() error { return <-done }
	}},
	{"child", func(t *testing.T, m *manager.Manager, _, what string) func() error {
		return startOther(t, m.Handle(), what)
	}},
	{"unrelated", func(t *testing.T, _ *manager.Manager, dir, what string) func() error {
		return startOther(t, dir, what)
	}},
}

// startOther runs a function of others in a process of its own, which knows the
// manager by its handle or its directory.
func startOther(t *testing.T, where, what string) func() error {
	t.Helper()
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), "SHMKIT_TEST_OTHER="+what, "SHMKIT_TEST_WHERE="+where)
	c.Stderr = os.Stderr
	must(t, c.Start())
	return c.Wait
}

// other is the main function of such a process.
func other(what, where string) {
	m, err := manager.Attach(where, nil)
	if err != nil {
		m, err = manager.OpenExisting("m", &manager.Options{Dir: where})
	}
	if err == nil {
		err = others[what](m)
	}
	if err == nil {
		err = m.Close()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, what+":", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// A row is one of Python's own tests, by its number. Other starts the other side.
type row struct {
	name string
	run  func(t *testing.T, m *manager.Manager, other func(what string) (wait func() error))
}

// TestConformance has the rows of Python's own tests of its managers' objects, and of what they do
// when processes die, by their numbers.
func TestConformance(t *testing.T) {
	dictRows := []row{
		{"M05_dict", rowDict},
		{"M06_dict_iter", rowDictIter},
		{"M07_dict_nested", rowDictNested},
		{"M07_any_nested", rowNestedRef},
		{"M12_rapid_restart", rowRestart},
		{"M14_effect_of_another_process", rowEffect},
		{"M16_dict_methods", rowDictMethods},
		{"X15_lost_increments", rowIncrements},
		{"X16_lost_mutation", rowMutation},
	}
	for _, row := range slices.Concat(dictRows, objectRows, lockRows) {
		t.Run(row.name, func(t *testing.T) {
			for _, way := range otherWays {
				t.Run(way.name, func(t *testing.T) {
					dir := tempDir(t)
					m := open(t, &manager.Options{Dir: dir})
					row.run(t, m, func(what string) func() error {
						t.Helper()
						return way.start(t, m, dir, what)
					})
					clean(t, m)
				})
			}
		})
	}
	t.Run("R01_resource_tracker", rowResourceTracker)
	t.Run("R04_named_resource", rowNamedResource)
	t.Run("X14_death_of_the_creator", rowCreatorDies)
}

// rowDict is set, copy, keys, values and items.
func rowDict(t *testing.T, m *manager.Manager, _ func(string) func() error) {
	d := newDict[int, string](t, m, "d")
	want := make(map[int]string)
	for i := 65; i < 70; i++ {
		want[i] = string(rune(i))
		must(t, d.Set(i, want[i]))
	}
	got, err := d.Snapshot()
	if !maps.Equal(got, want) || err != nil {
		t.Errorf("copy: %v, %v", got, err)
	}
	var keys []int
	for k, err := range d.Keys() {
		must(t, err)
		keys = append(keys, k)
	}
	slices.Sort(keys)
	if !slices.Equal(keys, []int{65, 66, 67, 68, 69}) {
		t.Errorf("keys: %v", keys)
	}
	var values []string
	for v, err := range d.Values() {
		must(t, err)
		values = append(values, v)
	}
	slices.Sort(values)
	if !slices.Equal(values, []string{"A", "B", "C", "D", "E"}) {
		t.Errorf("values: %v", values)
	}
	items := make(map[int]string)
	for e, err := range d.All() {
		must(t, err)
		items[e.Key] = e.Value
	}
	if !maps.Equal(items, want) {
		t.Errorf("items: %v", items)
	}
}

// rowDictIter changes the dict while it is iterated over: unlike Python's that is no
// error, and every key that stays comes exactly once.
func rowDictIter(t *testing.T, m *manager.Manager, _ func(string) func() error) {
	d := newDict[int, int](t, m, "d")
	const n = 3000
	for i := range n {
		must(t, d.Set(i, i))
	}
	seen := make(map[int]int)
	more := n
	for e, err := range d.All() {
		must(t, err)
		seen[e.Key]++
		if e.Key%2 == 1 && e.Key < n {
			_, err := d.Delete(e.Key)
			must(t, err)
		}
		must(t, d.Set(more, more)) // so many that tables are split meanwhile
		if more++; more > 4*n {
			break
		}
	}
	for k, times := range seen {
		if times > 1 {
			t.Errorf("key %d came %d times", k, times)
		}
	}
	for i := 0; i < n; i += 2 {
		if more <= 4*n && seen[i] != 1 {
			t.Errorf("key %d came %d times", i, seen[i])
		}
	}
	e := newDict[int, int](t, m, "empty")
	keys := e.Keys()
	for range 2 {
		for range keys {
			t.Error("a key in an empty dict")
		}
	}
}

// rowDictNested has a dict in a dict, changed by all paths to it.
func rowDictNested(t *testing.T, m *manager.Manager, other func(string) func() error) {
	outer := newDict[string, *manager.Dict[string, int]](t, m, "outer")
	in := newDict[string, int](t, m, "")
	must(t, in.Set("mine", 1))
	must(t, outer.Set("in", in))
	must(t, outer.Set("also", in))
	must(t, other("nested")())
	if ok, err := in.Equal(map[string]int{"theirs": 2}); !ok || err != nil {
		t.Errorf("%v, %v", ok, err)
	}
	also, _, err := outer.Get("also")
	must(t, err)
	must(t, also.Set("x", 3))
	if v, _, err := in.Get("x"); v != 3 || err != nil {
		t.Errorf("%d, %v", v, err)
	}
	must(t, outer.Clear())
	if v, _, err := in.Get("x"); v != 3 || err != nil {
		t.Errorf("after clear: %d, %v", v, err)
	}
	plain := newDict[string, []int](t, m, "plain") // stays a copy
	list := []int{1}
	must(t, plain.Set("l", list))
	list[0] = 2
	if v, _, _ := plain.Get("l"); v[0] != 1 {
		t.Error("a plain value is shared")
	}
	must(t, also.Close())
	must(t, in.Close())
	collected(t, m, 1)
}

// rowNestedRef has objects of any type as values of one dict.
func rowNestedRef(t *testing.T, m *manager.Manager, _ func(string) func() error) {
	d := newDict[string, *manager.Ref](t, m, "d")
	a, b := newDict[string, int](t, m, ""), newDict[int, string](t, m, "")
	must(t, a.Set("n", 1))
	must(t, b.Set(1, "n"))
	must(t, d.Set("a", a.Ref()))
	must(t, d.Set("b", b.Ref()))
	r, _, err := d.Get("a")
	must(t, err)
	x, err := manager.DictOf[string, int](r)
	must(t, err)
	if v, _, err := x.Get("n"); v != 1 || err != nil {
		t.Errorf("%d, %v", v, err)
	}
	if _, err := manager.DictOf[int, string](r); !errors.Is(err, manager.ErrType) {
		t.Errorf("%v", err)
	}
}

// rowRestart makes a manager of the same name right after the last one was closed.
func rowRestart(t *testing.T, _ *manager.Manager, _ func(string) func() error) {
	dir := tempDir(t)
	for range 20 {
		m, err := manager.Create("again", &manager.Options{Dir: dir})
		must(t, err)
		d := newDict[string, int](t, m, "d")
		if d.Len() != 0 {
			t.Error("it is not new")
		}
		must(t, d.Set("a", 1))
		must(t, m.Close())
	}
}

// rowEffect has another process change a dict.
func rowEffect(t *testing.T, m *manager.Manager, other func(string) func() error) {
	d := newDict[string, int](t, m, "d")
	must(t, d.Set("mine", 1))
	must(t, other("effect")())
	want := make(map[string]int)
	for i := range 10 {
		want[fmt.Sprint(i)] = i * i
	}
	if ok, err := d.Equal(want); !ok || err != nil {
		got, _ := d.Snapshot()
		t.Errorf("%v, %v", got, err)
	}
}

// rowDictMethods goes through all methods of Python's dict.
func rowDictMethods(t *testing.T, m *manager.Manager, _ func(string) func() error) {
	d := newDict[string, int](t, m, "d")
	must(t, d.SetMany(map[string]int{"a": 1, "b": 2})) // update, |=, fromkeys
	if ok, err := d.Contains("a"); !ok || err != nil {
		t.Errorf("contains: %v, %v", ok, err)
	}
	if v, ok, err := d.Get("none"); v != 0 || ok || err != nil {
		t.Errorf("get: %v, %v, %v", v, ok, err)
	}
	if v, loaded, err := d.SetDefault("c", 3); v != 3 || loaded || err != nil {
		t.Errorf("setdefault: %v, %v, %v", v, loaded, err)
	}
	if v, ok, err := d.Pop("a"); v != 1 || !ok || err != nil {
		t.Errorf("pop: %v, %v, %v", v, ok, err)
	}
	if d.Len() != 2 {
		t.Errorf("len: %d", d.Len())
	}
	if ok, err := d.Equal(map[string]int{"b": 2, "c": 3}); !ok || err != nil {
		t.Errorf("eq: %v, %v", ok, err)
	}
	if ok, err := d.Equal(map[string]int{"b": 2}); ok || err != nil {
		t.Errorf("ne: %v, %v", ok, err)
	}
	if ok, err := d.Delete("b"); !ok || err != nil {
		t.Errorf("del: %v, %v", ok, err)
	}
	if ok, err := d.Delete("b"); ok || err != nil {
		t.Errorf("del: %v, %v", ok, err)
	}
	if k, v, ok, err := d.PopItem(); k != "c" || v != 3 || !ok || err != nil {
		t.Errorf("popitem: %v, %v, %v, %v", k, v, ok, err)
	}
	must(t, d.Set("x", 1))
	must(t, d.Clear())
	if d.Len() != 0 {
		t.Errorf("clear: %d", d.Len())
	}
}

// rowIncrements has three processes add 300 times each: 900 in all, where Python
// loses half.
func rowIncrements(t *testing.T, m *manager.Manager, other func(string) func() error) {
	d := newDict[string, int](t, m, "d")
	var waits []func() error
	for range 3 {
		waits = append(waits, other("add"))
	}
	for _, wait := range waits {
		must(t, wait())
	}
	if v, _, err := d.Get("x"); v != 900 || err != nil {
		t.Errorf("%d, %v", v, err)
	}
}

// rowMutation changes what was got from a dict: a nested container is the same, and
// of a plain value Go has said that it is a copy.
func rowMutation(t *testing.T, m *manager.Manager, _ func(string) func() error) {
	d := newDict[string, *manager.Dict[int, int]](t, m, "d")
	must(t, d.Set("l", newDict[int, int](t, m, "")))
	l, _, err := d.Get("l")
	must(t, err)
	must(t, l.Set(0, 1))
	again, _, err := d.Get("l")
	must(t, err)
	if v, ok, err := again.Get(0); v != 1 || !ok || err != nil {
		t.Errorf("%d, %v, %v", v, ok, err)
	}
	p := newDict[string, []int](t, m, "p")
	must(t, p.Set("l", nil))
	v, err := p.Update("l", func(old []int, _ bool) ([]int, error) { return append(old, 1), nil })
	if !slices.Equal(v, []int{1}) || err != nil {
		t.Errorf("%v, %v", v, err)
	}
}

// rowCreatorDies kills the process that has created the manager: there is no server whose
// death would take the data along.
func rowCreatorDies(t *testing.T) {
	dir := tempDir(t)
	m, err := manager.Create("m", &manager.Options{Dir: dir})
	must(t, err)
	bank := newDict[int, int](t, m, "bank")
	for i := range accounts {
		must(t, bank.Set(i, deposit))
	}
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), "SHMKIT_TEST_VICTIM="+dir)
	must(t, c.Start())
	n := open(t, &manager.Options{Dir: dir})
	must(t, m.Close())
	must(t, c.Process.Kill())
	c.Wait()
	d := newDict[int, int](t, n, "bank")
	sum := 0
	for v, err := range d.Values() {
		must(t, err)
		sum += v
	}
	if d.Len() != accounts || sum != accounts*deposit {
		t.Errorf("%d in %d accounts", sum, d.Len())
	}
}
