package dict_test

import (
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/shmkit/shmkit/internal/dict"
)

// Places in a table, as layout.go has them: its stripes' lines, the entries of a
// directory, and a segment's header.
const (
	lineWord  = 16
	entryWord = 8
	hdrWord   = 1
)

// ends fails when f goes on for longer than any walk over a small table could.
func ends(t *testing.T, what string, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		t.Fatalf("%s does not end", what)
	}
}

// TestWalksEnd has every segment say that it is the first half of its stripe: what
// follows it begins where it has begun, again and again. Stats, Snapshot and Evict
// went round in circles.
func TestWalksEnd(t *testing.T) {
	w := newWorld(t, 100, 1)
	tab := w.tables[0]
	for i := range 2000 {
		w.mustSet(tab, number(i), "x")
	}
	root := w.memory.Words[tab.Ref()/8+lineWord].Load()
	dir, depth := root>>8/8, root&0xff
	if depth < 2 {
		t.Fatalf("a directory of depth %d", depth)
	}
	for i := range uint64(1) << depth {
		seg := w.memory.Words[dir+entryWord+i].Load() / 8
		w.memory.Words[seg+hdrWord].Store(1)
	}
	ends(t, "Stats", func() {
		if n := tab.Stats().Segments; n > 1<<depth {
			t.Errorf("%d segments in a directory of depth %d", n, depth)
		}
	})
	ends(t, "Snapshot", func() { _ = tab.Snapshot(func() {}, func(_, _ []byte) error { return nil }) })
	ends(t, "Evict", func() {
		for range tab.Rounds(0) {
			if _, err := tab.Evict(0, 32, dict.Cold); err != nil {
				t.Error(err)
			}
		}
	})
	if len(tab.Check()) == 0 {
		t.Error("Check finds nothing wrong")
	}
}

// TestTableAtTheEnd opens a table at the last place of the memory that can be referred
// to: its words would be behind the end. That was a panic.
func TestTableAtTheEnd(t *testing.T) {
	w := newWorld(t, 1, 1) // its chunk has blocks
	if _, err := w.stores[0].Table(uint64(w.geo.End()-16), false); !errors.Is(err, dict.ErrCorrupt) {
		t.Errorf("got %v", err)
	}
}

// TestDirectoryTooDeep has a root tell of a directory that is larger than its block:
// what is behind that are no segments, and need not even be memory with space.
func TestDirectoryTooDeep(t *testing.T) {
	w := newWorld(t, 100, 1)
	tab := w.tables[0]
	w.mustSet(tab, "a", "x")
	root := &w.memory.Words[tab.Ref()/8+lineWord]
	root.Store(root.Load()&^0xff | 18)
	if len(tab.Check()) == 0 {
		t.Error("Check finds nothing wrong")
	}
	visits := 0
	w.stores[0].Arena.Fsck(func(visit func(uint64, string) bool) {
		tab.Reach(func(ref uint64, what string) bool {
			visits++
			return visit(ref, what)
		}, nil)
	})
	if visits > 10 {
		t.Errorf("%d blocks said to be reached", visits)
	}
}

// TestRecoverNonsense recovers a dead process whose intents are nonsense: near to what
// may be, at the ends of numbers, and anything. That was a panic in many ways.
func TestRecoverNonsense(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 5))
	recovered, refused := 0, 0
	for range 300 {
		w := newWorld(t, 4, 1)
		for i := range 20 {
			w.mustSet(w.tables[0], number(i), "x")
		}
		size := uint64(len(w.memory.Words))
		for range 50 {
			stripe := w.memory.Words[rng.IntN(dict.Stripes)*32:]
			stripe[0].Store(2) // the lock of slot 1
			stripe[2].Store(rng.Uint64N(6))
			for field := range 13 {
				v := [...]uint64{0, 1, size, w.tables[0].Ref(), 1 << 63, ^uint64(0), rng.Uint64() >> rng.IntN(64), size * 8}[rng.IntN(8)]
				if rng.IntN(2) == 0 {
					v += rng.Uint64N(32) - 16
				}
				stripe[3+field].Store(v)
			}
			if err := w.stores[0].Recover(1); err == nil {
				recovered++
			} else if refused++; !errors.Is(err, dict.ErrCorrupt) {
				t.Fatal(err)
			}
			stripe[0].Store(0)
		}
	}
	if recovered < 100 || refused < 100 {
		t.Errorf("%d recovered, %d refused", recovered, refused)
	}
}
