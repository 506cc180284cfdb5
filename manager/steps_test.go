//go:build unix && faultpoints

package manager_test

import (
	"bufio"
	"errors"
	"fmt"
	"maps"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/shmkit/shmkit/internal/fault/faulttest"
	"github.com/shmkit/shmkit/manager"
	"github.com/shmkit/shmkit/shm"
)

var _ = addChild("step", childStep)

// A deed is what a victim does and dies in. It has a manager called m in its directory,
// but for those that open or make it.
type deed struct {
	name   string
	opens  bool // the manager, itself
	alone  bool // there is no manager before
	before func(m *manager.Manager) error
	do     func(m *manager.Manager, dir string) error

	piecewise bool // several changes, each of which happens or not

	after func(t *testing.T, m *manager.Manager) // the survivor's job beside what is the same for all
}

type counts = manager.Dict[string, int]

func countsOf(m *manager.Manager) (*counts, error) { return manager.NewDict[string, int](m, "counts") }

// on makes a deed of an operation on the dict.
func on(f func(d *counts) error) func(m *manager.Manager, _ string) error {
	return func(m *manager.Manager, _ string) error { return f(known) }
}

// known is the victim's dict, opened before the deed.
var known *counts

var deeds = append([]deed{
	{name: "create", opens: true, alone: true, do: func(_ *manager.Manager, dir string) error {
		_, err := manager.Create("m", &manager.Options{Dir: dir, MaxBytes: 4 << 20})
		return err
	}},
	{name: "open", opens: true, do: func(_ *manager.Manager, dir string) error {
		_, err := manager.Open("m", &manager.Options{Dir: dir})
		return err
	}},
	{name: "close", do: func(m *manager.Manager, _ string) error { return m.Close() }},
	{name: "new dict", do: func(m *manager.Manager, _ string) error {
		_, err := manager.NewDict[string, string](m, "another")
		return err
	}},
	{name: "open dict", do: func(m *manager.Manager, _ string) error { _, err := countsOf(m); return err }},
	{name: "nested dict", do: func(m *manager.Manager, _ string) error {
		d, err := manager.NewDict[string, int](m, "")
		if err != nil {
			return err
		}
		outer, err := manager.NewDict[string, *counts](m, "outer")
		if err != nil {
			return err
		}
		return outer.Set("in", d)
	}},
	{name: "close dict", do: on(func(d *counts) error { return d.Close() })},
	{name: "remove", before: func(m *manager.Manager) error {
		d, err := manager.NewDict[string, string](m, "another")
		if err != nil {
			return err
		}
		return d.Close()
	}, do: func(m *manager.Manager, _ string) error { return m.Remove("another") }},
	{name: "collect", before: func(m *manager.Manager) error {
		d, err := manager.NewDict[string, string](m, "another")
		if err != nil {
			return err
		}
		return errors.Join(d.Set("a", "b"), d.Set("c", "d"), d.Close(), m.Remove("another"))
	}, do: func(m *manager.Manager, _ string) error { _, err := m.Collect(); return err }},
	{name: "set new", do: on(func(d *counts) error { return d.Set("new", 1) })},
	{name: "set", do: on(func(d *counts) error { return d.Set("3", -3) })},
	{name: "set with ttl", do: on(func(d *counts) error { return d.Set("3", -3, manager.TTL(time.Hour)) })},
	{name: "set if absent", do: on(func(d *counts) error { _, err := d.SetNX("new", 1); return err })},
	{name: "delete", do: on(func(d *counts) error { _, err := d.Delete("3"); return err })},
	{name: "pop", do: on(func(d *counts) error { _, _, err := d.Pop("3"); return err })},
	{name: "update", do: on(func(d *counts) error {
		_, err := d.Update("3", func(v int, _ bool) (int, error) { return v + 100, nil })
		return err
	})},
	{name: "add", do: on(func(d *counts) error { _, err := manager.Add(d, "3", 100); return err })},
	{name: "compare and swap", do: on(func(d *counts) error { _, err := d.CompareAndSwap("3", 3, 300); return err })},
	{name: "touch", do: on(func(d *counts) error { _, err := d.Touch("3", time.Hour); return err })},
	{name: "get", do: on(func(d *counts) error { _, _, err := d.Get("3"); return err })},
	{name: "view", do: on(func(d *counts) error { _, err := d.View("3", func([]byte) error { return nil }); return err })},
	{name: "snapshot", do: on(func(d *counts) error { _, err := d.Snapshot(); return err })},
	{name: "clear", do: on(func(d *counts) error { return d.Clear() }), piecewise: true},
	{name: "tx", do: func(m *manager.Manager, _ string) error {
		return m.Tx(bg, func(tx *manager.Tx) error {
			x := known.In(tx)
			_, err := x.Delete("5")
			return errors.Join(x.Set("3", 4), x.Set("4", 3), x.Set("new", 1), err)
		})
	}},
	{name: "recover", opens: true, do: func(_ *manager.Manager, dir string) error {
		m, err := manager.Open("m", &manager.Options{Dir: dir}) // takes the dead one's slot
		if err == nil {
			m.Segment().RecoverDead()
		}
		return err
	}},
}, slices.Concat(valueDeeds(), listDeeds(), lockDeeds())...)

func deedOf(name string) *deed {
	i := slices.IndexFunc(deeds, func(d deed) bool { return d.name == name })
	return &deeds[i]
}

// childStep does the deed: "NAME DIR POINT ^STEP". It prints the name of each crash
// point that it comes to, and dies at one, counted from the step on, or behind the last.
func childStep(args []string) {
	d, dir := deedOf(args[0]), args[1]
	point, err := strconv.Atoi(args[2])
	check(err)
	var m *manager.Manager
	if !d.opens {
		m, err = manager.OpenExisting("m", &manager.Options{Dir: dir})
		check(err)
		known, err = countsOf(m)
		check(err)
		if d.before != nil {
			check(d.before(m))
		}
	}
	fmt.Println("ready")
	if _, err := bufio.NewReader(os.Stdin).ReadString('\n'); err != nil {
		return
	}
	faulttest.DieAt(point, args[3][1:], os.Stdout)
	err = d.do(m, dir)
	fmt.Println("=", err)
	faulttest.Die()
}

// stepEntries is what the dict has before.
const stepEntries = 20

// TestSteps has a process die by SIGKILL at each crash point of what it does with a
// manager, and this one, which has the manager open too, go on: it finishes a job on
// all keys, and accounts for every entry and every block.
func TestSteps(t *testing.T) {
	var mu sync.Mutex
	var took []time.Duration
	died := make(map[string]bool)
	t.Run("deeds", func(t *testing.T) {
		for _, d := range deeds {
			t.Run(d.name, func(t *testing.T) {
				t.Parallel()
				trace := stepOf(t, &d, 0, nil)
				seen, deaths := make(map[string]int), 0
				for i, step := range trace {
					seen[step]++
					if os.Getenv("SHMKIT_STEPS") != "all" && seen[step] > 2 && i%101 != 0 {
						continue
					}
					deaths++
					stepOf(t, &d, i+1, func(d time.Duration) {
						mu.Lock()
						defer mu.Unlock()
						took = append(took, d)
						died[step] = true
					})
					if t.Failed() {
						t.Fatalf("dead at %d of %d, %s", i+1, len(trace), step)
					}
				}
				t.Logf("%d deaths at %d points", deaths, len(trace))
			})
		}
	})
	slices.Sort(took)
	if len(took) > 0 {
		t.Logf("%d deaths at %d steps; the survivor's job takes %v in the median, %v at most", len(took), len(died), took[len(took)/2], took[len(took)-1])
	}
}

// stepOf has a victim die at a point of its deed, and survives. It returns the points
// that the victim came to.
func stepOf(t *testing.T, d *deed, point int, done func(time.Duration)) []string {
	t.Helper()
	dir := tempDir(t)
	defer os.RemoveAll(dir)
	var m *manager.Manager
	var mine *counts
	var err error
	if !d.alone {
		m, err = manager.Create("m", &manager.Options{Dir: dir, MaxBytes: 4 << 20})
		must(t, err)
		defer m.Close()
		mine = newDict[string, int](t, m, "counts")
		for i := range stepEntries {
			must(t, mine.Set(strconv.Itoa(i), i))
		}
	}
	if d.name == "recover" {
		c := startChild(t, "step", "tx", dir, "2", "^dict.tx.slot")
		c.hear("ready")
		c.say("go")
		c.rest()
	}
	c := startChild(t, "step", d.name, dir, strconv.Itoa(point), "^")
	c.hear("ready")
	c.say("go")
	lines := c.rest()
	if n := len(lines); point == 0 && (n == 0 || lines[n-1] != "= <nil>") {
		t.Fatalf("result %q", lines)
	} else if n > 0 && point == 0 {
		lines = lines[:n-1]
	}
	if d.alone {
		_, err := shm.Dir(dir).Sweep()
		must(t, err)
		if list, err := shm.Dir(dir).List(); err != nil || len(list) > 0 {
			t.Errorf("left behind: %v, %v", list, err)
		}
		m, err = manager.Create("m", &manager.Options{Dir: dir, MaxBytes: 4 << 20})
		must(t, err)
		defer m.Close()
		mine = newDict[string, int](t, m, "counts")
		for i := range stepEntries {
			must(t, mine.Set(strconv.Itoa(i), i))
		}
	}
	start := time.Now()
	survive(t, d, m, mine)
	if done != nil {
		done(time.Since(start))
	}
	return lines
}

// survive is the survivor's job.
func survive(t *testing.T, d *deed, m *manager.Manager, mine *counts) {
	t.Helper()
	// Reading needs nobody's recovery.
	got := make(map[string]int)
	for e, err := range mine.All() {
		must(t, err)
		got[e.Key] = e.Value
	}
	// Writing to each key waits for what the dead one held.
	for i := range stepEntries {
		if _, err := manager.Add(mine, strconv.Itoa(i), 1000); err != nil {
			t.Error(err)
		}
	}
	for _, key := range []string{"new", "newer"} {
		must(t, mine.Set(key, 2000))
	}
	seen, err := mine.Snapshot()
	must(t, err)
	before, after := make(map[string]int), make(map[string]int)
	for i := range stepEntries {
		before[strconv.Itoa(i)] = i + 1000
	}
	before["new"], before["newer"] = 2000, 2000
	maps.Copy(after, before)
	switch d.name {
	case "set", "set with ttl":
		after["3"] = 997
	case "delete", "pop":
		after["3"] = 1000
	case "update", "add":
		after["3"] = 1103
	case "compare and swap":
		after["3"] = 1300
	case "tx", "recover":
		after["3"], after["4"], after["5"] = 1004, 1003, 1000
	case "clear":
		for i := range stepEntries {
			after[strconv.Itoa(i)] = 1000
		}
	}
	if !d.piecewise && !maps.Equal(seen, before) && !maps.Equal(seen, after) {
		t.Errorf("neither before nor after: %v", seen)
	}
	for key, v := range seen {
		if v != before[key] && v != after[key] {
			t.Errorf("%s is %d", key, v)
		}
		if w, ok := got[key]; ok && key != "new" && w+1000 != before[key] && w+1000 != after[key] {
			t.Errorf("%s was %d", key, w)
		}
	}
	if len(seen) != len(before) {
		t.Errorf("%d entries", len(seen))
	}
	must(t, m.Tx(bg, func(tx *manager.Tx) error {
		return errors.Join(mine.In(tx).Set("tx", 1), mine.In(tx).Set("3", 1))
	}))
	if d.after != nil {
		d.after(t, m)
	}
	other := newDict[string, string](t, m, "another")
	must(t, other.Set("a", "b"))
	m.Segment().RecoverDead()
	must(t, other.Close())
	if err := m.Remove("another"); err != nil {
		t.Error(err)
	}
	if err := m.Remove("outer"); err != nil && !errors.Is(err, manager.ErrNotExist) {
		t.Error(err)
	}
	for n := 0; ; n++ {
		if _, err := m.Collect(); err != nil {
			t.Error(err)
		}
		r, err := m.Fsck()
		must(t, err)
		if r.Objects == 1 && r.OK() {
			break
		}
		if n == 50 {
			t.Errorf("%d objects, %s", r.Objects, strings.Join(r.Problems, "; "))
			break
		}
		runtime.GC() // ends the use of queues
	}
}
