//go:build faultpoints

package explore_test

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/shmkit/shmkit/internal/explore"
	"github.com/shmkit/shmkit/internal/fault"
	"github.com/shmkit/shmkit/internal/mem"
)

// words is a world of a few words, and an operation.
func words(ws []atomic.Uint64, do func(a *explore.Actor)) explore.World[*explore.Actor] {
	return explore.World[*explore.Actor]{
		Memory: []explore.Region{{Name: "words", Bytes: mem.BytesOfSlice(ws)}},
		Start:  func(a *explore.Actor) *explore.Actor { return a },
		Do: func(a *explore.Actor, op string) func() {
			do(a)
			return nil
		},
	}
}

// store is an operation that stores to its slot's word.
func store(ws []atomic.Uint64) func(a *explore.Actor) {
	return func(a *explore.Actor) {
		fault.Point("test.store")
		ws[a.Slot].Add(1)
	}
}

// TestIndependentProcesses counts the states of processes that have nothing to do
// with one another: each of n processes has taken 0 to k steps. Where some of
// them may die, nobody recovers: each may be gone after 0 to k-1 steps too.
func TestIndependentProcesses(t *testing.T) {
	for _, c := range []struct {
		scripts        []string
		deaths, states int
	}{
		{[]string{"s s s"}, 0, 4},
		{[]string{"s s s", "s s"}, 0, 4 * 3},
		{[]string{"s s s", "s s s s", "s"}, 0, 4 * 5 * 2},
		{[]string{"s s s", "s s"}, 2, 4*3 + (3*3 + 4*2) + 3*2},
	} {
		ws := make([]atomic.Uint64, len(c.scripts))
		report, err := explore.Search(words(ws, store(ws)), explore.Scenario{Scripts: c.scripts, Deaths: c.deaths})
		if err != nil || !report.Complete || report.States != c.states {
			t.Errorf("%q: %v, %v; there are %d states", c.scripts, report, err, c.states)
		}
	}
}

// TestForever counts the states of a process that goes round: it stands before a
// load or a store of a word that has four values.
func TestForever(t *testing.T) {
	ws := make([]atomic.Uint64, 1)
	report, err := explore.Search(words(ws, func(*explore.Actor) {
		fault.Look(&ws[0])
		n := ws[0].Load()
		fault.Point("test.store")
		ws[0].Store((n + 1) % 4)
	}), explore.Scenario{Scripts: []string{"round"}, Forever: true})
	if err != nil || !report.Complete || report.States != 8 || report.Ends != 0 {
		t.Errorf("%v, %v", report, err)
	}
}

// TestRulesForTheWorld breaks what the search relies on.
func TestRulesForTheWorld(t *testing.T) {
	ws := make([]atomic.Uint64, 2)
	rounds := uint64(0) // outside of the memory, and not reset
	for want, do := range map[string]func(a *explore.Actor){
		"a step that loads has changed words[1] 0x0, then 0x1": func(*explore.Actor) {
			fault.Look(&ws[0])
			ws[1].Store(ws[0].Load() + 1)
		},
		"the same steps have led to another state": func(*explore.Actor) {
			rounds++
			fault.Point("test.store")
			ws[0].Store(rounds)
		},
		"actor 0 panicked: index": func(*explore.Actor) {
			panic("index")
		},
		"loads a *atomic.Int32, which the explorer does not know": func(*explore.Actor) {
			fault.Look(new(atomic.Int32))
		},
		"nobody can go on; actor 0 waits for nothing": func(a *explore.Actor) {
			a.Await("nothing", func() bool { return false })
		},
	} {
		_, err := explore.Search(words(ws, do), explore.Scenario{Scripts: []string{"op op"}})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

// TestPlainWords lets a step that loads change a word that is written plainly.
func TestPlainWords(t *testing.T) {
	ws := make([]atomic.Uint64, 2)
	w := words(ws, func(*explore.Actor) {
		fault.Look(&ws[0])
		ws[1].Store(ws[0].Load() + 1)
	})
	w.Plain = func(c explore.Change) bool { return c.Index == 1 }
	if report, err := explore.Search(w, explore.Scenario{Scripts: []string{"op"}}); err != nil || report.States != 2 {
		t.Errorf("%v, %v", report, err)
	}
}

// TestQuestionsLeaveNothingBehind asks questions that change all of the memory, and
// counts how often.
func TestQuestionsLeaveNothingBehind(t *testing.T) {
	ws := make([]atomic.Uint64, 300)
	w := words(ws, store(ws))
	checks, audits, ends := 0, 0, 0
	spoil := func(r *explore.Run) {
		before := ws[0].Load()
		for range 2 {
			if ws[0].Load() != before {
				r.Failf("the memory was not restored")
			}
			for i := range ws {
				ws[i].Store(77)
			}
			r.Restore()
		}
		ws[299].Store(78)
	}
	w.Check = func(*explore.Run) { checks++ }
	w.Audit = func(r *explore.Run) { audits++; spoil(r) }
	w.End = func(r *explore.Run) {
		ends++
		if ws[0].Load() != 2 || ws[1].Load() != 1 || ws[299].Load() != 0 {
			r.Failf("in the end the words are %d, %d and %d", ws[0].Load(), ws[1].Load(), ws[299].Load())
		}
		spoil(r)
	}
	report, err := explore.Search(w, explore.Scenario{Scripts: []string{"s s", "s"}})
	if err != nil || report.States != 6 || checks != 6 || audits != 6 || ends != 1 {
		t.Errorf("%v, %v; %d checks, %d audits, %d ends", report, err, checks, audits, ends)
	}
}

// TestJudge sees to it that an operation is judged when its last change has been
// seen.
func TestJudge(t *testing.T) {
	ws := make([]atomic.Uint64, 1)
	w := words(ws, nil)
	seen := uint64(0)
	w.Reset = func(*explore.Run) { seen = 0 }
	w.Changed = func(a *explore.Actor, cs []explore.Change) { seen = cs[len(cs)-1].New }
	w.Do = func(a *explore.Actor, op string) func() {
		store(ws)(a)
		n := ws[0].Load()
		return func() {
			if seen != n || n == 2 {
				a.Failf("%d was seen of %d", seen, n)
			}
		}
	}
	_, err := explore.Search(w, explore.Scenario{Scripts: []string{"s s"}})
	if err == nil || !strings.HasPrefix(err.Error(), "2 was seen of 2, after\n   1  actor 0  s  test.store: words 0x0, then 0x1\n") {
		t.Error(err)
	}
}

// TestSmallNumbersMix sees to it that a hash of small numbers tells them apart.
func TestSmallNumbersMix(t *testing.T) {
	seen := make(map[uint64]bool)
	for h := range uint64(300) {
		for v := range uint64(300) {
			seen[explore.Mix(h, v)] = true
		}
	}
	if len(seen) != 300*300 {
		t.Errorf("%d hashes of %d pairs", len(seen), 300*300)
	}
}

// TestOddRegions sees changes in words that are not whole, in traces too.
func TestOddRegions(t *testing.T) {
	b := make([]byte, 1024+7)
	var flags [3]atomic.Uint32
	w := explore.World[*explore.Actor]{
		Memory: []explore.Region{{Name: "bytes", Bytes: b}, {Name: "flags", Bytes: mem.BytesOfSlice(flags[:])}},
		Start:  func(a *explore.Actor) *explore.Actor { return a },
		Do: func(a *explore.Actor, op string) func() {
			fault.Look(&flags[1])
			fault.Point("test.store")
			b[1030] = 5
			flags[2].Store(6)
			return func() { a.Failf("seen") }
		},
	}
	_, err := explore.Search(w, explore.Scenario{Scripts: []string{"op"}})
	want := `seen, after
   1  actor 0  op  load flags[0]+4, 0x0
   2  actor 0  op  test.store: bytes[128] 0x0, then 0x5000000000000, flags[1] 0x0, then 0x6`
	if err == nil || err.Error() != want {
		t.Errorf("%v\nwant\n%s", err, want)
	}
}

// BenchmarkState measures what a state costs in a memory of so many bytes, of
// which few words change.
func BenchmarkState(b *testing.B) {
	for _, size := range []int{1 << 10, 10 << 10, 100 << 10, 1 << 20} {
		b.Run(fmt.Sprintf("%dKiB", size>>10), func(b *testing.B) {
			ws := make([]atomic.Uint64, size/8)
			states := 0
			for b.Loop() {
				report, err := explore.Search(words(ws, store(ws)), explore.Scenario{Scripts: []string{
					strings.Repeat("s ", 30), strings.Repeat("s ", 30),
				}})
				if err != nil {
					b.Fatal(err)
				}
				states += report.States
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(states), "ns/state")
		})
	}
}
