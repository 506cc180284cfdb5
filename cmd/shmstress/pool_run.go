package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/shmkit/shmkit/pool"
)

// manyRetries is more often than a task's workers are killed by chance.
const manyRetries = 200

// endWithin is how long it may take to work off what clients have asked for, or
// to end a pool.
const endWithin = 20 * time.Second

// clientsPerPool is how many goroutines give tasks to each pool.
const clientsPerPool = 4

// A poolRun is a run of two pools. This process is their parent, and the
// referee.
type poolRun struct {
	*scene
	cfg    poolConfig
	sheet  *sheet
	sides  []*poolSide
	pauses *pauses
	wills  uint64 // read of the job sheet
}

func runPool(ctx context.Context, cfg poolConfig, status *statusLine) (*summary, error) {
	s, err := newScene(cfg.common, status)
	if err != nil {
		return nil, err
	}
	defer s.clear()
	r := &poolRun{scene: s, cfg: cfg, pauses: newPauses()}
	r.sheet, err = createSheet(r.name+".sheet", r.Dir)
	if err != nil {
		return nil, err
	}
	defer r.sheet.seg.Close()
	for _, retries := range []int{0, manyRetries} {
		if err := r.openSide(retries); err != nil {
			r.terminate()
			return nil, err
		}
	}
	ended := r.run(ctx)
	return r.summary(ended), nil
}

// openSide makes one of the pools.
func (r *poolRun) openSide(retries int) error {
	name := "plain"
	if retries > 0 {
		name = "retrying"
	}
	p, err := pool.New(&pool.Options{
		Workers: r.cfg.Workers,
		Retries: retries,
		Name:    r.name + "." + name,
		Dir:     r.Dir,
		Wait:    r.cfg.Wait,
		Stdout:  r.log,
		Stderr:  r.log,
		Grace:   time.Second,
	})
	if err != nil {
		return err
	}
	side := &poolSide{
		jury: newJury(r.court, name, retries, r.sheet),
		cfg:  r.cfg,
		pool: p,
		mint: mint{r.Seed, r.cfg.Sizes},
		free: make(chan int, linesPerSheet),
	}
	for i := len(r.sides); i < linesPerSheet; i += 2 {
		side.free <- i
	}
	side.nextCrash.Store(time.Now().UnixNano())
	r.sides = append(r.sides, side)
	r.counts.started.Add(uint64(r.cfg.Workers))
	return nil
}

// run is the whole run. It returns why it ended.
func (r *poolRun) run(ctx context.Context) (ended string) {
	hard, endHard := context.WithCancel(context.Background())
	asking, enough := context.WithCancel(context.Background())
	var clients, measuring sync.WaitGroup
	measuring.Go(func() { r.pauses.run(hard) })
	for i, side := range r.sides {
		for k := range clientsPerPool {
			c := &client{side, rand.New(rand.NewPCG(r.Seed, uint64(1+2*k+i)))}
			clients.Go(func() { c.serve(asking, hard) })
		}
	}
	ended = r.weather(ctx)
	r.pauses.forget()
	enough()
	if _, n := r.verdict(); n > 0 {
		r.gather()
		endHard()
		r.terminate() // else what hangs goes on
	}
	r.await(&clients, endHard)
	endHard()
	measuring.Wait()
	if _, n := r.verdict(); n == 0 {
		r.settleUp()
		if _, n := r.verdict(); n > 0 {
			r.gather()
		}
	}
	r.terminate()
	return ended
}

// weather lets the storm blow until the run ends, and tells why it did.
func (r *poolRun) weather(ctx context.Context) (ended string) {
	storming, calm := context.WithCancel(ctx)
	var blowing sync.WaitGroup
	defer blowing.Wait()
	defer calm()
	blowing.Go(func() { r.storm(r.victims).blow(storming) })
	over := time.After(r.Duration)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	progress := make([]watch, len(r.sides))
	for {
		select {
		case <-over:
			return endedByTime
		case <-ctx.Done():
			return endedByUser
		case <-r.first:
			return endedByViolation
		case now := <-tick.C:
			r.readWills()
			r.status.show(now, r.statusText)
			for i, s := range r.sides {
				if progress[i].see(now, s.ended.Load(), s.open.Load() > 0, r.HangAfter) {
					s.charge(hang, "%s: no task ends for %v, and %d are to", s.name, r.HangAfter, s.open.Load())
				}
			}
		}
	}
}

// await waits until the clients have had their outcomes.
func (r *poolRun) await(clients *sync.WaitGroup, endHard func()) {
	done := make(chan struct{})
	go func() { clients.Wait(); close(done) }()
	select {
	case <-done:
		return
	case <-time.After(endWithin + r.HangAfter):
	}
	for _, s := range r.sides {
		if n := s.open.Load(); n > 0 {
			s.charge(hang, "%s: %d tasks do not end", s.name, n)
		}
	}
	r.gather()
	endHard()
	r.terminate()
	<-done
}

// terminate ends what is left of the pools.
func (r *poolRun) terminate() {
	for _, s := range r.sides {
		s.pool.Terminate()
		s.join()
	}
}

// readWills counts the workers that have killed themselves.
func (r *poolRun) readWills() {
	const most = willsPerSheet / 4
	for all := r.sheet.head.willed.Load(); r.wills < all; r.wills++ {
		w := &r.sheet.wills[r.wills%willsPerSheet]
		step, _, _ := w.read()
		if step == "" && all-r.wills < most {
			return // it is being written, or its worker was killed in the middle of it
		}
		if step != "" {
			r.counts.stepKill(step)
			w.length.Store(0)
		}
	}
}

// victims returns the workers that are there.
func (r *poolRun) victims() []victim {
	var vs []victim
	for _, s := range r.sides {
		for _, w := range s.pool.Stats().Workers {
			if w.PID != 0 && (w.State == "idle" || w.State == "running") {
				vs = append(vs, &poolVictim{r, s, w})
			}
		}
	}
	return vs
}

func (r *poolRun) statusText() string {
	var ended, restarts uint64
	for _, s := range r.sides {
		ended += s.ended.Load()
		restarts += s.pool.Stats().Restarts
	}
	f := r.counts.figures()
	_, n := r.verdict()
	return fmt.Sprintf("%s tasks  killed %s  stopped %s  replaced %s  violations %d",
		count(ended), count(f.Killed+f.StepKilled), count(f.Stopped), count(restarts), n)
}
