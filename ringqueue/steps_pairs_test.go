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
// SHMKIT_STEPS=all it takes one in seven points, and one in thirteen, by lot, in
// the telling states only.
func TestStepPairs(t *testing.T) {
	all := slices.Concat(states, soleStates())
	sum := newSummary()
	t.Run("operations", func(t *testing.T) {
		for _, op := range operations {
			if op.makesQueue {
				continue // its death leaves nothing to recover
			}
			t.Run(op.name, func(t *testing.T) {
				t.Parallel()
				for i := range all {
					if st := &all[i]; st.admits(op.name) && (stepsAll || telling(op.name, st)) {
						pairsOf(t, sum, op.name, st)
					}
				}
			})
		}
	})
	sum.print(t)
}

// pairsOf has victims die in the operation in the state, and recoverers behind
// each.
func pairsOf(t *testing.T, sum *summary, op string, st *state) {
	t.Helper()
	dry := stepCase{t: t, op: op, state: st}
	dry.run()
	points := len(dry.victim.trace)
	// Also behind the operation: the process dies with what it holds.
	for k := range points + 1 {
		every, every2 := 1, 1
		switch {
		case !stepsAll:
			every, every2 = 7, 13
		case !telling(op, st):
			every, every2 = points+1, 4
		}
		if (k+lot(op, st.name))%every == 0 {
			recoverersOf(t, sum, op, st, k, every2)
		}
	}
}

// recoverersOf has recoverers die at every so many points of the recovery from
// a death at the k-th point.
func recoverersOf(t *testing.T, sum *summary, op string, st *state, k, every int) {
	t.Helper()
	points := 0
	for k2 := 0; k2 <= points; k2++ {
		if k2 > 0 && (k+k2+lot(op, st.name))%every != 0 {
			continue
		}
		c := stepCase{t: t, op: op, state: st, k: k, recovered: true, k2: k2}
		c.run()
		if k2 == 0 {
			points = c.recoverer.counted()
		}
		sum.add(&c, points)
		if t.Failed() {
			t.Fatalf("%s in state %s: died at %d, steps %q; recoverer at %d of %d, steps %q",
				op, st.name, k, c.victim.trace, k2, points, c.recoverer.trace)
		}
	}
}
