//go:build faultpoints

package explore_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/shmkit/shmkit/internal/explore"
)

// TestAllStatesAreFound compares what the explorer finds by running the code with
// what the protocol's table says.
func TestAllStatesAreFound(t *testing.T) {
	for _, c := range []struct {
		scripts []string
		deaths  int
	}{
		{[]string{"add"}, 0},
		{[]string{"add"}, 3},
		{[]string{"add", "add"}, 0},
		{[]string{"add add", "add"}, 1},
		{[]string{"add add add", "add add"}, 2},
		{[]string{"add", "add", "add"}, 2},
	} {
		var ops []int
		for _, s := range c.scripts {
			ops = append(ops, len(strings.Fields(s)))
		}
		var m account
		report, err := explore.Search(m.world(), explore.Scenario{Scripts: c.scripts, Deaths: c.deaths})
		if err != nil {
			t.Fatal(err)
		}
		states, ends, deaths := count(ops, c.deaths)
		if !report.Complete || report.States != states || report.Ends != ends || report.Deaths != deaths {
			t.Errorf("%q, %d deaths: %v; there are %d states, %d ends and %d deaths", c.scripts, c.deaths, report, states, ends, deaths)
		}
		t.Logf("%q: %v", c.scripts, report)
	}
}

// TestLimit stops a search.
func TestLimit(t *testing.T) {
	var m account
	s := explore.Scenario{Scripts: []string{"add", "add"}, States: 20}
	report, err := explore.Search(m.world(), s)
	if err != nil || report.Complete || report.States != 20 {
		t.Errorf("%v, %v", report, err)
	}
	s.States, _, _ = count([]int{1, 1}, 0)
	report, err = explore.Search(m.world(), s)
	if err != nil || !report.Complete || report.States != s.States {
		t.Errorf("%v, %v with a limit of as many states as there are", report, err)
	}
}

// TestFlawsAreFound breaks the account in each way that its recovery and its lock
// may be broken, and reads the trace.
func TestFlawsAreFound(t *testing.T) {
	for _, c := range []struct {
		name   string
		m      *account
		forget bool // a lock that could not be taken is a milestone
		want   string
	}{
		{"the lock is taken without another look", &account{checkThenAct: true}, true, `
actor 1 has taken the lock from slot 0, after
   1  actor 0  add  load lock, 0
   2  actor 1  add  load lock, 0
   3  actor 0  add  toy.take: lock 0, then 1
   4  actor 1  add  toy.take: lock 1, then 2`},
		{"the lock is freed before the second word", &account{unlocksEarly: true}, true, `
the lock is free, and left is 1, right 0, after
   1  actor 0  add  toy.lock: lock 0, then 1
   2  actor 0  add  load left, 0
   3  actor 0  add  toy.left: left 0, then 1
   4  actor 0  add  toy.unlock: lock 1, then 0`},
		{"recovery frees the lock before it repairs", &account{freesLockFirst: true}, true, `
the lock is free, and left is 1, right 0, after
   1  actor 0               add  toy.lock: lock 0, then 1
   2  actor 0               add  load left, 0
   3  actor 0               add  toy.left: left 0, then 1
   4  actor 0               add  dies before toy.right
   5  recoverer of actor 0       load lock, 1
   6  recoverer of actor 0       toy.free: lock 1, then 0`},
		{"nobody recovers", &account{leavesLock: true}, true, `
nobody can go on; actor 1 waits for the lock, after
   1  actor 0  add  toy.lock: lock 0, then 1
   2  actor 0  add  load left, 0
   3  actor 1  add  toy.lock
   4  actor 0  add  dies before toy.left`},
		{"nobody recovers, and the other goes round", &account{leavesLock: true, spins: true}, true, `
from here no steps lead to an end, after
   1  actor 0  add  toy.lock: lock 0, then 1
   2  actor 0  add  load left, 0
   3  actor 0  add  dies before toy.left`},
		{"an operation goes on for ever", &account{leavesLock: true, spins: true}, false, `
actor 1: its operation has no end: 21 steps with everybody else standing still, after
   1  actor 0  add  toy.lock: lock 0, then 1
   2  actor 1  add  toy.lock
   3  actor 1  add  toy.lock
`},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := c.m.world()
			if !c.forget {
				w.Milestone = nil
			}
			report, err := explore.Search(w, explore.Scenario{Scripts: []string{"add", "add"}, Deaths: 1, Steps: 20})
			var v *explore.Violation
			if !errors.As(err, &v) || report.Complete {
				t.Fatalf("%v, %v", report, err)
			}
			t.Log(err)
			if want := c.want[1:]; !strings.HasPrefix(err.Error(), want) || !strings.HasSuffix(want, "\n") && err.Error() != want {
				t.Errorf("want\n%s", want)
			}
			if c.m.lock.Load()|c.m.left.Load()|c.m.right.Load() != 0 {
				t.Error("the memory is not as it was before")
			}
		})
	}
}

// TestSpinningIsNoFlaw lets tellers look at the lock again and again, where
// somebody frees it in the end.
func TestSpinningIsNoFlaw(t *testing.T) {
	m := account{spins: true}
	report, err := explore.Search(m.world(), explore.Scenario{Scripts: []string{"add", "add"}, Deaths: 2})
	if err != nil || !report.Complete {
		t.Errorf("%v, %v", report, err)
	}
}
