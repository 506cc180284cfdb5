package futex

import "time"

// SetSlice replaces [Slice] for the gate, before its first Wait.
func (g *Gate) SetSlice(d time.Duration) { g.slice = d }

// Budget returns how long the next leader may spin. Nobody may be waiting.
func (g *Gate) Budget() time.Duration { return g.patience.limit() }

const (
	LeastBudget = leastBudget
	MostBudget  = mostBudget
	ProbeEvery  = probeEvery
)
