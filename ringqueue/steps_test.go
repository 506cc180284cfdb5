//go:build unix && faultpoints

package ringqueue_test

import (
	"hash/fnv"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/shmkit/shmkit/shm"
)

// stepsAll asks for every death: of each operation in each state at each crash
// point, and for [TestStepPairs] of each recoverer at each point of its recovery.
// It takes some minutes. Without it a part is taken, which is always the same and
// in which each step has its death: see chosen.
var stepsAll = os.Getenv("SHMKIT_STEPS") == "all"

// chosen tells at every which crash point of an operation in a state somebody
// dies: at each in the telling states, and of the others at every third of one in
// eight states.
func chosen(op string, st *state) (every int) {
	switch {
	case stepsAll || telling(op, st):
		return 1
	case lot(op, st.name)%8 == 0:
		return 3
	}
	return 0
}

// telling tells whether the state is one for this operation: one that has a bit
// of everything, or one in which it has steps of its own.
func telling(op string, st *state) bool {
	return st.name == "rich" || st.name == "sole/rich" || slices.Contains(st.key, op)
}

// lot returns a number that depends on the names only.
func lot(names ...string) int {
	h := fnv.New32a()
	for _, name := range names {
		h.Write([]byte(name))
	}
	return int(h.Sum32() >> 1)
}

// TestSteps has a process die at each crash point of each operation on a queue
// in each state, and a survivor do its script. There must be no crash point in
// the source that nobody has died at.
func TestSteps(t *testing.T) {
	all := slices.Concat(states, soleStates(), largeStates())
	sum := newSummary()
	t.Run("operations", func(t *testing.T) {
		for _, op := range operations {
			t.Run(op.name, func(t *testing.T) {
				t.Parallel()
				if op.makesQueue {
					stepsOf(t, sum, op.name, &state{name: "none"}, 1)
					return
				}
				for i := range all {
					if st := &all[i]; st.admits(op.name) {
						if every := chosen(op.name, st); every > 0 {
							stepsOf(t, sum, op.name, st, every)
						}
					}
				}
			})
		}
	})
	sum.print(t)
	sum.checkSeen(t)
	if len(sum.ops) == len(operations) { // unless told to run some of them
		sum.checkNames(t)
	}
}

// stepsOf has victims die in the operation in the state: one behind it, which
// tells how many points there are, and one at every so many of those.
func stepsOf(t *testing.T, sum *summary, op string, st *state, every int) {
	t.Helper()
	points := 0
	for k := 0; k <= points; k++ {
		if k > 0 && (k+lot(op, st.name))%every != 0 {
			continue
		}
		c := stepCase{t: t, op: op, state: st, k: k}
		c.run()
		if k == 0 {
			points = len(c.victim.trace)
		}
		sum.add(&c, points)
		if t.Failed() {
			t.Fatalf("%s in state %s: died at %d of %d: result %q, steps %q", op, st.name, k, points, c.victim.result, c.victim.trace)
		}
	}
}

// A stepCase has one victim die at its k-th crash point, or behind the operation
// for 0. Then, if recovered is set, another process recovers and dies at the
// k2-th point of that, or behind it for 0. Then a survivor does its script.
type stepCase struct {
	t         *testing.T
	op        string
	state     *state
	k         int
	recovered bool
	k2        int

	victim, recoverer *process
	took              time.Duration // the survivor
}

func (c *stepCase) run() {
	c.t.Helper()
	s := newScene(c.t, c.op, *c.state)
	defer s.end()
	a := victimArgs{op: c.op, dieAt: c.k, first: victimsFirst, patience: mostTime}
	if operationOf(c.op).makesQueue {
		a.queue = s.dir
	} else {
		s.prepare()
	}
	if c.state.stuck(c.op) {
		a.patience = 5 * time.Millisecond
		if c.state.corpses != nil {
			a.patience = 75 * time.Millisecond // until it has looked who is dead
		}
	}
	if c.recovered && s.wait != nil {
		s.wait.stop() // it would recover before the recoverer does
	}
	p := s.start(a)
	c.victim = p
	s.layOut()
	p.goOn()
	p.end()
	s.dead = append(s.dead, p)
	if want := c.state.result(c.op); !p.died && !slices.Contains(want, p.result) {
		c.t.Errorf("result %q, want one of %q", p.result, want)
	}
	if a.queue != "" {
		s.afterCreation()
	}
	if c.recovered {
		c.recoverer = s.start(victimArgs{op: "open", dieAt: c.k2, from: "shm.recover."})
		c.recoverer.goOn()
		c.recoverer.end()
	}
	var err error
	if c.took, err = s.survive(); err != nil {
		c.t.Error(err)
	}
}

// afterCreation looks what is left of a queue whose only holder has died: nothing
// but what a sweep takes away. It leaves a new queue of that name.
func (s *scene) afterCreation() {
	s.t.Helper()
	s.dead = nil // whatever it has done is gone
	if _, err := shm.Dir(s.dir).Sweep(); err != nil {
		s.t.Fatal(err)
	}
	noSegments(s.t, s.dir)
	s.create()
	s.closeQueue()
}

// sideOf returns the role that an operation needs.
func sideOf(op string) role {
	switch op {
	case "put", "try_put", "put_many", "reserve", "commit", "commit_less", "abort":
		return producer
	case "get", "try_get", "get_many", "receive", "ack", "nack", "borrow", "release", "requeue", "task_done", "close_in_role":
		return consumer
	}
	return 0
}

// admits tells whether an operation can be done in the state.
func (st *state) admits(op string) bool {
	if st.only != nil && !st.only(op) {
		return false
	}
	side := sideOf(op)
	prepared := operationOf(op).prepare != nil
	sole := side == producer && st.options.SingleProducer || side == consumer && st.options.SingleConsumer
	if st.busy[side] && sole && (prepared || st.asleep != "") {
		return false // somebody else has the role
	}
	if op == "commit_less" && st.asleep == "get" {
		return false // what it commits is no item
	}
	if prepared && side == consumer && st.items == 0 && op != "close_in_role" {
		return false
	}
	return !(prepared && side == producer && (st.full || st.shut))
}

// stuck tells whether an operation waits in vain.
func (st *state) stuck(op string) bool {
	switch sideOf(op) {
	case producer:
		return st.full || st.tight && op == "put_many"
	case consumer:
		return st.empty
	}
	return op == "join" && !st.empty
}

// result returns how an operation that nobody dies in may end.
func (st *state) result(op string) []string {
	timeout := " timeout"
	if op == "try_put" || op == "try_get" {
		timeout = ""
	}
	switch side := sideOf(op); {
	case op == "join" && !st.empty:
		return []string{"not done timeout", "ok"}
	case side == producer && st.shut:
		return []string{"shutdown"}
	case side == producer && st.stuck(op):
		return []string{"full" + timeout}
	case op == "try_get" && st.corpses != nil:
		return []string{"empty", "ok"} // the head is not recovered yet
	case side == consumer && st.empty && op != "close_in_role":
		return []string{"empty" + timeout}
	}
	return []string{"ok"}
}
