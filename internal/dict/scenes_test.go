//go:build faultpoints

package dict_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/shmkit/shmkit/internal/arena"
	"github.com/shmkit/shmkit/internal/dict"
	"github.com/shmkit/shmkit/internal/fault/faulttest"
)

// scenes returns what processes die in.
func scenes(t *testing.T) []scene {
	return slices.Concat(changes(), sweeps(), splits(t), transactions(t), readers(), objects(t), shortages())
}

// change is an operation of process 0.
func change(key string, c dict.Change, value string, flags, expiry uint64) func(w *world) {
	return func(w *world) {
		c := c
		if value != "-" {
			d, err := w.stores[0].Draft([]byte(key), len(value), flags, expiry)
			if err != nil {
				return
			}
			copy(d.Value(), value)
			c.New = d
		}
		if _, _, err := w.tables[0].Change(hash(key), []byte(key), &c); err != nil && !errors.Is(err, arena.ErrNoSpace) {
			w.t.Error(err)
		}
	}
}

func set(key, value string, cond dict.Condition) func(w *world) {
	return change(key, dict.Change{If: cond}, value, 0, 0)
}

func remove(key string, cond dict.Condition) func(w *world) {
	return change(key, dict.Change{If: cond}, "-", 0, 0)
}

// same is a change of the entry that is there, or of one that was.
func same(key, value string, meanwhile bool) func(w *world) {
	return func(w *world) {
		var e dict.Entry
		if ok, err := w.tables[0].Seek(hash(key), []byte(key), &e); !ok || err != nil {
			w.t.Error(ok, err)
		}
		if meanwhile {
			w.mustSet(w.tables[0], key, "meanwhile")
		}
		change(key, dict.Change{If: dict.IfSame, Same: &e}, value, 0, 0)(w)
	}
}

// changes are those of one entry, under all conditions.
func changes() []scene {
	large := strings.Repeat("large", 20000)
	twice := func(old dict.Old, value []byte) bool {
		copy(value, "nothing")
		if old.Present {
			copy(value, old.Value)
		}
		return true
	}
	late := func(w *world) { w.expiring(5, 10); w.clock = 20 }
	return []scene{
		{name: "first", op: set("new", "value", dict.Always)},
		{name: "insert", entries: 10, op: set("new", "value", dict.Always)},
		{name: "insert if absent", entries: 10, op: set("new", "value", dict.IfAbsent)},
		{name: "refused", entries: 10, op: set(number(3), "value", dict.IfAbsent)},
		{name: "overwrite", entries: 10, op: set(number(3), "value", dict.Always)},
		{name: "overwrite if present", entries: 10, op: set(number(3), "value", dict.IfPresent)},
		{name: "overwrite of none", entries: 10, op: set("new", "value", dict.IfPresent)},
		{name: "overwrite of another's", entries: 10, op: set(number(2), "value", dict.Always)},
		{name: "same", entries: 10, op: same(number(3), "value", false)},
		{name: "same no more", entries: 10, op: same(number(3), "value", true), piecewise: true},
		{name: "same none", entries: 10, op: set("new", "value", dict.IfSame)},
		{name: "another class", entries: 10, op: set(number(3), large[:3000], dict.Always)},
		{name: "large insert", entries: 10, op: set("new", large, dict.Always)},
		{name: "large overwrite", entries: 10, build: func(w *world) { w.mustSet(w.tables[1], number(3), large) },
			op: set(number(3), large[:70000], dict.Always)},
		{name: "large in a row", entries: 10, build: func(w *world) {
			for i := range 3 {
				w.mustSet(w.tables[0], number(i), large)
			}
		}, op: set(number(1), "small", dict.Always)},
		{name: "large remove", entries: 10, build: func(w *world) { w.mustSet(w.tables[0], number(3), large) }, op: remove(number(3), dict.Always)},
		{name: "remove", entries: 10, op: remove(number(3), dict.Always)},
		{name: "remove same", entries: 10, op: same(number(3), "-", false)},
		{name: "remove of none", entries: 10, op: remove("none", dict.Always)},
		{name: "remove the last", entries: 1, op: remove(number(0), dict.IfPresent)},
		{name: "fill", entries: 10, op: change(number(3), dict.Change{Fill: twice}, "       ", 0, 0)},
		{name: "fill first", entries: 10, op: change("new", dict.Change{Fill: twice}, "       ", 0, 0)},
		{name: "fill refused", entries: 10, op: change("new", dict.Change{Fill: func(dict.Old, []byte) bool { return false }}, "value", 0, 0)},
		{name: "expiring", entries: 10, op: change("new", dict.Change{}, "value", 0, 1000)},
		{name: "over expired", entries: 3, build: late, op: set(number(3), "value", dict.IfAbsent)},
		{name: "none for expired", entries: 3, build: late, op: set(number(3), "value", dict.IfPresent)},
		{name: "remove expired", entries: 3, build: late, op: remove(number(3), dict.Always)},
		{name: "draft", entries: 10, op: func(w *world) {
			d, err := w.stores[0].Draft([]byte("draft"), 10, 0, 100)
			if err != nil {
				w.t.Error(err)
			}
			d.Discard()
		}},
		{name: "large draft", entries: 10, op: func(w *world) {
			d, err := w.stores[0].Draft([]byte("draft"), 200000, 0, 0)
			if err != nil {
				w.t.Error(err)
			}
			d.Discard()
		}},
		{name: "a page of ripe blocks", build: func(w *world) {
			for i := range 600 {
				w.mustSet(w.tables[1], number(i), "old")
			}
			for i := range 600 {
				w.remove(w.tables[1], number(i))
			}
			for range 2 {
				w.stores[1].Arena.Trim(always) // pages without an owner
			}
		}, op: set("new", "old", dict.Always)},
	}
}

// expiring sets entries of which the first n expire at a time.
func (w *world) expiring(n int, at uint64) {
	w.t.Helper()
	for i := range n {
		key := []byte(number(i))
		d, err := w.stores[i%2].Draft(key, 3, 0, at)
		if err != nil {
			w.t.Fatal(err)
		}
		copy(d.Value(), "abc")
		if _, _, err := w.tables[i%2].Change(hash(string(key)), key, &dict.Change{New: d}); err != nil {
			w.t.Fatal(err)
		}
	}
}

// evict is an operation that removes entries, each by itself.
func evict(which dict.Sweep) func(w *world) {
	return func(w *world) {
		for range 3 {
			if _, err := w.tables[0].Evict(0, 3, which); err != nil {
				w.t.Error(err)
			}
		}
	}
}

func sweeps() []scene {
	warm := func(w *world) {
		for i := range 5 {
			w.get(w.tables[0], number(i))
		}
	}
	return []scene{
		{name: "evict cold", entries: 10, heat: true, build: warm, op: evict(dict.Cold), piecewise: true},
		{name: "evict expired", entries: 10, build: func(w *world) { w.expiring(5, 10); w.clock = 20 }, op: evict(dict.Expired), piecewise: true},
		{name: "evict all", entries: 10, op: evict(dict.All), piecewise: true},
		{name: "evict nothing", op: evict(dict.All)},
		{name: "evict a block", entries: 10, op: func(w *world) {
			for i := range uint64(3) {
				if _, err := w.tables[0].EvictBlock(hash(number(3)), w.refs[0]+i); err != nil {
					w.t.Error(err)
				}
			}
			w.evictEntry(0, number(3))
		}},
		{name: "in a warm one's place", entries: 10, heat: true, build: func(w *world) {
			w.get(w.tables[0], number(3))
			w.remove(w.tables[0], number(3))
		}, op: func(w *world) {
			w.get(w.tables[0], number(4))
			set(number(3), "value", dict.Always)(w)
		}},
	}
}

// evictEntry evicts the entry of a key by its block.
func (w *world) evictEntry(by int, key string) {
	w.tables[by].Reach(func(ref uint64, what string) bool {
		if k, ok := w.stores[by].KeyOf(ref); ok && what == "entry" && string(k) == key {
			if ok, err := w.tables[by].EvictBlock(hash(key), ref); !ok || err != nil {
				w.t.Error(ok, err)
			}
		}
		return true
	}, nil)
}

// splits are insertions that split a segment: the first ones with and without a
// doubling of the directory, and of which half is empty.
func splits(t *testing.T) (list []scene) {
	w := newWorld(t, 30, 1)
	shape := func() (segments, directories int) {
		w.tables[0].Reach(func(_ uint64, what string) bool {
			switch what {
			case "segment":
				segments++
			case "directory":
				directories++
			}
			return what != "entry"
		}, nil)
		return segments, directories
	}
	names := []string{"split", "split without doubling", "second doubling"}
	for i := 0; len(names) > 0; i++ {
		segments, directories := shape()
		w.mustSet(w.tables[0], number(i), fmt.Sprint("old ", i))
		s, d := shape()
		if segments == 0 || s == segments || (d == directories) != (names[0] == "split without doubling") {
			continue
		}
		list = append(list, scene{name: names[0], entries: i, op: set(number(i), "value", dict.Always)})
		names = names[1:]
	}
	warm := list[0]
	warm.name, warm.heat, warm.build = "split of warm ones", true, func(w *world) {
		for i := range 20 {
			w.get(w.tables[0], number(i))
		}
	}
	return append(list, warm, scene{name: "split in vain", entries: list[0].entries, op: func(w *world) {
		// Somebody else splits the segment while the parts are made.
		faulttest.Between("arena.alloc.head", 2, func() { w.mustSet(w.tables[1], "meanwhile "+number(1), "value") })
		set(number(list[0].entries), "value", dict.Always)(w)
	}, piecewise: true})
}

// A write is a step of a transaction.
type write struct {
	table    int
	key      string
	value    string
	readOnly bool
	removes  bool
}

func put(table int, key, value string) write { return write{table: table, key: key, value: value} }
func cut(table int, key string) write        { return write{table: table, key: key, removes: true} }
func look(table int, key string) write       { return write{table: table, key: key, readOnly: true} }

// commit makes a transaction of one process.
func (w *world) commit(by int, writes ...write) (bool, error) {
	s := w.stores[by]
	var list []dict.Step
	for _, x := range writes {
		st := dict.Step{Table: []*dict.Table{w.tables[by], w.others[by]}[x.table], Hash: hash(x.key), Key: []byte(x.key), Write: !x.readOnly}
		var e dict.Entry
		for {
			ok, err := st.Table.Seek(st.Hash, st.Key, &e)
			if err != nil {
				return false, err
			}
			if !ok || s.Still(&e) {
				if ok && !s.Expired(&e) {
					st.Same = &e
				}
				break
			}
		}
		if !x.readOnly && !x.removes {
			var err error
			if st.New, err = s.Draft(st.Key, len(x.value), 0, 0); err != nil {
				for i := range list {
					list[i].New.Discard()
				}
				return false, err
			}
			copy(st.New.Value(), x.value)
		}
		list = append(list, st)
	}
	ok, err := s.Commit(list)
	if !ok && err == nil {
		for i := range list {
			list[i].New.Discard()
		}
	}
	return ok, err
}

func (w *world) mustCommit(by int, writes ...write) {
	w.t.Helper()
	if ok, err := w.commit(by, writes...); !ok || err != nil {
		w.t.Fatalf("commit: %v, %v", ok, err)
	}
}

func transaction(writes ...write) func(w *world) {
	return func(w *world) { w.mustCommit(0, writes...) }
}

func transactions(t *testing.T) []scene {
	full := splits(t)[0].entries
	return []scene{
		{name: "tx of one", entries: 10, op: transaction(put(0, number(3), "tx"))},
		{name: "tx of reads", entries: 10, op: transaction(look(0, number(3)), look(0, "none"), look(1, "none"))},
		{name: "tx of two tables", entries: 10, op: transaction(put(0, number(3), "tx"), put(1, "new", "tx"))},
		{name: "tx of many", entries: 10, stripes: 4, op: transaction(put(0, number(3), "tx"), cut(0, number(4)), put(0, "new", "tx"), look(0, number(5)), cut(0, "none"), put(1, "new", "tx"))},
		{name: "tx of one bucket", entries: full - 20, op: transaction(put(0, "a", "tx"), put(0, "b", "tx"), put(0, "c", "tx"), cut(0, number(1)), cut(0, number(2)))},
		{name: "tx of removals", entries: 10, stripes: 2, op: transaction(cut(0, number(3)), cut(0, number(4)), cut(1, number(4)))},
		{name: "tx of large", entries: 10, op: transaction(put(0, number(3), strings.Repeat("x", 100000)), put(1, "a", strings.Repeat("y", 100000)))},
		{name: "tx with a split", entries: full, op: transaction(put(0, number(full), "tx"), put(1, "new", "tx"), cut(0, number(1)))},
		{name: "tx refused", entries: 10, op: func(w *world) {
			faulttest.Between("arena.alloc.head", 2, func() { w.mustSet(w.tables[1], number(4), "meanwhile") })
			if ok, err := w.commit(0, put(0, number(3), "tx"), look(0, number(4)), put(1, "new", "tx")); ok || err != nil {
				w.t.Error(ok, err)
			}
		}, piecewise: true},
	}
}

// readers die with pins.
func readers() []scene {
	value := func(w *world, f func() error) {
		if _, err := w.tables[0].View(hash(number(3)), []byte(number(3)), func([]byte) error { return f() }); err != nil {
			w.t.Error(err)
		}
	}
	return []scene{
		{name: "view", entries: 10, op: func(w *world) { value(w, func() error { return nil }) }},
		{name: "set in a view", entries: 10, op: func(w *world) {
			value(w, func() error { set(number(3), "value", dict.Always)(w); return nil })
		}},
		{name: "snapshot", entries: 10, stripes: 4, op: func(w *world) {
			if err := w.tables[0].Snapshot(func() {}, func(k, v []byte) error { return nil }); err != nil {
				w.t.Error(err)
			}
		}},
		{name: "snapshot under locks", entries: 10, stripes: 4, op: func(w *world) {
			n := 0
			faulttest.LookOut(func() {
				if n++; n < 100 && n%10 == 1 {
					w.mustSet(w.tables[1], number(4), fmt.Sprint(n))
				}
			})
			if err := w.tables[0].Snapshot(func() {}, func(k, v []byte) error { return nil }); err != nil {
				w.t.Error(err)
			}
		}, piecewise: true},
		{name: "set under another's pin", entries: 10, build: pinned, op: set(number(3), "value", dict.Always)},
		{name: "remove under another's pin", entries: 10, build: pinned, op: remove(number(3), dict.Always)},
		{name: "large under another's pin", entries: 10, build: func(w *world) {
			w.mustSet(w.tables[0], number(3), strings.Repeat("x", 100000))
			pinned(w)
		}, op: set(number(3), strings.Repeat("y", 100000), dict.Always)},
	}
}

// pinned has process 3 look at everything from now on, until the end.
func pinned(w *world) {
	pin := w.stores[3].Arena.Pin()
	w.pins = append(w.pins, func() { w.stores[3].Arena.Unpin(pin) })
	for i := range 3 {
		w.mustSet(w.tables[0], number(i), "into limbo")
		w.mustSet(w.tables[1], number(i), "into limbo")
	}
}

// companion makes a block and an entry that share their fate.
func companion(by int) func(w *world) {
	return func(w *world) {
		b, err := w.stores[by].NewTable(1, 5, 4)
		if err != nil {
			w.t.Error(err)
		}
		d, err := w.stores[by].Draft([]byte("table"), 8, dict.FlagRefers, 0)
		if err != nil {
			w.t.Error(err)
		}
		binary.LittleEndian.PutUint64(d.Value(), b.Ref)
		if _, _, err := w.tables[by].Change(hash("table"), []byte("table"), &dict.Change{New: d, With: b}); err != nil {
			w.t.Error(err)
		}
		w.companion = b
	}
}

// dismantle takes the first table apart. Who dies in it leaves the rest to the next.
func dismantle(by int) func(w *world) {
	return func(w *world) {
		if err := w.tables[by].Dismantle(); err != nil {
			w.t.Error(err)
		}
	}
}

// objects are tables that are made and taken apart.
func objects(t *testing.T) []scene {
	doubled := splits(t)[2].entries + 1 // the directory has two entries for one segment
	return []scene{
		{name: "make a block and give it up", entries: 10, op: func(w *world) {
			b, err := w.stores[0].NewBlock(1, 5, 500)
			if err != nil {
				w.t.Error(err)
			}
			w.stores[0].Arena.Abandon(b)
		}},
		{name: "create a table", entries: 10, op: companion(0)},
		{name: "remove a table", entries: 10, build: companion(0), op: func(w *world) {
			change("table", dict.Change{With: w.companion}, "-", 0, 0)(w)
		}},
		{name: "dismantle", entries: doubled, op: dismantle(0), finish: dismantle(2)},
		{name: "dismantle stripes", entries: 20, stripes: 4, op: dismantle(0), finish: dismantle(2)},
	}
}

// shortages are operations when the memory is used up.
func shortages() []scene {
	fill := func(w *world) {
		for i := 0; ; i++ {
			d, err := w.stores[i%2].Draft([]byte(number(i)), 4000, 0, 0)
			if err != nil {
				break
			}
			if _, _, err := w.tables[i%2].Change(hash(number(i)), []byte(number(i)), &dict.Change{New: d}); err != nil {
				w.t.Fatal(err)
			}
		}
		w.full = true
	}
	full := func(name string, op func(w *world)) scene {
		return scene{name: name, chunks: 12, build: fill, op: op, piecewise: true}
	}
	value := strings.Repeat("v", 4000)
	return []scene{
		full("insert when full", set("new", value, dict.Always)),
		full("another class when full", set("new", value[:2000], dict.Always)),
		full("large when full", set("new", strings.Repeat("v", 100000), dict.Always)),
		full("remove when full", remove(number(1), dict.Always)),
		full("remove and insert when full", func(w *world) {
			w.remove(w.tables[0], number(1))
			set("new", value, dict.Always)(w)
		}),
		full("oust when full", func(w *world) {
			pinned := w.stores[3].Arena.Pin()
			w.remove(w.tables[0], number(1))
			w.remove(w.tables[0], number(3))
			w.stores[0].Arena.Trim(always)
			set("new", value, dict.Always)(w)
			set("newer", value, dict.Always)(w)
			set("newest", value, dict.Always)(w)
			w.stores[3].Arena.Unpin(pinned)
		}),
		full("trim when full", func(w *world) {
			for i := range 32 {
				w.remove(w.tables[0], number(i))
			}
			w.stores[0].Arena.Trim(always)
			w.stores[0].Arena.Trim(always)
			set("new", value[:100], dict.Always)(w)
		}),
	}
}
