package dict_test

import (
	"encoding/binary"
	"fmt"
	"sync"
	"testing"

	"github.com/zeebo/xxh3"

	"github.com/shmkit/shmkit/internal/arena"
	"github.com/shmkit/shmkit/internal/dict"
	"github.com/shmkit/shmkit/internal/mem"
)

// world is a body in the heap, with two tables. Several handles stand for processes.
type world struct {
	t      testing.TB
	memory arena.Memory
	geo    arena.Geometry
	stores []*dict.Store
	tables []*dict.Table // of the first table, one of each process
	others []*dict.Table // of the second one
	refs   [2]uint64
	clock  uint64
	heat   bool

	full      bool        // the memory is used up
	pins      []func()    // each ends a pin that is held all the time
	companion arena.Block // that shares the fate of an entry

	mu   *sync.Mutex // guards dead, and serialises recoveries, as liveness locks do
	dead map[int]bool
}

const slots = 4

func newWorld(t testing.TB, chunks, stripes int) *world {
	t.Helper()
	base := (dict.Size + 4095) &^ 4095
	w := &world{
		t: t, geo: arena.Geometry{Base: base, Slots: slots, Chunks: chunks}, mu: new(sync.Mutex), dead: make(map[int]bool),
		full: false, pins: nil, companion: arena.Block{}, // tests with crash points use them
	}
	var err error
	w.memory, err = arena.View(mem.BytesOfSlice(make([]uint64, w.geo.End()/8)))
	if err != nil {
		t.Fatal(err)
	}
	w.stores = make([]*dict.Store, slots)
	w.tables, w.others = make([]*dict.Table, slots), make([]*dict.Table, slots)
	s := w.openStore(0)
	for i := range w.refs {
		b, err := s.NewTable(1, uint64(i+1), stripes)
		if err != nil {
			t.Fatal(err)
		}
		s.Arena.Enliven(b)
		s.Arena.Linked(b)
		w.refs[i] = b.Ref
	}
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
	for i, of := range [][]*dict.Table{w.tables, w.others} {
		tab, err := s.Table(w.refs[i], w.heat)
		if err != nil {
			w.t.Fatal(err)
		}
		of[slot] = tab
	}
	return w.tables[slot]
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
	w.mu.Lock()
	defer w.mu.Unlock()
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

// fill and plain write and read values in shared memory.
func fill(b []byte, value string) { mem.Copy(b, []byte(value)) }
func plain(b []byte) string       { return string(mem.Append(nil, b)) }

// set, get and remove are the operations that the tests use most.
func (w *world) set(tab *dict.Table, key, value string, cond dict.Condition) (bool, error) {
	d, err := w.storeOf(tab).Draft([]byte(key), len(value), 0, 0)
	if err != nil {
		return false, err
	}
	fill(d.Value(), value)
	done, _, err := tab.Change(hash(key), []byte(key), &dict.Change{New: d, If: cond})
	return done, err
}

func (w *world) mustSet(tab *dict.Table, key, value string) {
	w.t.Helper()
	if ok, err := w.set(tab, key, value, dict.Always); !ok || err != nil {
		w.t.Fatalf("set %q: %v, %v", key, ok, err)
	}
}

func (w *world) storeOf(tab *dict.Table) *dict.Store {
	for i := range w.tables {
		if w.tables[i] == tab || w.others[i] == tab {
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
		if v := plain(e.Value); s.Still(&e) {
			return v, true
		}
	}
}

// glance is get for who knows the value's size. It is false, too, when anything is in the way.
func (w *world) glance(tab *dict.Table, key string, size int) (string, bool) {
	s, ok := tab.Glance(hash(key), []byte(key), size)
	if !ok {
		return "", false
	}
	v := plain(s.Value)
	return v, s.Still()
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

// sound wants the tables to be sound and every block to be accounted for.
func (w *world) sound(by int) *arena.Report {
	w.t.Helper()
	for _, tab := range []*dict.Table{w.tables[by], w.others[by]} {
		for _, p := range tab.Check() {
			w.t.Error(p)
		}
	}
	r := w.stores[by].Arena.Fsck(w.reach(by))
	for _, p := range r.Problems {
		w.t.Error(p)
	}
	if r.Free+r.Live+r.Retired != r.Blocks {
		w.t.Errorf("%+v", r)
	}
	return r
}

// reach visits all that is referred to, the block that shares an entry's fate too.
func (w *world) reach(by int) func(visit func(uint64, string) bool) {
	return func(visit func(uint64, string) bool) {
		w.tables[by].Reach(visit, func(value []byte) { visit(binary.LittleEndian.Uint64(value), "companion") })
		w.others[by].Reach(visit, nil)
	}
}

// check wants all to be sound, and the entries of the first table to be the ones given.
func (w *world) check(by int, want map[string]string) {
	w.t.Helper()
	tab := w.tables[by]
	w.sound(by)
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
