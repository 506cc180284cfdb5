package arena_test

import (
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/shmkit/shmkit/internal/arena"
	"github.com/shmkit/shmkit/internal/mem"
)

// heap is a body in the heap, in which several handles stand for processes.
type heap struct {
	memory arena.Memory
	geo    arena.Geometry
	taken  map[int64]bool // pages, by offset
	most   int64          // bytes that Allocate gives, 0: all
}

const page = 4096

func newHeap(t testing.TB, slots, chunks int) *heap {
	t.Helper()
	h := &heap{geo: arena.Geometry{Base: 4096, Slots: slots, Chunks: chunks}, taken: make(map[int64]bool)}
	var err error
	h.memory, err = arena.View(mem.BytesOfSlice(make([]uint64, h.geo.End()/8)))
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func (h *heap) open(t testing.TB, slot int) *arena.Arena {
	t.Helper()
	a, err := arena.Open(h.memory, h.geo, host{h, slot})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

type host struct {
	*heap
	slot int
}

func (h host) Slot() int { return h.slot }

func (h host) Allocate(off, n int64) error {
	if h.most > 0 && int64(len(h.taken))*page+n > h.most {
		return errors.New("disk full")
	}
	for p := off; p < off+n; p += page {
		h.taken[p] = true
	}
	return nil
}

func (h host) Free(off, n int64) error {
	for p := off; p < off+n; p += page {
		delete(h.taken, p)
	}
	clear(h.memory.Bytes[off : off+n])
	return nil
}

// make gives out a block and links it, as far as the arena is concerned.
func live(t testing.TB, a *arena.Arena, n int) (arena.Block, error) {
	t.Helper()
	b, err := a.Alloc(n)
	if err != nil {
		return b, err
	}
	if a.HeadOf(b.Ref).Load() != arena.Head(b.Inc, arena.Filling) {
		t.Fatalf("block %#x: head %#x", b.Ref, a.HeadOf(b.Ref).Load())
	}
	a.Enliven(b)
	a.Linked(b)
	return b, nil
}

func drop(a *arena.Arena, b arena.Block) {
	a.Retire(b.Ref, b.Inc)
	a.Reclaim(b.Ref, b.Inc)
}

// check wants a clean report, in which exactly the given blocks are live.
func check(t testing.TB, a *arena.Arena, blocks map[uint64]arena.Block) *arena.Report {
	t.Helper()
	r := a.Fsck(func(visit func(uint64, string) bool) {
		for ref := range blocks {
			visit(ref, "test")
		}
	})
	if !r.OK() || r.Live != len(blocks) || r.Free+r.Live+r.Retired != r.Blocks {
		t.Fatalf("%d live blocks wanted; %+v", len(blocks), r)
	}
	return r
}

// TestRandom has three processes allocate, retire and die, and looks after each
// death whether every block is accounted for.
func TestRandom(t *testing.T) {
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 1))
		h := newHeap(t, 4, 64)
		as := make([]*arena.Arena, 4)
		for i := range as {
			as[i] = h.open(t, i)
		}
		blocks := make(map[uint64]arena.Block)
		sizes := []int{9, 32, 33, 100, 500, 1024, 4160, 20000, 40000, 70000, 300000}
		full := 0
		for step := range 20000 {
			a := as[rng.IntN(3)]
			switch n := rng.IntN(100); {
			case n < 55:
				size := sizes[rng.IntN(len(sizes))]
				if size > 4160 && rng.IntN(20) > 0 {
					size = 100
				}
				b, err := live(t, a, size)
				if errors.Is(err, arena.ErrNoSpace) {
					full++
					for ref, b := range blocks {
						if len(blocks) < 100 {
							break
						}
						drop(a, b)
						delete(blocks, ref)
					}
					check(t, a, blocks)
					continue
				}
				if err != nil {
					t.Fatal(err)
				}
				if _, ok := blocks[b.Ref]; ok {
					t.Fatalf("seed %d, step %d: block %#x given out twice", seed, step, b.Ref)
				}
				clear(a.Bytes(b.Ref, size)[8:])
				blocks[b.Ref] = b
			case n < 98:
				for ref, b := range blocks {
					drop(a, b)
					delete(blocks, ref)
					break
				}
			case n < 99:
				if _, err := a.Alloc(sizes[rng.IntN(len(sizes))]); err != nil && !errors.Is(err, arena.ErrNoSpace) {
					t.Fatal(err) // never linked: the process dies with it
				}
			default:
				i := rng.IntN(3)
				as[3].Reap(i)
				as[i] = h.open(t, i)
				check(t, as[3], blocks)
			}
		}
		r := check(t, as[3], blocks)
		t.Logf("seed %d: full %d times, %+v", seed, full, r)
	}
}

// TestReuse overwrites a block again and again: one place is enough for that.
func TestReuse(t *testing.T) {
	h := newHeap(t, 2, 16)
	a := h.open(t, 0)
	old, err := live(t, a, 100)
	if err != nil {
		t.Fatal(err)
	}
	refs := make(map[uint64]bool)
	for range 10000 {
		b, err := live(t, a, 100)
		if err != nil {
			t.Fatal(err)
		}
		drop(a, old)
		refs[b.Ref] = true
		old = b
	}
	if len(refs) > 2 {
		t.Errorf("%d places", len(refs))
	}
}

// TestPinsHoldBlocks retires blocks under a pin, and wants them given out only when
// it is gone or, when there is no other memory, ousted.
func TestPinsHoldBlocks(t *testing.T) {
	for _, size := range []int{1000, 100000} {
		h := newHeap(t, 2, 40)
		a, b := h.open(t, 0), h.open(t, 1)
		first, err := live(t, a, size)
		if err != nil {
			t.Fatal(err)
		}
		p := b.Pin()
		drop(a, first)
		n := 0
		for {
			again, err := live(t, a, size)
			if err != nil {
				t.Fatal(err)
			}
			if again.Ref == first.Ref {
				break
			}
			if n++; !b.Pinned(p) {
				t.Fatalf("size %d: ousted after %d blocks, without need", size, n)
			}
		}
		if b.Pinned(p) {
			t.Fatalf("size %d: given out under a pin", size)
		}
		b.Unpin(p)
		t.Logf("size %d: ousted after %d blocks", size, n)
		second := b.Pin()
		if !b.Pinned(second) {
			t.Error("a new pin is ousted")
		}
		b.Unpin(second)
	}
}

// TestManyPins has more pins at a time than there are words.
func TestManyPins(t *testing.T) {
	h := newHeap(t, 2, 4)
	a := h.open(t, 0)
	var pins []arena.Pin
	for range 40 {
		pins = append(pins, a.Pin())
	}
	for i, p := range pins {
		if !a.Pinned(p) {
			t.Fatalf("pin %d does not hold", i)
		}
		a.Unpin(p)
	}
	first, _ := live(t, a, 100)
	drop(a, first)
	if again, _ := live(t, a, 100); again.Ref != first.Ref {
		t.Error("a pin is left")
	}
}

// TestTrim frees everything, and wants its space to be given back, but only when
// nobody may be reading it any more.
func TestTrim(t *testing.T) {
	h := newHeap(t, 3, 64)
	a, b := h.open(t, 0), h.open(t, 1)
	var blocks []arena.Block
	for range 3000 {
		x, err := live(t, a, 1000)
		if err != nil {
			t.Fatal(err)
		}
		blocks = append(blocks, x)
	}
	large, err := live(t, b, 500000)
	if err != nil {
		t.Fatal(err)
	}
	full := len(h.taken)
	for _, x := range append(blocks, large) {
		drop(a, x)
	}
	never, always := func() bool { return false }, func() bool { return true }
	for range 10 {
		a.Trim(always)
		b.Trim(never)
	}
	if len(h.taken) != full {
		t.Errorf("%d of %d pages while somebody reads", len(h.taken), full)
	}
	for range 10 {
		a.Trim(always)
		b.Trim(always)
	}
	if len(h.taken) != 0 {
		t.Errorf("%d of %d pages are kept", len(h.taken), full)
	}
	check(t, a, nil)
	again, err := live(t, b, 500000)
	if err != nil {
		t.Fatal(err)
	}
	if len(h.taken) == 0 {
		t.Error("a block without space")
	}
	// Who has left, or is dead, is not waited for.
	drop(a, again)
	h.open(t, 2)
	a.Reap(2)
	b.Close()
	for range 10 {
		a.Trim(always)
	}
	if len(h.taken) != 0 {
		t.Errorf("%d pages are kept", len(h.taken))
	}
}
