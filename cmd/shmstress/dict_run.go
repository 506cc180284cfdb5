package main

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/shmkit/shmkit/manager"
)

// A dictRun is a run of members that share dicts. This process is its referee.
type dictRun struct {
	*scene
	*hoard
	cfg     dictConfig
	board   *board
	pauses  *pauses
	places  []*stand
	watches []watch // of the places' beats
	hanging atomic.Bool
	failure chan error // of the system, so that the run can't go on
	report  *manager.Report
}

func runDict(ctx context.Context, cfg dictConfig, status *statusLine) (*summary, error) {
	s, err := newScene(cfg.common, status)
	if err != nil {
		return nil, err
	}
	defer s.clear()
	r := &dictRun{scene: s, cfg: cfg, pauses: newPauses(), failure: make(chan error, cfg.Processes), report: new(manager.Report)}
	if err := r.open(); err != nil {
		return nil, err
	}
	defer r.close()
	ended, err := r.weather(ctx)
	if err != nil {
		return nil, err
	}
	return r.summary(ended), nil
}

// open creates the manager and the board.
func (r *dictRun) open() (err error) {
	const besides = 256 << 20
	r.hoard, err = createHoard(r.name, &manager.Options{Dir: r.Dir, MaxBytes: int64(4*r.cfg.memory() + besides)})
	if err != nil {
		return err
	}
	r.board, err = createBoard(r.name+".board", r.Dir, r.cfg.Processes, r.cfg.Keys)
	if err != nil {
		r.m.Close()
		return err
	}
	for i := range r.board.places {
		r.places = append(r.places, &stand{dictRun: r, number: i, line: &r.board.places[i]})
	}
	r.watches = make([]watch, len(r.places))
	return nil
}

func (r *dictRun) close() {
	r.m.Close()
	r.board.seg.Close()
}

// args returns what a member is told.
func (r *dictRun) args(place, life int) dictArgs {
	f := r.Faults
	f.StepKills /= float64(len(r.places))
	return dictArgs{
		Place: place, Life: life,
		Places: r.cfg.Processes, Keys: r.cfg.Keys,
		Board: r.board.seg.Handle(), Manager: r.m.Handle(),
		Seed:   r.Seed,
		Sizes:  r.cfg.Sizes,
		Faults: f,
	}
}

// weather is the whole run. It returns why it ended.
func (r *dictRun) weather(ctx context.Context) (ended string, err error) {
	// Ending hard makes members end at once, whatever they are doing.
	hard, endHard := context.WithCancel(context.Background())
	var measuring, members sync.WaitGroup
	defer measuring.Wait()
	defer members.Wait()
	defer endHard()
	measuring.Go(func() { r.pauses.run(hard) })
	for _, p := range r.places {
		members.Go(func() {
			if err := p.keep(hard); err != nil {
				r.failure <- err
			}
		})
	}
	ended, err = r.storming(ctx)
	r.pauses.forget()
	if err != nil {
		return "", err
	}
	if _, n := r.verdict(); n > 0 {
		r.gather()
	} else if err := r.run.Set(runKey, runOver); err != nil {
		r.charge(failedOp, "referee: %v", err)
	} else {
		r.await(&members)
	}
	endHard()
	members.Wait()
	if _, n := r.verdict(); n == 0 {
		r.settleUp()
		if _, n := r.verdict(); n > 0 {
			r.gather()
		}
	}
	return ended, nil
}

// storming lets the storm blow until the run ends, and tells why it did. Its time
// begins when all members take part.
func (r *dictRun) storming(ctx context.Context) (ended string, err error) {
	storming, calm := context.WithCancel(ctx)
	var blowing sync.WaitGroup
	defer blowing.Wait()
	defer calm()
	var over <-chan time.Time
	joined := make([]bool, len(r.places))
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	state := runOn
	for {
		select {
		case <-over:
			return endedByTime, nil
		case <-ctx.Done():
			return endedByUser, nil
		case <-r.first:
			return endedByViolation, nil
		case err := <-r.failure:
			return "", err
		case now := <-tick.C:
			for i, p := range r.places {
				joined[i] = joined[i] || p.works()
			}
			if over == nil && !slices.Contains(joined, false) {
				over = time.After(r.Duration)
				blowing.Go(func() { r.storm(r.victims).blow(storming) })
			}
			r.status.show(now, r.statusText)
			state++
			if err := r.run.Set(runKey, state); err != nil {
				r.charge(failedOp, "referee: %v", err)
			}
			r.lookAround(now)
		}
	}
}

// lookAround charges the library if a member that could go on does not.
func (r *dictRun) lookAround(now time.Time) {
	for i, p := range r.places {
		if r.watches[i].see(now, p.line.beat.Load(), p.works(), r.HangAfter) && !r.hanging.Swap(true) {
			r.charge(hang, "%v, life %d, does not come back from %s for %v", p, p.line.life.Load(), p.doing(), r.HangAfter)
		}
	}
}

// await waits until all members have seen that the run is over.
func (r *dictRun) await(members *sync.WaitGroup) {
	done := make(chan struct{})
	go func() { members.Wait(); close(done) }()
	select {
	case <-done:
		return
	case <-r.first:
	case <-time.After(r.HangAfter):
		r.hanging.Store(true)
		for _, p := range r.places {
			if p.works() {
				r.charge(hang, "%v, life %d, does not end, but is in %s", p, p.line.life.Load(), p.doing())
			}
		}
	}
	r.gather()
}

// victims returns the members that are there.
func (r *dictRun) victims() []victim {
	vs := make([]victim, len(r.places))
	for i, p := range r.places {
		vs[i] = p
	}
	return vs
}

// statusText is what the status line says.
func (r *dictRun) statusText() string {
	f := r.counts.figures()
	_, n := r.verdict()
	return fmt.Sprintf("%s changes  killed %s  stopped %s  entries %s  violations %d",
		count(r.board.changes(-1)), count(f.Killed+f.StepKilled), count(f.Stopped), count(uint64(r.values.Len())), n)
}
