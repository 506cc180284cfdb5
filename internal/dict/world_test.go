package dict_test

import (
	"encoding/binary"
	"fmt"
	"testing"

	"github.com/zeebo/xxh3"

	"github.com/shmkit/shmkit/internal/arena"
	"github.com/shmkit/shmkit/internal/dict"
	"github.com/shmkit/shmkit/internal/mem"
)

// world is a body in the heap, with one table. Several handles stand for processes.
type world struct {
	t      testing.TB
	memory arena.Memory
	geo    arena.Geometry
	stores []*dict.Store
	tables []*dict.Table
	ref    uint64
	clock  uint64
	heat   bool
	dead   map[int]bool
}

const slots = 4

func newWorld(t testing.TB, chunks, stripes int) *world {
	t.Helper()
	base := (dict.Size + 4095) &^ 4095
	w := &world{t: t, geo: arena.Geometry{Base: base, Slots: slots, Chunks: chunks}, dead: make(map[int]bool)}
	var err error
	w.memory, err = arena.View(mem.BytesOfSlice(make([]uint64, w.geo.End()/8)))
	if err != nil {
		t.Fatal(err)
	}
	w.stores, w.tables = make([]*dict.Store, slots), make([]*dict.Table, slots)
	s := w.openStore(0)
	b, err := s.NewTable(1, 1, stripes)
	if err != nil {
		t.Fatal(err)
	}
	s.Arena.Enliven(b)
	s.Arena.Linked(b)
	w.ref = b.Ref
	for i := range slots {
		w.open(i)
	}
	return w
}

func (w *world) openStore(slot int) *dict.Store {
	w.t.Helper()
	h := host{w, slot}
	a, err := arena.Open(w.memory, w.geo, h)
	if err != nil {
		w.t.Fatal(err)
	}
	s, err := dict.Open(a, w.memory, h, dict.Options{Now: func() uint64 { return w.clock }})
	if err != nil {
		w.t.Fatal(err)
	}
	w.stores[slot] = s
	return s
}

// open makes a handle for the slot, a new one if it has one.
func (w *world) open(slot int) *dict.Table {
	w.t.Helper()
	s := w.stores[slot]
	if s == nil || w.tables[slot] != nil {
		s = w.openStore(slot)
	}
	tab, err := s.Table(w.ref, w.heat)
	if err != nil {
		w.t.Fatal(err)
	}
	w.tables[slot] = tab
	return tab
}

type host struct {
	w    *world
	slot int
}

func (h host) Slot() int                     { return h.slot }
func (h host) Allocate(off, n int64) error   { return nil }
func (h host) Free(off, n int64) error       { return nil }
func (h host) Probe(slot int) (revived bool) { return h.w.recover(h.slot, slot) }

// recover has one process recover another, if that is dead.
func (w *world) recover(by, slot int) bool {
	if !w.dead[slot] {
		return false
	}
	if err := w.stores[by].Recover(slot); err != nil {
		w.t.Fatal(err)
	}
	w.dead[slot] = false
	w.open(slot)
	return true
}

func hash(key string) uint64 { return xxh3.HashString(key) }

// set, get and remove are the operations that the tests use most.
func (w *world) set(tab *dict.Table, key, value string, cond dict.Condition) (bool, error) {
	d, err := w.storeOf(tab).Draft([]byte(key), len(value), 0, 0)
	if err != nil {
		return false, err
	}
	copy(d.Value(), value)
	done, _, err := tab.Change(hash(key), []byte(key), &dict.Change{New: d, If: cond})
	return done, err
}

func (w *world) storeOf(tab *dict.Table) *dict.Store {
	for i, t := range w.tables {
		if t == tab {
			return w.stores[i]
		}
	}
	panic("no such handle")
}

func (w *world) get(tab *dict.Table, key string) (string, bool) {
	w.t.Helper()
	s := w.storeOf(tab)
	for {
		var e dict.Entry
		ok, err := tab.Seek(hash(key), []byte(key), &e)
		if err != nil {
			w.t.Fatal(err)
		}
		if !ok || s.Expired(&e) {
			return "", false
		}
		if v := string(e.Value); s.Still(&e) {
			return v, true
		}
	}
}

func (w *world) remove(tab *dict.Table, key string) bool {
	w.t.Helper()
	_, found, err := tab.Change(hash(key), []byte(key), &dict.Change{})
	if err != nil {
		w.t.Fatal(err)
	}
	return found
}

// all returns what iteration returns.
func (w *world) all(tab *dict.Table) map[string]string {
	w.t.Helper()
	m := make(map[string]string)
	var c dict.Cursor
	var b dict.Batch
	for {
		ok, err := tab.Next(&c, &b, true)
		if err != nil {
			w.t.Fatal(err)
		}
		if !ok {
			return m
		}
		for i := range b.Len() {
			key := string(b.Key(i))
			if _, ok := m[key]; ok {
				w.t.Fatalf("key %q returned twice", key)
			}
			v, _ := b.Value(i)
			m[key] = string(v)
		}
	}
}

// check wants the table to be sound, every block to be accounted for, and the
// entries to be the ones given.
func (w *world) check(by int, want map[string]string) {
	w.t.Helper()
	tab := w.tables[by]
	for _, p := range tab.Check() {
		w.t.Error(p)
	}
	r := w.stores[by].Arena.Fsck(func(visit func(uint64, string) bool) { tab.Reach(visit, nil) })
	for _, p := range r.Problems {
		w.t.Error(p)
	}
	got := w.all(tab)
	if len(got) != len(want) || tab.Len() != len(want) {
		w.t.Errorf("%d entries, Len %d, want %d", len(got), tab.Len(), len(want))
	}
	for k, v := range want {
		if got[k] != v {
			w.t.Errorf("iteration: %q is %q, want %q", k, got[k], v)
		}
		if g, ok := w.get(tab, k); !ok || g != v {
			w.t.Errorf("get: %q is %q, %v, want %q", k, g, ok, v)
		}
	}
	if w.t.Failed() {
		w.t.FailNow()
	}
}

// number makes a key.
func number(i int) string {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], uint64(i))
	return fmt.Sprintf("key-%d-%x", i, b[:2])
}
