//go:build faultpoints

package arena_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/shmkit/shmkit/internal/arena"
	"github.com/shmkit/shmkit/internal/fault/faulttest"
)

// A site is an arena with handles for processes, and the blocks that are live.
type site struct {
	t      *testing.T
	heap   *heap
	as     []*arena.Arena
	blocks map[uint64]arena.Block
	pins   []arena.Pin // of process 3
}

func newSite(t *testing.T, chunks int) *site {
	s := &site{t: t, heap: newHeap(t, 4, chunks), blocks: make(map[uint64]arena.Block)}
	for i := range 4 {
		s.as = append(s.as, s.heap.open(t, i))
	}
	return s
}

// add makes live blocks, as many as there is room for of n.
func (s *site) add(by, size, n int) (made []arena.Block) {
	for range n {
		b, err := live(s.t, s.as[by], size)
		if errors.Is(err, arena.ErrNoSpace) {
			break
		}
		if err != nil {
			s.t.Error(err)
			break
		}
		s.blocks[b.Ref] = b
		made = append(made, b)
	}
	return made
}

// drop retires blocks of the site, in order of their places.
func (s *site) drop(by, n int) {
	for _, ref := range slices.Sorted(maps.Keys(s.blocks)) {
		if n--; n < 0 {
			return
		}
		drop(s.as[by], s.blocks[ref])
	}
}

// look finds out which blocks are live still.
func (s *site) look() {
	for ref, b := range s.blocks {
		if s.as[3].HeadOf(ref).Load() != arena.Head(b.Inc, arena.Live) {
			delete(s.blocks, ref)
		}
	}
}

// alloc gives out blocks and takes them back. A block that its process dies with is
// not live, and so nobody's.
func (s *site) alloc(size, n int) {
	for range n {
		b, err := s.as[0].Alloc(size)
		if err != nil {
			if !errors.Is(err, arena.ErrNoSpace) {
				s.t.Error(err)
			}
			return
		}
		s.as[0].Abandon(b)
	}
}

// acts are what process 0 does in a state of the arena.
var acts = []struct {
	name   string
	chunks int
	build  func(s *site)
	act    func(s *site)
}{
	{"first", 8, func(*site) {}, func(s *site) { s.alloc(4000, 2) }},
	{"from a page of its own", 8, func(s *site) { s.add(0, 4000, 3) }, func(s *site) { s.alloc(4000, 20) }},
	{"leftovers", 8, func(s *site) { s.add(1, 4000, 40); s.drop(1, 30); trim(s.as...) }, func(s *site) { s.alloc(4000, 20) }},
	{"leftovers under a pin", 8, func(s *site) {
		s.add(1, 4000, 40)
		s.pins = append(s.pins, s.as[3].Pin())
		s.drop(1, 30)
		trim(s.as...)
	}, func(s *site) { s.alloc(4000, 20) }},
	{"a freed chunk", 8, func(s *site) { s.add(1, 4000, 40); s.drop(1, 40); trim(s.as...) }, func(s *site) { s.alloc(2000, 2) }},
	{"full", 8, func(s *site) { s.add(1, 4000, 1000) }, func(s *site) { s.alloc(4000, 1); s.alloc(2000, 1); s.alloc(70000, 1) }},
	{"full, its own size", 8, func(s *site) { s.add(1, 4000, 1000); s.drop(2, 40); trim(s.as...) }, func(s *site) { s.alloc(4000, 30) }},
	{"full, ousting", 8, func(s *site) {
		s.add(1, 4000, 1000)
		s.pins = append(s.pins, s.as[3].Pin())
		s.drop(2, 60)
		trim(s.as...)
	}, func(s *site) { s.alloc(2000, 1); s.alloc(70000, 1); s.alloc(4000, 10) }},
	{"extent", 8, func(s *site) {}, func(s *site) { s.alloc(150000, 2) }},
	{"extents in a row", 12, func(s *site) { s.add(1, 150000, 3); s.drop(1, 1) }, func(s *site) { s.alloc(150000, 2); s.alloc(70000, 1) }},
	{"extents full", 8, func(s *site) { s.add(1, 100000, 10); s.drop(2, 2) }, func(s *site) { s.alloc(300000, 1); s.alloc(100000, 1) }},
	{"extents, ousting", 8, func(s *site) {
		s.add(1, 100000, 10)
		s.pins = append(s.pins, s.as[3].Pin())
		s.drop(0, 2)
	}, func(s *site) { s.alloc(200000, 1) }},
	{"holes and pages", 12, func(s *site) { s.add(1, 4000, 20); s.add(1, 200000, 1); s.drop(1, 16); trim(s.as...) }, func(s *site) { s.alloc(100000, 1); s.alloc(300000, 1) }},
	{"drop its own", 8, func(s *site) { s.add(0, 4000, 10) }, func(s *site) { s.drop(0, 5) }},
	{"drop another's", 8, func(s *site) { s.add(1, 4000, 10) }, func(s *site) { s.drop(0, 5) }},
	{"drop nobody's", 8, func(s *site) { s.add(1, 4000, 10); trim(s.as...) }, func(s *site) { s.drop(0, 5) }},
	{"drop under a pin", 8, func(s *site) { s.add(0, 4000, 10); s.pins = append(s.pins, s.as[3].Pin()) }, func(s *site) { s.drop(0, 5); s.alloc(4000, 30) }},
	{"drop extents", 10, func(s *site) { s.add(1, 100000, 4) }, func(s *site) { s.drop(0, 3) }},
	{"drop extents under a pin", 10, func(s *site) { s.add(1, 100000, 4); s.pins = append(s.pins, s.as[3].Pin()) }, func(s *site) { s.drop(0, 3); s.alloc(100000, 3) }},
	{"trim", 8, func(s *site) { s.add(0, 4000, 40); s.drop(0, 40); s.add(1, 100000, 1) }, func(s *site) { trim(s.as[0]) }},
	{"open", 8, func(s *site) { s.add(1, 4000, 10) }, func(s *site) { s.as[0] = s.heap.open(s.t, 0) }},
	{"give space back", 8, func(s *site) {
		s.add(0, 4000, 40)
		s.drop(0, 40)
		for range 2 {
			s.as[0].Trim(idle)
		}
		for _, a := range s.as[1:] {
			a.Trim(idle)
		}
	}, func(s *site) { s.as[0].Trim(idle); s.alloc(4000, 20) }},
	{"close", 8, func(s *site) { s.add(0, 4000, 10); s.drop(0, 3); s.as[0].Pin() }, func(s *site) { s.as[0].Close() }},
	{"vacate", 8, func(s *site) { s.add(0, 4000, 14); s.drop(0, 14); trim(s.as[1]) }, func(s *site) {
		if i, _, ok := s.as[0].Victim(100); ok {
			s.as[0].Vacate(i)
		}
	}},
	{"vacate another's", 8, func(s *site) {
		s.add(1, 4000, 14)
		for _, b := range s.blocks {
			s.as[2].Retire(b.Ref, b.Inc)
			s.as[2].Note(b.Ref)
		}
		s.as[1].Close()
	}, func(s *site) {
		if i, _, ok := s.as[0].Victim(100); ok {
			s.as[0].Vacate(i)
		}
	}},
	{"pins", 8, func(s *site) { s.add(1, 100, 1) }, func(s *site) {
		var pins []arena.Pin
		for range 20 {
			pins = append(pins, s.as[0].Pin())
		}
		for _, p := range pins {
			s.as[0].Unpin(p)
		}
	}},
	{"budget", 40, func(s *site) {
		s.pins = append(s.pins, s.as[3].Pin())
		s.add(0, 4000, 400)
		s.drop(0, 400)
		s.add(0, 100000, 10)
		s.drop(0, 410)
	}, func(s *site) { s.alloc(4000, 300); s.alloc(100000, 1) }},
}

// idle says that nobody is reading.
func idle() bool { return true }

// TestDeath kills a process at each crash point of what it does with the arena, and
// the one that gives back what it had at each point of that. Every block is accounted
// for, and all memory can be used.
func TestDeath(t *testing.T) {
	died := make(map[string]bool)
	for _, a := range acts {
		t.Run(a.name, func(t *testing.T) {
			build := func() *site {
				s := newSite(t, a.chunks)
				a.build(s)
				s.look()
				return s
			}
			s := build()
			points := faulttest.Points(func() { a.act(s) })
			s.judge("nobody died")
			seen, deaths := make(map[string]int), 0
			often := func(step string, k int) bool {
				seen[step]++
				return seen[step] > 4 && k%41 != 0
			}
			for i, step := range points {
				if died[step] = true; often(step, i) {
					continue
				}
				for j := 0; ; j++ { // the reaper dies at j, or not for 0
					s := build()
					dead := faulttest.StandAt(i+1, func() { a.act(s) })
					var reaper *faulttest.Standstill
					if j > 0 {
						reaper = faulttest.StandAt(j, func() { s.as[1].Reap(0) })
						died[reaper.Step] = true
						s.as[2].Reap(1)
						s.as[1] = s.heap.open(t, 1)
					}
					s.as[2].Reap(0)
					s.as[0] = s.heap.open(t, 0)
					how := fmt.Sprintf("dead at %d, %s", i+1, step)
					last := false
					if reaper != nil {
						how += fmt.Sprintf(", reaper at %d, %s", j, reaper.Step)
						last = reaper.Step == ""
					}
					deaths++
					s.judge(how)
					if reaper != nil {
						reaper.End()
					}
					dead.End()
					if last || j > 0 && often(step+" "+how[len(how)-8:], j) && j > 3 {
						break
					}
				}
			}
			t.Logf("%d deaths", deaths)
		})
	}
	steps, err := faulttest.Steps(".", "arena")
	if err != nil {
		t.Fatal(err)
	}
	for step := range steps {
		// Whoever makes a block live has said elsewhere what it is for: package dict.
		if !died[step] && step != "arena.enliven" {
			t.Errorf("nobody has died at %s", step)
		}
	}
}

// judge looks whether every block is accounted for, and whether all memory can be used.
func (s *site) judge(how string) {
	s.t.Helper()
	defer func() {
		if s.t.Failed() {
			s.t.Fatal(how)
		}
	}()
	s.look()
	check(s.t, s.as[3], s.blocks)
	for _, p := range s.pins {
		s.as[3].Unpin(p)
	}
	for by := range 3 {
		for _, size := range []int{100, 4000, 70000} {
			s.add(by, size, 2)
		}
	}
	check(s.t, s.as[3], s.blocks)
	for _, b := range s.blocks {
		drop(s.as[1], b)
	}
	trim(s.as...)
	allUnused(s.t, s.as[3])
}
