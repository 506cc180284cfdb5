package futex

import (
	"context"
	"runtime"
	"time"

	"github.com/shmkit/shmkit/internal/mem"
)

// A leader spins for the gate's budget of time before it sleeps. The budget
// doubles when spinning was worth it and halves when it was not, but never so
// far that a change of luck would go unnoticed. A wake-up through the kernel
// costs some 40 µs of latency, so there is little to win beyond that.
const (
	firstBudget = 20 * time.Microsecond
	leastBudget = 1 * time.Microsecond
	mostBudget  = 80 * time.Microsecond
)

// spin tries until the budget is used up; with the policy Spin, for ever. It
// returns true when the wait is over.
func (g *Gate) spin(ctx context.Context, w Waiter) (over bool, err error) {
	const (
		looksPerClock = 32   // the clock costs as much as a look or two
		looksPerYield = 4096 // other goroutines may need the processor
	)
	budget := time.Duration(g.budget.Load())
	start := time.Now()
	sliced := start
	for i := 1; ; i++ {
		if w.Ready() {
			if done, err := w.Try(); done || err != nil {
				if g.policy == Adaptive {
					g.budget.Store(int64(min(2*budget, mostBudget)))
				}
				return true, err
			}
		}
		mem.Pause()
		if i%looksPerClock != 0 {
			continue
		}
		now := time.Now()
		if g.policy == Adaptive && now.Sub(start) >= budget {
			g.budget.Store(int64(max(budget/2, leastBudget)))
			return false, nil
		}
		if err := ctx.Err(); err != nil {
			return true, err
		}
		if now.Sub(sliced) >= Slice {
			sliced = now
			w.Slice()
			if done, err := w.Try(); done || err != nil {
				return true, err
			}
		}
		if i%looksPerYield == 0 {
			runtime.Gosched()
		}
	}
}
