//go:build unix && faultpoints

package ringqueue_test

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/shmkit/shmkit/internal/fault/faulttest"
)

// A summary counts the deaths of the step killer.
type summary struct {
	mu    sync.Mutex
	ops   map[string]*opSummary
	seen  map[string]bool // steps that somebody came to
	died  map[string]int  // deaths at each of them
	times []time.Duration
}

// An opSummary is an operation's part.
type opSummary struct {
	states map[string]int  // crash points in each, or in each recovery
	names  map[string]bool // of steps at which somebody died
	deaths int
}

func newSummary() *summary {
	return &summary{ops: make(map[string]*opSummary), seen: make(map[string]bool), died: make(map[string]int)}
}

// add counts a case. The death that counts is the last one, of the so many that
// its place has crash points for: the operation in its state, or the recovery
// from a death at one of its points.
func (s *summary) add(c *stepCase, points int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.ops[c.op]
	if o == nil {
		o = &opSummary{states: make(map[string]int), names: make(map[string]bool)}
		s.ops[c.op] = o
	}
	place := c.state.name
	if c.recovered {
		place = fmt.Sprint(place, " ", c.k)
	}
	o.states[place] = points
	s.times = append(s.times, c.took)
	p, trace := c.victim, c.victim.trace
	if c.recovered {
		p, trace = c.recoverer, c.recoverer.recovery()
	}
	for _, step := range trace {
		s.seen[step] = true
	}
	if p.died {
		step := trace[len(trace)-1]
		o.deaths++
		o.names[step] = true
		s.died[step]++
	}
}

// print logs the table.
func (s *summary) print(t *testing.T) {
	t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "%-16s %7s %7s %7s %7s\n", "operation", "states", "points", "deaths", "steps")
	var points, deaths int
	for _, op := range slices.Sorted(maps.Keys(s.ops)) {
		o := s.ops[op]
		n := 0
		for _, p := range o.states {
			n += p
		}
		points += n
		deaths += o.deaths
		fmt.Fprintf(&b, "%-16s %7d %7d %7d %7d\n", op, len(o.states), n, o.deaths, len(o.names))
	}
	fmt.Fprintf(&b, "%-16s %7s %7d %7d %7d\n", "all", "", points, deaths, len(s.died))
	slices.SortFunc(s.times, cmp.Compare)
	if n := len(s.times); n > 0 {
		fmt.Fprintf(&b, "survivors' script: median %v, worst %v of %d\n", s.times[n/2], s.times[n-1], n)
	}
	t.Log(b.String())
}

// checkSeen sees to it that somebody died at each step that was come to.
func (s *summary) checkSeen(t *testing.T) {
	t.Helper()
	for step := range s.seen {
		if s.died[step] == 0 {
			t.Errorf("nobody died at %s", step)
		}
	}
	t.Logf("deaths at %d of %d steps that were come to", len(s.died), len(s.seen))
}

// unreached are the crash points that nobody can come to in these tests where the
// memory can be mapped twice and a file can be made without a name. All of them
// are come to with the tag portable.
var unreached = map[string]string{
	"ring.pad":         "records wrap",
	"ring.pad.claim":   "records wrap",
	"ring.pad.commit":  "records wrap",
	"shm.create.draft": "there is no temporary name",
}

// raced are the crash points that take something else's step in the middle of an
// operation. Where that is another process, the explorer places it there, and deaths
// behind it.
var raced = map[string]string{
	"ring.sole.undo":     "the queue is shut down between a put's two looks",
	"ring.large.unclaim": "the file system is full",
}

// checkNames compares the steps that somebody died at with those in the source.
func (s *summary) checkNames(t *testing.T) {
	t.Helper()
	probe := newScene(t, "", state{})
	defer probe.end()
	probe.create()
	spared := maps.Clone(raced)
	if probe.q.Ring().Segment().Mirrored() {
		maps.Copy(spared, unreached)
	}
	known := make(map[string]bool)
	for _, pkg := range [][2]string{{".", "ring"}, {"../shm", "shm"}, {"../internal/futex", "futex"}} {
		steps, err := faulttest.Steps(pkg[0], pkg[1])
		if err != nil {
			t.Fatal(err)
		}
		if len(steps) == 0 {
			t.Errorf("no crash points in %s", pkg[0])
		}
		for name, pos := range steps {
			switch why, ok := spared[name]; {
			case ok && s.died[name] > 0:
				t.Errorf("%s is not out of reach: %s", name, why)
			case !ok && s.died[name] == 0:
				t.Errorf("%v: nobody died at %s", pos, name)
			}
			known[name] = true
		}
	}
	arena, err := faulttest.Steps("../internal/arena", "arena") // which has tests of its own
	if err != nil {
		t.Fatal(err)
	}
	for name := range arena {
		known[name] = true
	}
	for name := range s.died {
		if !known[name] {
			t.Errorf("a death at %s, which is not in the source", name)
		}
	}
	t.Logf("%d of %d steps in the source, without %v", len(known)-len(arena)-len(spared), len(known)-len(arena), slices.Sorted(maps.Keys(spared)))
}
