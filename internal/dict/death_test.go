//go:build faultpoints

package dict_test

import (
	"fmt"
	"maps"
	"testing"

	"github.com/shmkit/shmkit/internal/dict"
	"github.com/shmkit/shmkit/internal/fault"
)

// died is what a process panics with that dies at a crash point.
type died struct{}

// dieAt runs f and has its process die at the k-th crash point. It returns at which
// one that was; "" when f was through before.
func dieAt(k int, f func()) (step string) {
	defer fault.SetHook(nil)
	defer func() {
		if r := recover(); r != nil && r != (died{}) {
			panic(r)
		}
	}()
	n := 0
	fault.SetHook(func(s string) {
		if n++; n == k {
			step = s
			fault.SetHook(nil)
			panic(died{})
		}
	})
	f()
	return ""
}

// scene is a table in some state, and an operation on it.
type scene struct {
	name    string
	entries int
	op      func(w *world, tab *dict.Table)
	after   func(m map[string]string) // what the operation makes of the entries
}

var scenes = []scene{
	{"first", 0, func(w *world, tab *dict.Table) { w.set(tab, "new", "value", dict.Always) }, func(m map[string]string) { m["new"] = "value" }},
	{"insert", 10, func(w *world, tab *dict.Table) { w.set(tab, "new", "value", dict.Always) }, func(m map[string]string) { m["new"] = "value" }},
	{"overwrite", 10, func(w *world, tab *dict.Table) { w.set(tab, number(3), "value", dict.Always) }, func(m map[string]string) { m[number(3)] = "value" }},
	{"overwrite large", 10, func(w *world, tab *dict.Table) { w.set(tab, number(3), string(make([]byte, 40000)), dict.Always) }, func(m map[string]string) { m[number(3)] = string(make([]byte, 40000)) }},
	{"remove", 10, func(w *world, tab *dict.Table) { w.remove(tab, number(3)) }, func(m map[string]string) { delete(m, number(3)) }},
	{"refused", 10, func(w *world, tab *dict.Table) { w.set(tab, number(3), "value", dict.IfAbsent) }, func(m map[string]string) {}},
}

// telling picks the deaths that are tried: of a step that comes again and again, as the
// copying of slots does, the first ones and some of the rest.
type telling map[string]int

func (seen telling) skip(step string, k int) bool {
	seen[step]++
	return seen[step] > 3 && k%97 != 0
}

// steps returns the names of the crash points that f comes to.
func steps(f func()) (names []string) {
	fault.SetHook(func(s string) { names = append(names, s) })
	defer fault.SetHook(nil)
	f()
	return names
}

// TestDeath kills a process at each crash point of each operation, has another
// recover it, which dies at each point of that, and a third one finish. Either all
// of the operation has happened, or nothing; no block is lost; and all goes on.
func TestDeath(t *testing.T) {
	for _, sc := range append(scenes, splitScene(t)) {
		t.Run(sc.name, func(t *testing.T) {
			w, _ := sc.build(t)
			deaths, pairs, seen := 0, 0, make(telling)
			for i, step := range steps(func() { sc.op(w, w.tables[0]) }) {
				if k := i + 1; !seen.skip(step, k) {
					pairs += sc.killAt(t, k)
					deaths++
				}
			}
			t.Logf("%d deaths at %d steps, %d of recoverers", deaths, len(seen), pairs)
		})
	}
}

// killAt kills the process at its k-th crash point, and its recoverers at theirs.
func (sc *scene) killAt(t *testing.T, k int) (pairs int) {
	kill := func() (*world, map[string]string, string) {
		w, before := sc.build(t)
		step := dieAt(k, func() { sc.op(w, w.tables[0]) })
		w.dead[0] = true
		return w, before, step
	}
	w, before, step := kill()
	points := steps(func() { w.recover(1, 0) })
	sc.judge(t, w, before, fmt.Sprintf("dead at %d, %s", k, step))
	seen := make(telling)
	for i, second := range points {
		if seen.skip(second, i+1) {
			continue
		}
		w, before, _ := kill()
		dieAt(i+1, func() { w.recover(1, 0) })
		w.dead[1] = true
		w.recover(2, 0)
		w.recover(2, 1)
		sc.judge(t, w, before, fmt.Sprintf("dead at %d, %s, recoverer at %d, %s", k, step, i+1, second))
		pairs++
	}
	return pairs
}

func (sc *scene) build(t *testing.T) (*world, map[string]string) {
	w := newWorld(t, 30, 1)
	before := make(map[string]string)
	for i := range sc.entries {
		before[number(i)] = fmt.Sprint("old ", i)
		if _, err := w.set(w.tables[i%2], number(i), before[number(i)], dict.Always); err != nil {
			t.Fatal(err)
		}
	}
	return w, before
}

// judge looks whether the table is as it was before or after, and whether it can be used.
func (sc *scene) judge(t *testing.T, w *world, before map[string]string, how string) {
	t.Helper()
	want := maps.Clone(before)
	after := maps.Clone(before)
	sc.after(after)
	if got := w.all(w.tables[2]); maps.Equal(got, after) {
		want = after
	}
	defer func() {
		if t.Failed() {
			t.Log(how)
		}
	}()
	w.check(2, want)
	for i := range 3 {
		key := number(3 + i)
		if _, err := w.set(w.tables[i], key, "afterwards", dict.Always); err != nil {
			t.Fatalf("%s: %v", how, err)
		}
		want[key] = "afterwards"
	}
	w.check(3, want)
}

// splitScene is the insertion that splits a segment and doubles the directory.
func splitScene(t *testing.T) scene {
	w := newWorld(t, 30, 1)
	for i := 0; ; i++ {
		before := w.tables[0].Stats().Segments
		if _, err := w.set(w.tables[0], number(i), fmt.Sprint("old ", i), dict.Always); err != nil {
			t.Fatal(err)
		}
		if before > 0 && w.tables[0].Stats().Segments > before {
			t.Logf("the segment is split by entry %d", i)
			return scene{"split", i, func(w *world, tab *dict.Table) { w.set(tab, number(i), "value", dict.Always) },
				func(m map[string]string) { m[number(i)] = "value" }}
		}
	}
}
