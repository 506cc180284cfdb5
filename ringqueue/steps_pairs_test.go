//go:build unix && faultpoints

package ringqueue_test

import (
	"slices"
	"testing"
)

// TestStepPairs has a process die in an operation, and another one in recovering
// from that; a survivor recovers from both. In the telling states it takes every
// point of the operation with every point of the recovery, and in the others one
// point of the operation, by lot, with every fourth of the recovery. Without
// SHMKIT_STEPS=all it takes one in seven points, in the telling states only, with
// one in thirty of the recovery, and with each step of it once an operation.
func TestStepPairs(t *testing.T) {
	all := slices.Concat(states, soleStates(), largeStates())
	sum := newSummary()
	t.Run("operations", func(t *testing.T) {
		for _, op := range operations {
			if op.makesQueue {
				continue // its death leaves nothing to recover
			}
			t.Run(op.name, func(t *testing.T) {
				t.Parallel()
				died := make(map[string]bool)
				for i := range all {
					if st := &all[i]; st.admits(op.name) && (stepsAll || telling(op.name, st)) {
						pairsOf(t, sum, op.name, st, died)
					}
				}
			})
		}
	})
	sum.print(t)
	sum.checkSeen(t)
}

// pairsOf has victims die in the operation in the state, and recoverers behind
// each. died has the steps at which recoverers from this operation have died.
func pairsOf(t *testing.T, sum *summary, op string, st *state, died map[string]bool) {
	t.Helper()
	dry := stepCase{t: t, op: op, state: st}
	dry.run()
	points := len(dry.victim.trace)
	// Also behind the operation: the process dies with what it holds.
	for k := range points + 1 {
		every, every2 := 1, 1
		switch {
		case !stepsAll:
			every, every2 = 7, 30
		case !telling(op, st):
			every, every2 = points+1, 4
		}
		if (k+lot(op, st.name))%every == 0 {
			recoverersOf(t, sum, op, st, k, every2, died)
		}
	}
}

// recoverersOf has recoverers die at every so many points of the recovery from
// a death at the k-th point, and at those where none has died yet.
func recoverersOf(t *testing.T, sum *summary, op string, st *state, k, every int, died map[string]bool) {
	t.Helper()
	var steps []string
	for k2 := 0; k2 <= len(steps); k2++ {
		if k2 > 0 {
			step := steps[k2-1]
			if died[step] && (k+k2+lot(op, st.name))%every != 0 {
				continue
			}
			died[step] = true
		}
		c := stepCase{t: t, op: op, state: st, k: k, recovered: true, k2: k2}
		c.run()
		if k2 == 0 {
			steps = c.recoverer.recovery()
		}
		sum.add(&c, len(steps))
		if t.Failed() {
			t.Fatalf("%s in state %s: died at %d, steps %q; recoverer at %d of %d, steps %q",
				op, st.name, k, c.victim.trace, k2, len(steps), c.recoverer.trace)
		}
	}
}
