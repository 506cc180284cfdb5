package futex

import (
	"context"
	"runtime"
	"time"

	"github.com/shmkit/shmkit/internal/mem"
)

// A leader that may spin does so for the gate's budget of time before it sleeps.
// A wake-up through the kernel costs some tens of microseconds of latency, so
// there is little to win beyond mostBudget.
const (
	firstBudget = 10 * time.Microsecond
	leastBudget = 1 * time.Microsecond
	mostBudget  = 80 * time.Microsecond
	probeBudget = mostBudget / 2
	probeEvery  = 32 // waits in a row that did not pay
)

const (
	looksPerClock = 32   // the clock costs as much as a look or two
	looksPerYield = 4096 // Gosched may move the goroutine to a colder processor
	mostPauses    = 4    // between two looks
)

// patience is how long a gate's leaders spin. The budget doubles when spinning
// was worth it and halves when it was not. When it has become too small to be
// ever worth it, now and then a longer spin finds out whether times have changed.
type patience struct {
	budget     time.Duration
	inVain     int // waits in a row that did not pay
	yieldEvery int // looks
}

func newPatience(procs int) patience {
	p := patience{budget: firstBudget, yieldEvery: looksPerYield}
	if procs == 1 {
		// Nobody else of this process runs but by our leave. There is no
		// other processor either that we could be moved to.
		p.yieldEvery = looksPerClock
	}
	return p
}

// limit returns how long the next spin may take.
func (p *patience) limit() time.Duration {
	if p.inVain > 0 && p.inVain%probeEvery == 0 {
		return max(p.budget, probeBudget)
	}
	return p.budget
}

// paid records a spin that lasted d and ended the wait.
func (p *patience) paid(d time.Duration) {
	p.budget = min(2*max(p.budget, d), mostBudget)
	p.inVain = 0
}

// failed records a spin that was followed by a sleep.
func (p *patience) failed() {
	p.budget = max(p.budget/2, leastBudget)
	p.inVain++
}

// spin tries until the gate's patience ends; with the policy Spin, for ever.
// Heard was loaded from the bell's rings before the last try.
func (g *Gate) spin(ctx context.Context, w Waiter, heard uint32) (done bool, err error) {
	looker, _ := w.(Looker)
	limit := g.patience.limit()
	start := time.Now()
	now := start
	pauses := 1
	for i := 1; ; i++ {
		if rings := g.bell.rings.Load(); looker == nil || rings != heard || looker.Ready() {
			heard = rings
			if done, err := w.Try(); done || err != nil {
				g.patience.paid(now.Sub(start))
				return done, err
			}
		}
		for range pauses {
			mem.Pause()
		}
		if i%looksPerClock != 0 {
			continue
		}
		now = time.Now()
		if g.policy == Adaptive && now.Sub(start) >= limit {
			g.patience.failed()
			return false, nil
		}
		if err := ctx.Err(); err != nil {
			return false, err
		}
		if !now.Before(g.next) {
			g.lookAround(w)
			if done, err := w.Try(); done || err != nil {
				return done, err
			}
		}
		pauses = min(pauses+1, mostPauses)
		if i%g.patience.yieldEvery == 0 {
			runtime.Gosched()
		}
	}
}
