//go:build faultpoints

package shm_test

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/shmkit/shmkit/internal/fault"
	"github.com/shmkit/shmkit/internal/fault/faulttest"
	"github.com/shmkit/shmkit/shm"
)

// stepPrefix marks the lines in which an agent names the crash points that it
// comes to.
const stepPrefix = "step "

// killAt makes this process die at the n-th crash point from now on.
func killAt(n int) { faulttest.DieAt(n, "", stepWriter{}) }

type stepWriter struct{}

func (stepWriter) Write(name []byte) (int, error) {
	return os.Stdout.Write(append([]byte(stepPrefix), name...))
}

// askSteps is [proc.ask] for an agent that names its crash points.
func (p *proc) askSteps(t *testing.T, order string) (steps []string, answer string) {
	t.Helper()
	p.send(order)
	for {
		answer = p.answer(t)
		step, ok := strings.CutPrefix(answer, stepPrefix)
		if !ok {
			return steps, answer
		}
		steps = append(steps, step)
	}
}

// TestSteps kills a process at each step of each operation on the slots and
// the file, and lets a survivor see to it. There must be no crash point in the
// source that nobody has died at.
func TestSteps(t *testing.T) {
	ops := []struct {
		name  string
		setup []string // orders before the crash points count
		order string
		least int // crash points that it must have
	}{
		{"create", nil, "create x 8", 5},
		{"create_named", []string{"named"}, "create x 8", 5},
		{"join", nil, "join grave", 2},
		{"join_recovering", nil, "join full", 6},
		{"leave", []string{"join grave"}, "close", 3},
		{"last_leave", []string{"create x 8"}, "close", 4},
		{"sweep", nil, "sweep", 1},
		{"make_way", nil, "create abandoned 8", 6},
	}
	died := make(map[string]int) // deaths at each step
	for _, op := range ops {
		t.Run(op.name, func(t *testing.T) {
			for k := 1; ; k++ {
				if k > 200 {
					t.Fatal("no end of crash points")
				}
				step, finished := stepCase(t, op.setup, op.order, k)
				if finished {
					if k <= op.least {
						t.Fatalf("%d crash points, expected %d at least", k-1, op.least)
					}
					t.Logf("%d crash points", k-1)
					return
				}
				died[step]++
			}
		})
	}
	checkNames(t, died)
}

// spared are the crash points that these operations don't come to.
var spared = map[string]string{
	"shm.create.init": "only a segment with a Spec.Init has it: see TestSteps of ringqueue",
}

// checkNames compares the steps that somebody died at with those in the source.
func checkNames(t *testing.T, died map[string]int) {
	t.Helper()
	steps, err := faulttest.Steps(".", "shm")
	if err != nil || len(steps) == 0 {
		t.Fatalf("%d crash points in the source, %v", len(steps), err)
	}
	for name, pos := range steps {
		switch why, ok := spared[name]; {
		case ok && died[name] > 0:
			t.Errorf("%s is not out of reach: %s", name, why)
		case !ok && died[name] == 0:
			t.Errorf("%v: nobody died at %s", pos, name)
		}
		delete(died, name)
	}
	for name := range died {
		t.Errorf("a death at %s, which is not in the source", name)
	}
	t.Logf("%d of %d steps in the source, without %v", len(steps)-len(spared), len(steps), slices.Sorted(maps.Keys(spared)))
}

// A sweep between a named draft's creation and its lock must not make the
// creator lose its segment.
func TestSweepAtDraft(t *testing.T) {
	o := shm.Named(shm.Options{Dir: testDir(t)})
	sweeps := 0
	fault.SetHook(func(step string) {
		if step == "shm.create.draft" && sweeps < 3 {
			sweeps++
			must(shm.Dir(o.Dir).Sweep())(t)
		}
	})
	defer fault.SetHook(nil)
	s := create(t, "x", 8, o)
	if sweeps == 0 {
		t.Fatal("not at that step")
	}
	if h := open(t, "x", o); h.ID() != s.ID() {
		t.Fatal("another segment")
	}
	if left := names(t, o.Dir); !slices.Contains(left, "x") || slices.ContainsFunc(left, func(n string) bool { return strings.HasPrefix(n, shm.TempPrefix) }) {
		t.Fatalf("in the directory: %q", left)
	}
}

func stepCase(t *testing.T, setup []string, order string, k int) (step string, finished bool) {
	dir := testDir(t)
	o := &shm.Options{Dir: dir}
	grave := must(shm.CreateSpec("grave", graveSpec(nil), o))(t)
	defer grave.Close()
	spec := graveSpec(nil)
	// "full" has one slot that is ours and one that is dead; nobody recovers it
	// through this handle before the end.
	full := must(shm.CreateSpec("full", &shm.Spec{Kind: spec.Kind, Layout: spec.Layout, Size: spec.Size, Slots: 2}, o))(t)
	defer full.Close()
	dead := startAgent(t, dir, related)
	dead.want(t, "create abandoned 8", "slot 0")
	dead.want(t, "join full", "slot 1")
	dead.kill()

	p := startAgent(t, dir, related)
	for _, s := range setup {
		if got := p.ask(t, s); got == "" {
			t.Fatalf("%s: no answer", s)
		}
	}
	p.want(t, fmt.Sprint("killat ", k), "ok")
	steps, answer := p.askSteps(t, order)
	p.end() // dead in any case: it closes nothing

	for _, info := range must(shm.Dir(dir).List())(t) {
		if info.Err != nil {
			t.Errorf("step %d: %+v", k, info)
		}
	}
	must(shm.Dir(dir).Sweep())(t)
	for _, left := range names(t, dir) {
		if left != "grave" && left != "full" && !strings.HasPrefix(left, ".lock-") {
			t.Errorf("step %d: left behind: %q", k, left)
		}
	}
	create(t, "x", 8, o).Close() // the names are free again
	create(t, "abandoned", 8, o).Close()
	grave.RecoverDead()
	for i := 1; i < grave.Slots(); i++ {
		if info := grave.SlotInfo(i); info.State != shm.SlotFree {
			t.Errorf("step %d: slot after recovery: %+v", k, info)
		}
	}
	if begun, done := word(grave, 0).Load(), word(grave, 1).Load(); begun != done || begun > 1 {
		t.Errorf("step %d: %d hooks begun, %d done", k, begun, done)
	}
	// The dead slots of "full" are recovered by the next one, the first death
	// at least once and whatever else happened at most once more.
	h := must(shm.OpenSpec("full", spec, o))(t)
	if h.Slot() != 1 {
		t.Errorf("step %d: slot %d", k, h.Slot())
	}
	if done := word(full, 1).Load(); done < 1 || done > 2 {
		t.Errorf("step %d: %d hooks done", k, done)
	}
	h.Close()
	grave.Close()
	full.Close()
	must(shm.Dir(dir).Sweep())(t)
	if left := names(t, dir); len(left) > 0 {
		t.Errorf("step %d: left behind in the end: %q", k, left)
	}
	if answer != "" {
		return "", true
	}
	if len(steps) != k {
		t.Fatalf("died at step %d of %q", k, steps)
	}
	return steps[k-1], false
}
