package dict_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/shmkit/shmkit/internal/dict"
)

// TestModel has three processes work on a table in turn, and compares it with a map.
func TestModel(t *testing.T) {
	for _, stripes := range []int{1, 8} {
		for seed := range uint64(5) {
			rng := rand.New(rand.NewPCG(seed, 7))
			w := newWorld(t, 200, stripes)
			want := make(map[string]string)
			for step := range 20000 {
				tab := w.tables[rng.IntN(3)]
				key := number(rng.IntN(3000))
				old, present := want[key]
				switch rng.IntN(8) {
				case 0, 1, 2:
					value := fmt.Sprint(step, " ", key)[:rng.IntN(8)]
					if ok, err := w.set(tab, key, value, dict.Always); !ok || err != nil {
						t.Fatalf("set: %v, %v", ok, err)
					}
					want[key] = value
				case 3:
					if ok, err := w.set(tab, key, "absent", dict.IfAbsent); ok == present || err != nil {
						t.Fatalf("set if absent: %v, %v, present %v", ok, err, present)
					} else if ok {
						want[key] = "absent"
					}
				case 4:
					if ok, err := w.set(tab, key, "present", dict.IfPresent); ok != present || err != nil {
						t.Fatalf("set if present: %v, %v, present %v", ok, err, present)
					} else if ok {
						want[key] = "present"
					}
				case 5:
					if found := w.remove(tab, key); found != present {
						t.Fatalf("remove: %v, present %v", found, present)
					}
					delete(want, key)
				default:
					if v, ok := w.get(tab, key); ok != present || v != old {
						t.Fatalf("seed %d, step %d: get %q: %q, %v, want %q, %v", seed, step, key, v, ok, old, present)
					}
				}
			}
			w.check(3, want)
			st := w.tables[3].Stats()
			t.Logf("%d stripes, seed %d: %+v", stripes, seed, st)
		}
	}
}

// TestFill inserts as many entries as there is room for, and removes them all.
func TestFill(t *testing.T) {
	w := newWorld(t, 100, 4)
	want := make(map[string]string)
	for i := 0; ; i++ {
		if _, err := w.set(w.tables[i%2], number(i), "0123456789", dict.Always); err != nil {
			t.Logf("%d entries: %v; %+v", i, err, w.tables[0].Stats())
			break
		}
		want[number(i)] = "0123456789"
	}
	w.check(2, want)
	for key := range want {
		if !w.remove(w.tables[2], key) {
			t.Fatalf("%q is missing", key)
		}
	}
	clear(want)
	w.check(3, want)
	for i := range 10000 {
		if _, err := w.set(w.tables[0], number(i), "0123456789", dict.Always); err != nil {
			t.Fatal(i, err)
		}
	}
}

// TestExpiry sets entries with a time.
func TestExpiry(t *testing.T) {
	w := newWorld(t, 100, 1)
	tab := w.tables[0]
	for i := range 1000 {
		key := []byte(number(i))
		d, err := w.stores[0].Draft(key, 3, 0, uint64(1+i))
		if err != nil {
			t.Fatal(err)
		}
		copy(d.Value(), "abc")
		tab.Change(hash(string(key)), key, &dict.Change{New: d})
	}
	w.clock = 500 // entries 0 to 499 are over
	if n := len(w.all(tab)); n != 500 {
		t.Errorf("%d entries", n)
	}
	if ok, _ := w.set(tab, number(3), "new", dict.IfPresent); ok {
		t.Error("an expired entry is present")
	}
	if ok, _ := w.set(tab, number(3), "new", dict.IfAbsent); !ok {
		t.Error("an expired entry is not absent")
	}
	removed := 0
	for range 30 {
		n, err := tab.Evict(0, 100, dict.Expired)
		if err != nil {
			t.Fatal(err)
		}
		removed += n
	}
	if st := tab.Stats(); removed != 499 || st.Entries != 501 || st.Expired != 499 || st.Evicted != 0 {
		t.Errorf("%d removed, %+v", removed, st)
	}
}
