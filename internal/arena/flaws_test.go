package arena_test

import (
	"testing"

	"github.com/shmkit/shmkit/internal/arena"
)

// page fills a page with blocks of a size, and returns them.
func pageOf(t *testing.T, a *arena.Arena, size int) (blocks []arena.Block) {
	t.Helper()
	for {
		b, err := live(t, a, size)
		if err != nil {
			t.Fatal(err)
		}
		if len(blocks) > 0 && (b.Ref^blocks[0].Ref)/arena.ChunkSize != 0 {
			drop(a, b)
			return blocks
		}
		blocks = append(blocks, b)
	}
}

// trim has processes give back what they have at hand.
func trim(as ...*arena.Arena) {
	for range 3 {
		for _, a := range as {
			a.Trim(func() bool { return false })
		}
	}
}

// allUnused wants every chunk that was ever used to be without a use.
func allUnused(t *testing.T, a *arena.Arena) {
	t.Helper()
	if r := check(t, a, nil); r.Unused != r.Chunks {
		t.Errorf("%d of %d chunks unused", r.Unused, r.Chunks)
	}
}

// TestTrimEndsLimbo: an extent that has waited for a pin is free when the pin is gone,
// though this process never wants another extent.
func TestTrimEndsLimbo(t *testing.T) {
	h := newHeap(t, 2, 8)
	a, b := h.open(t, 0), h.open(t, 1)
	large, err := live(t, a, 100000)
	if err != nil {
		t.Fatal(err)
	}
	pin := b.Pin()
	drop(a, large)
	trim(a)
	b.Unpin(pin)
	trim(a)
	allUnused(t, a)
}

// TestFullOustsForOtherSizes: when the memory is used up, a pin that keeps whole pages,
// or extents, from being used for other sizes is ousted.
func TestFullOustsForOtherSizes(t *testing.T) {
	for _, c := range []struct{ kept, wanted int }{{1000, 2000}, {1000, 100000}, {100000, 2000}, {100000, 200000}} {
		h := newHeap(t, 3, 16)
		a, b, stopped := h.open(t, 0), h.open(t, 1), h.open(t, 2)
		var blocks []arena.Block
		for {
			x, err := live(t, a, c.kept)
			if err != nil {
				break
			}
			blocks = append(blocks, x)
		}
		pin := stopped.Pin()
		for _, x := range blocks {
			a.Retire(x.Ref, x.Inc)
		}
		a.Close()
		for _, x := range blocks {
			b.Note(x.Ref)
		}
		if _, err := live(t, b, c.wanted); err != nil {
			t.Errorf("%d after %d: %v", c.wanted, c.kept, err)
		}
		if stopped.Pinned(pin) {
			t.Errorf("%d after %d: the pin holds", c.wanted, c.kept)
		}
	}
}

// TestNobodyCountsTheLastBlock: a process dies between retiring a block and saying so.
// The page is found to be empty all the same, whoever owned it meanwhile, and even
// if the reaper died too.
func TestNobodyCountsTheLastBlock(t *testing.T) {
	for _, owned := range []bool{false, true} {
		h := newHeap(t, 3, 8)
		dead, a, b := h.open(t, 0), h.open(t, 1), h.open(t, 2)
		blocks := pageOf(t, a, 1000)
		last := blocks[len(blocks)-1]
		dead.Retire(last.Ref, last.Inc)
		if owned {
			drop(a, blocks[0])
		}
		b.Reap(0)
		b.Trim(func() bool { return false })
		for _, x := range blocks[:len(blocks)-1] {
			if !owned || x.Ref != blocks[0].Ref {
				drop(a, x)
			}
		}
		trim(a, b)
		allUnused(t, a)
	}
}

// TestIncarnationsNeverRepeat: who retires a block a second time, as recovery may,
// does no harm to the one that lies there when the chunk was given another use.
func TestIncarnationsNeverRepeat(t *testing.T) {
	for _, size := range []int{100, 200, 100000} {
		h := newHeap(t, 2, 8)
		a := h.open(t, 0)
		for range 20 {
			old, err := live(t, a, 100)
			if err != nil {
				t.Fatal(err)
			}
			drop(a, old)
			trim(a)
			fresh, err := live(t, a, size)
			if err != nil {
				t.Fatal(err)
			}
			if fresh.Ref != old.Ref {
				t.Fatalf("block %#x, not %#x again", fresh.Ref, old.Ref)
			}
			a.Retire(old.Ref, old.Inc)
			if head := a.HeadOf(fresh.Ref).Load(); head != arena.Head(fresh.Inc, arena.Live) {
				t.Fatalf("size %d: head %#x", size, head)
			}
			drop(a, fresh)
			trim(a)
		}
	}
}
