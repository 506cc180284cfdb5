//go:build faultpoints

package dict_test

import (
	"encoding/binary"
	"fmt"
	"maps"
	"os"
	"testing"

	"github.com/shmkit/shmkit/internal/arena"
	"github.com/shmkit/shmkit/internal/dict"
	"github.com/shmkit/shmkit/internal/fault/faulttest"
)

// stepsAll asks for the death of each recoverer at each point of its recovery. Without
// it, of the recoveries that are alike, some are tried.
var stepsAll = os.Getenv("SHMKIT_STEPS") == "all"

// A scene is a world in some state, and what process 0 does in it.
type scene struct {
	name      string
	chunks    int // 0: 30
	stripes   int // 0: 1
	entries   int // in the first table
	heat      bool
	build     func(w *world)
	op        func(w *world)
	finish    func(w *world) // what somebody else must do before the tables can be used; nil: nothing
	piecewise bool           // several changes, each of which happens or not
}

// make builds the scene.
func (sc *scene) make(t *testing.T) *world {
	chunks, stripes := sc.chunks, sc.stripes
	if chunks == 0 {
		chunks = 30
	}
	if stripes == 0 {
		stripes = 1
	}
	w := newWorld(t, chunks, stripes)
	if sc.heat {
		w.heat = true
		for i := range slots {
			w.open(i)
		}
	}
	for i := range sc.entries {
		w.mustSet(w.tables[i%2], number(i), fmt.Sprint("old ", i))
	}
	if sc.build != nil {
		sc.build(w)
	}
	return w
}

// TestDeath kills a process at each crash point of each operation, has another
// recover it, which dies at each point of that, and a third one finish. Either all
// of the operation has happened, or nothing; no block is lost; and all goes on.
func TestDeath(t *testing.T) {
	died := map[string]bool{"dict.lock.slow": true, "dict.lock.wait": true} // see TestDeathBesideWaiters
	for _, sc := range scenes(t) {
		t.Run(sc.name, func(t *testing.T) {
			k := &killer{t: t, scene: &sc, pairs: make(telling), died: died}
			k.before = sc.make(t).contents(2)
			w := sc.make(t)
			points := faulttest.Points(func() { sc.op(w) })
			k.after = w.contents(2)
			if sc.finish != nil {
				k.before = k.after
			}
			k.judge(w, "nobody died", k.after, k.after)
			seen := make(telling)
			for i, step := range points {
				if died[step] = true; !seen.skip(step, i+1) {
					k.at(i+1, step)
				}
			}
			t.Logf("%d deaths at %d steps, %d of recoverers", k.deaths, len(seen), k.second)
		})
	}
	for _, step := range pointsOf(t, ".", "dict") {
		if !died[step] {
			t.Errorf("nobody has died at %s", step)
		}
	}
}

// A killer is one run of TestDeath.
type killer struct {
	t             *testing.T
	scene         *scene
	before, after map[string]string
	deaths        int
	second        int
	pairs         telling
	died          map[string]bool // steps
}

// at kills the process at its k-th crash point, and its recoverers at theirs.
func (k *killer) at(n int, step string) {
	k.t.Helper()
	w, dead := k.kill(n, step)
	points := faulttest.Points(func() { w.recover(1, 0) })
	k.judge(w, fmt.Sprintf("dead at %d, %s", n, step), k.before, k.after)
	dead.End()
	k.deaths++
	for i, second := range points {
		if !stepsAll && k.pairs.skip(step+" "+second, i+1) {
			continue
		}
		w, dead := k.kill(n, step)
		again := faulttest.StandAt(i+1, func() { w.recoverAs(1, 0) })
		w.dead[1] = true
		w.recover(2, 0)
		w.recover(2, 1)
		k.judge(w, fmt.Sprintf("dead at %d, %s, recoverer at %d, %s", n, step, i+1, second), k.before, k.after)
		again.End()
		dead.End()
		k.died[second] = true
		k.second++
	}
}

func (k *killer) kill(n int, step string) (*world, *faulttest.Standstill) {
	k.t.Helper()
	w := k.scene.make(k.t)
	dead := faulttest.StandAt(n, func() { k.scene.op(w) })
	if dead.Step != step {
		k.t.Fatalf("point %d was %s, is %q", n, step, dead.Step)
	}
	w.dead[0] = true
	return w, dead
}

// judge looks whether the tables are as they were before or after, whether they can
// be used, and whether all memory can.
func (k *killer) judge(w *world, how string, before, after map[string]string) {
	k.t.Helper()
	defer func() {
		if k.t.Failed() {
			k.t.Log(how)
			k.t.FailNow()
		}
	}()
	if k.scene.finish != nil {
		k.scene.finish(w)
	}
	got := w.contents(2)
	if !k.scene.piecewise && !maps.Equal(got, before) && !maps.Equal(got, after) {
		k.t.Errorf("neither as before nor as after: %s", different(got, before, after))
	}
	for key := range got {
		if got[key] != before[key] && got[key] != after[key] {
			k.t.Errorf("%s is %.20q, was %.20q, should be %.20q", key, got[key], before[key], after[key])
		}
	}
	for key, v := range after {
		if _, ok := got[key]; !ok && before[key] == v {
			k.t.Errorf("%s is gone", key)
		}
	}
	w.sound(2)
	w.use(got)
	w.sound(3)
	w.empty()
}

func different(got, before, after map[string]string) (s string) {
	for _, m := range []map[string]string{before, after} {
		n := 0
		for key := range got {
			if v, ok := m[key]; !ok || v != got[key] {
				n++
			}
		}
		for key := range m {
			if _, ok := got[key]; !ok {
				n++
			}
		}
		s += fmt.Sprintf("%d entries differ; ", n)
	}
	return s
}

// contents returns the entries of both tables as a process finds them by iteration,
// and compares that with what it finds by their keys.
func (w *world) contents(by int) map[string]string {
	w.t.Helper()
	m := make(map[string]string)
	for i, tab := range []*dict.Table{w.tables[by], w.others[by]} {
		for key := range w.all(tab) {
			v, ok := w.get(tab, key) // large values are not copied by iteration
			if !ok {
				w.t.Errorf("%q is found by iteration only", key)
			}
			m[fmt.Sprint(i, "/", key)] = v
		}
	}
	return m
}

// use has all processes work on both tables, and looks at the result in all ways.
func (w *world) use(want map[string]string) {
	w.t.Helper()
	if w.full {
		for key := range want {
			w.remove(w.tableOf(2, key), key[2:])
		}
		clear(want)
		w.trim()
	}
	for i := range 3 {
		for j, tab := range []*dict.Table{w.tables[i], w.others[i]} {
			for _, key := range []string{number(3 + i), fmt.Sprint("afterwards ", i)} {
				w.mustSet(tab, key, "afterwards")
				want[fmt.Sprint(j, "/", key)] = "afterwards"
			}
			w.remove(tab, number(6+i))
			delete(want, fmt.Sprint(j, "/", number(6+i)))
		}
		w.mustCommit(i, put(0, number(3), fmt.Sprint("tx ", i)), put(1, number(4), fmt.Sprint("tx ", i)), cut(0, number(5)))
		want["0/"+number(3)], want["1/"+number(4)] = fmt.Sprint("tx ", i), fmt.Sprint("tx ", i)
		delete(want, "0/"+number(5))
	}
	if got := w.contents(0); !maps.Equal(got, want) {
		w.t.Errorf("afterwards: %s", different(got, want, want))
	}
	snapshot := make(map[string]string)
	for i, tab := range []*dict.Table{w.tables[1], w.others[1]} {
		part := make(map[string]string)
		if err := tab.Snapshot(func() { clear(part) }, func(key, value []byte) error {
			part[fmt.Sprint(i, "/", string(key))] = string(value)
			return nil
		}); err != nil {
			w.t.Error(err)
		}
		maps.Copy(snapshot, part)
	}
	if !maps.Equal(snapshot, want) {
		w.t.Errorf("snapshot: %s", different(snapshot, want, want))
	}
}

func (w *world) tableOf(by int, key string) *dict.Table {
	if key[0] == '0' {
		return w.tables[by]
	}
	return w.others[by]
}

// trim has all processes give back what they have at hand, as their housekeeping does.
func (w *world) trim() {
	for range 3 {
		for _, s := range w.stores {
			s.Arena.Trim(always)
		}
	}
}

// empty removes everything and wants all chunks but those of the tables free again.
func (w *world) empty() {
	w.t.Helper()
	for _, unpin := range w.pins {
		unpin()
	}
	if v, ok := w.get(w.tables[1], "table"); ok {
		ref := binary.LittleEndian.Uint64([]byte(v))
		with := arena.Block{Ref: ref, Inc: arena.Inc(w.stores[1].Arena.HeadOf(ref).Load())}
		w.must(w.tables[1].Change(hash("table"), []byte("table"), &dict.Change{With: with}))
	}
	for _, tab := range []*dict.Table{w.tables[1], w.others[1]} {
		for i := range tab.Stripes() {
			for range tab.Rounds(i) {
				if _, err := tab.Evict(i, 1000, dict.All); err != nil {
					w.t.Fatal(err)
				}
			}
		}
	}
	w.trim()
	r := w.sound(3)
	inUse := make(map[uint64]bool)
	w.reach(3)(func(ref uint64, _ string) bool {
		inUse[(ref-uint64(w.geo.ChunksOff()))/arena.ChunkSize] = true
		return true
	})
	if r.Chunks-r.Holes-r.Unused > len(inUse) {
		w.t.Errorf("%d chunks with something in them, %d in use: %+v", r.Chunks-r.Holes-r.Unused, len(inUse), r)
	}
}

// always says that nobody is reading.
func always() bool { return true }
