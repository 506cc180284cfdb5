//go:build faultpoints

package dict_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/shmkit/shmkit/internal/dict"
	"github.com/shmkit/shmkit/internal/fault"
	"github.com/shmkit/shmkit/internal/fault/faulttest"
)

// The counterexamples to earlier sketches of the protocols, F1 to F11 of dict.md, each
// placed where it would happen, and everywhere else.

// pointsIn returns the crash points of an operation in a world.
func pointsIn(w *world, op func(w *world)) []string { return faulttest.Points(func() { op(w) }) }

// recoveryOf returns the crash points of the recovery from a death.
func recoveryOf(sc *scene, t *testing.T, k int) []string {
	w := sc.make(t)
	dead := faulttest.StandAt(k, func() { sc.op(w) })
	defer dead.End()
	return faulttest.Points(func() { w.recoverAs(1, 0) })
}

// atLook has others do f before the k-th look of what runs until the function that it
// returns is called: that tells whether it came to that.
func atLook(k int, f func()) (reached func() bool) {
	n := 0
	faulttest.LookOut(func() {
		if n++; n == k {
			f()
		}
	})
	return func() bool {
		fault.SetLookHook(nil)
		return n >= k
	}
}

// everyLook calls run with a world of its own for each look of a reader, until there
// are no more.
func everyLook(t *testing.T, make func() *world, do func(w *world), run func(w *world)) {
	t.Helper()
	for k := 1; ; k++ {
		w := make()
		reached := atLook(k, func() { do(w) })
		run(w)
		if !reached() {
			return
		}
		if t.Failed() {
			t.Fatalf("at look %d", k)
		}
	}
}

// TestF1F3F9: while a reader looks for a key, between any two of its looks, others
// replace the entry, and use its block again: for another key that is filled, or
// linked, or removed again; or they give its whole page another use, full of words that look
// like the head. The reader finds the key.
func TestF1F3F9(t *testing.T) {
	const key = "the key"
	for name, do := range map[string]func(w *world){
		"filled":   func(w *world) { w.mustSet(w.tables[1], key, "new"); w.fill("another", "uncommitted") },
		"the same": func(w *world) { w.mustSet(w.tables[1], key, "new"); w.fill(key, "uncommitted") },
		"linked":   func(w *world) { w.mustSet(w.tables[1], key, "new"); w.mustSet(w.tables[1], "another", "value") },
		"twice": func(w *world) {
			w.mustSet(w.tables[1], key, "mid")
			w.mustSet(w.tables[1], key, "new")
			w.fill(key, "uncommitted")
		},
		"away and back": func(w *world) {
			w.mustSet(w.tables[1], key, "mid")
			w.mustSet(w.tables[1], "another", "value")
			w.remove(w.tables[1], "another")
			w.mustSet(w.tables[1], key, "new")
		},
		"another use": func(w *world) {
			ref, head := w.blockOf(key)
			w.mustSet(w.tables[1], key, strings.Repeat("new", 1000))
			w.trim()
			w.fill("large", strings.Repeat("x", 130000))
			for i := range w.memory.Words[ref/8+1 : ref/8+1000] {
				w.memory.Words[ref/8+1+uint64(i)].Store(head)
			}
			w.memory.Words[ref/8].Store(head)
		},
	} {
		t.Run(name, func(t *testing.T) {
			everyLook(t, func() *world {
				w := newWorld(t, 30, 1)
				w.mustSet(w.tables[1], key, "old")
				return w
			}, do, func(w *world) {
				if v, ok := w.get(w.tables[0], key); !ok || v != "old" && v != "mid" && strings.Trim(v, "new") != "" {
					t.Errorf("%.20q, %v", v, ok)
				}
			})
			everyLook(t, func() *world {
				w := newWorld(t, 30, 1)
				w.mustSet(w.tables[1], key, "old")
				return w
			}, do, func(w *world) {
				if v, ok := w.all(w.tables[0])[key]; !ok || v != "old" && v != "mid" && strings.Trim(v, "new") != "" {
					t.Errorf("iteration: %.20q, %v", v, ok)
				}
			})
		})
	}
}

// fill makes a draft that is never linked.
func (w *world) fill(key, value string) dict.Draft {
	d, err := w.stores[1].Draft([]byte(key), len(value), 0, 0)
	if err != nil {
		w.t.Error(err)
		return d
	}
	copy(d.Value(), value)
	return d
}

// blockOf returns where the entry of a key is, and its head.
func (w *world) blockOf(key string) (at, head uint64) {
	w.tables[2].Reach(func(ref uint64, what string) bool {
		if k, ok := w.stores[2].KeyOf(ref); ok && what == "entry" && string(k) == key {
			at, head = ref, w.stores[2].Arena.HeadOf(ref).Load()
		}
		return true
	}, nil)
	return at, head
}

// TestF2F8: while a dead process's recovery stands still, at any point of it, others
// take all memory that they can get and write over it. Nothing that the recovery still needs
// is in it.
func TestF2F8(t *testing.T) {
	for _, sc := range scenes(t) {
		switch sc.name {
		case "overwrite", "another class", "large overwrite", "split", "tx of many", "tx of large", "create a table", "remove a table":
		default:
			continue
		}
		t.Run(sc.name, func(t *testing.T) {
			before := sc.make(t).contents(2)
			w := sc.make(t)
			points := faulttest.Points(func() { sc.op(w) })
			after := w.contents(2)
			seen := make(telling)
			for i, step := range points {
				if seen.skip(step, i+1) {
					continue
				}
				for j, second := range append(recoveryOf(&sc, t, i+1), "") {
					if second != "" && seen.skip(step+" "+second, j+1) {
						continue
					}
					w := sc.make(t)
					dead := faulttest.StandAt(i+1, func() { sc.op(w) })
					w.dead[0] = true
					recoverer := faulttest.StandAt(j+1, func() { w.recoverAs(1, 0) })
					for _, size := range []int{20, 40, 100, 300, 1000, 4000, 70000} {
						for range 3 {
							if d, err := w.stores[2].Draft(nil, size, 0, 0); err == nil {
								copy(d.Value(), strings.Repeat("\xff", size))
								d.Discard()
							}
						}
					}
					w.stores[2].Arena.Close()
					recoverer.Resume()
					w.dead[0] = false
					w.open(0)
					w.open(2)
					if got := w.contents(2); !maps.Equal(got, before) && !maps.Equal(got, after) {
						t.Errorf("dead at %d, %s, recovery at %s: %s", i+1, step, recoverer.Step, different(got, before, after))
					}
					w.sound(3)
					dead.End()
					if t.Failed() {
						return
					}
				}
			}
		})
	}
}

// TestF5: who redoes a split that was nearly through loses no key.
func TestF5(t *testing.T) {
	for _, sc := range splits(t)[:3] {
		points := pointsIn(sc.make(t), sc.op)
		want := sc.make(t).contents(2)
		for _, at := range []string{"dict.split.root", "dict.split.entry", "dict.split.shrink", "dict.split.clear"} {
			for n := 1; n <= 3; n++ {
				k := nth(points, at, n)
				if k == 0 {
					break
				}
				w := sc.make(t)
				dead := faulttest.StandAt(k, func() { sc.op(w) })
				w.dead[0] = true
				w.recover(1, 0)
				if got := w.contents(2); !maps.Equal(got, want) {
					t.Errorf("%s, dead at %s: %s", sc.name, at, different(got, want, want))
				}
				w.sound(2)
				dead.End()
			}
		}
	}
}

func nth(steps []string, step string, n int) int {
	for i, s := range steps {
		if s == step {
			if n--; n == 0 {
				return i + 1
			}
		}
	}
	return 0
}

// TestF6: a splitter stands still at any point, and readers find every key, once.
// And a whole split happens between any two looks of a reader.
func TestF6(t *testing.T) {
	for _, sc := range splits(t)[:3] {
		before := sc.make(t).contents(2)
		points := pointsIn(sc.make(t), sc.op)
		seen := make(telling)
		for i, step := range points {
			if seen.skip(step, i+1) {
				continue
			}
			w := sc.make(t)
			splitter := faulttest.StandAt(i+1, func() { sc.op(w) })
			got := w.contents(2)
			delete(got, "0/"+number(sc.entries)) // which may be there
			if !maps.Equal(got, before) {
				t.Fatalf("%s, stopped at %s: %s", sc.name, step, different(got, before, before))
			}
			splitter.Resume()
			w.sound(2)
		}
		for _, i := range []int{0, 1, 2, 3, sc.entries / 2, sc.entries - 1} {
			everyLook(t, func() *world { return sc.make(t) }, func(w *world) { sc.op(w) }, func(w *world) {
				if v, ok := w.get(w.tables[2], number(i)); !ok || v != fmt.Sprint("old ", i) {
					t.Errorf("%s: %q, %v", number(i), v, ok)
				}
			})
		}
		// An iteration has many looks: each seventh must do.
		for k := 1; ; k += 7 {
			w := sc.make(t)
			reached := atLook(k, func() { sc.op(w) })
			got := w.all(w.tables[2])
			more := reached()
			for i := range sc.entries {
				if got[number(i)] != fmt.Sprint("old ", i) {
					t.Fatalf("split at look %d: %s is %q", k, number(i), got[number(i)])
				}
			}
			if !more {
				break
			}
			k += k / 10
		}
	}
}

// ofStripes returns keys of different stripes of a table.
func ofStripes(n, stripes int) (keys []string) {
	seen := make(map[uint64]bool)
	for i := 0; len(keys) < n; i++ {
		stripe := hash(number(i)) / (1 << 63 / uint64(stripes) * 2)
		if !seen[stripe] {
			seen[stripe] = true
			keys = append(keys, number(i))
		}
	}
	return keys
}

// TestF7: readers of several keys see all of a transaction or nothing: it is made
// between any two of their looks; or who makes it dies in it, and so does who
// recovers it, with some of the stripes repaired.
func TestF7(t *testing.T) {
	keys := ofStripes(3, 4)
	sc := scene{stripes: 4, build: func(w *world) {
		for _, key := range keys {
			w.mustSet(w.tables[1], key, "old")
		}
	}}
	build := func() *world { return sc.make(t) }
	tx := func(w *world) {
		w.mustCommit(0, put(0, keys[0], "new"), put(0, keys[1], "new"), put(0, keys[2], "new"))
	}
	sc.op = tx
	whole := func(w *world, how string) {
		t.Helper()
		var values []string
		if err := w.tables[2].Snapshot(func() { values = values[:0] }, func(_, value []byte) error {
			values = append(values, string(value))
			return nil
		}); err != nil {
			t.Error(err)
		}
		if slices.Sort(values); len(values) != 3 || values[0] != values[2] {
			t.Fatalf("%s: %q", how, values)
		}
	}
	everyLook(t, build, tx, func(w *world) { whole(w, "in between") })

	points := pointsIn(build(), tx)
	for _, at := range []string{"dict.version", "dict.tx.commit", "dict.tx.slot", "dict.intent", "dict.unlock"} {
		for n := 2; n <= 3; n++ {
			k := nth(points, at, n)
			if k == 0 {
				k = nth(points, at, 1)
			}
			for m := 1; m <= 2; m++ {
				w := build()
				dead := faulttest.StandAt(k, func() { tx(w) })
				w.dead[0] = true
				point := nth(recoveryOf(&sc, t, k), "dict.recover.unlock", m)
				recoverer := faulttest.StandAt(point+1, func() { w.recoverAs(1, 0) })
				w.dead[1] = true
				whole(w, fmt.Sprintf("dead at %s (%d), recoverer after %d stripes", at, n, m))
				w.recover(2, 0)
				w.recover(2, 1)
				w.sound(2)
				recoverer.End()
				dead.End()
			}
		}
	}
}

// TestF10: whoever harvests a page stands still at any point of it; somebody pins and
// sees an entry; it is replaced; the harvest goes on, and gives out all it has. The
// entry stays what it is under the pin.
func TestF10(t *testing.T) {
	for _, size := range []int{100, 100000} {
		value := strings.Repeat("o", size)
		build := func() *world {
			w := newWorld(t, 30, 1)
			for i := range 40 {
				w.mustSet(w.tables[1], number(i), value)
				if size > 1000 && i == 1 {
					break
				}
			}
			for i := range 30 {
				if i != 1 {
					w.remove(w.tables[1], number(i)) // something to harvest
				}
			}
			w.trim() // nobody owns the page
			return w
		}
		take := func(w *world) {
			for range 600 {
				d, err := w.stores[0].Draft([]byte(number(1)), size, 0, 0)
				if err != nil {
					break
				}
				copy(d.Value(), strings.Repeat("x", size))
			}
		}
		seen := make(telling)
		for i, step := range pointsIn(build(), take) {
			if seen.skip(step, i+1) {
				continue
			}
			w := build()
			harvester := faulttest.StandAt(i+1, func() { take(w) })
			if _, err := w.tables[3].View(hash(number(1)), []byte(number(1)), func(b []byte) error {
				w.mustSet(w.tables[2], number(1), "new")
				harvester.Resume()
				take(w)
				if string(b) != value {
					t.Errorf("size %d, harvester stood at %s: the view changed to %.10q", size, step, b)
				}
				return nil
			}); err != nil {
				if err != dict.ErrExpired {
					t.Error(err)
				}
			}
			if t.Failed() {
				return
			}
		}
	}
}

// TestPlaceIsLookedForAgain: a transaction finds no room for one of its keys, and while it
// makes some, others take the place that it had found for another.
func TestPlaceIsLookedForAgain(t *testing.T) {
	var keys []string // all of the same two buckets
	for i := 0; len(keys) < 16; i++ {
		if h := hash(number(i)); h&(1<<11-1) == hash(number(0))&(1<<11-1) {
			keys = append(keys, number(i))
		}
	}
	w := newWorld(t, 30, 1)
	for i := range 14 {
		if i < 13 {
			w.mustSet(w.tables[1], keys[i], "there")
		}
		w.mustSet(w.others[1], keys[i], "there")
	}
	faulttest.Points(func() {
		faulttest.Between("dict.split.header", 1, func() { w.mustSet(w.tables[1], keys[13], "meanwhile") })
		w.mustCommit(0, put(0, keys[14], "tx"), put(1, keys[15], "tx"))
	})
	w.sound(2)
	if v, ok := w.get(w.tables[2], keys[13]); v != "meanwhile" {
		t.Errorf("what was set meanwhile: %q, %v", v, ok)
	}
	if v, ok := w.get(w.tables[2], keys[14]); v != "tx" {
		t.Errorf("what the transaction has set: %q, %v", v, ok)
	}
}
