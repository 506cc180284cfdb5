package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/shmkit/shmkit/pool"
	"github.com/shmkit/shmkit/shm"
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

// settleUp looks whether the pools are as good as new, and end as they should.
func (r *poolRun) settleUp() {
	r.sheet.head.calm.Store(1)
	for _, s := range r.sides {
		r.audit(s)
		r.rally(s)
	}
	r.sides[0].pool.Close()
	r.cutShort(r.sides[1])
	for _, s := range r.sides {
		if err := s.join(); err != nil {
			s.charge(weakened, "%s: the pool does not end: %v", s.name, err)
			r.gather()
		}
	}
	r.readWills()
}

// audit compares the pool's own figures with ours. No task is open.
func (r *poolRun) audit(s *poolSide) {
	s.weigh()
	if n := s.callbacks.Load(); n != 0 {
		s.charge(lost, "%s: %d callbacks never came", s.name, n)
	}
	fates, all := s.outcomes()
	sum, asked := s.pool.Stats(), s.submitted.Load()
	if all != asked || sum.Submitted != asked || sum.Done != fates[fateResult] || sum.Failed != asked-fates[fateResult] {
		s.charge(miscounted, "%s: of %d tasks we have had %d outcomes, %d of them results; the pool says %d submitted, %d done, %d failed",
			s.name, asked, all, fates[fateResult], sum.Submitted, sum.Done, sum.Failed)
	}
	if sum.Running != 0 || sum.Queued != 0 {
		s.charge(miscounted, "%s: all tasks have ended, and the pool says that %d run and %d wait", s.name, sum.Running, sum.Queued)
	}
}

// rally has as many tasks wait for each other as the pool has workers. A worker
// that the storm has killed at its end may be on its way back.
func (r *poolRun) rally(s *poolSide) {
	r.sheet.head.met.Store(0)
	r.sheet.head.calledOff.Store(0)
	ctx, cancel := context.WithTimeout(context.Background(), endWithin)
	defer cancel()
	defer r.sheet.head.calledOff.Store(1)
	ts := (&client{s, rand.New(rand.NewPCG(r.Seed, 99))}).make(r.cfg.Workers)
	fs := make([]*pool.Future[answer], len(ts))
	for i := range ts {
		ts[i].How = meet
		fs[i] = runTask.Go(ctx, s.pool, ts[i])
	}
	for i, f := range fs {
		a, err := f.Get(ctx)
		if err != nil {
			s.charge(weakened, "%s: after the storm, %d of %d workers are at work: %v", s.name, r.sheet.head.met.Load(), len(ts), err)
			return
		}
		s.judgeResult(&ts[i], runs{1, 1}, a)
	}
}

// cutShort terminates a pool that has work: each task has its result, or the
// error that says so.
func (r *poolRun) cutShort(s *poolSide) {
	ctx, cancel := context.WithTimeout(context.Background(), endWithin)
	defer cancel()
	ts := (&client{s, rand.New(rand.NewPCG(r.Seed, 100))}).make(3 * r.cfg.Workers)
	fs := make([]*pool.Future[answer], len(ts))
	for i := range ts {
		ts[i].How, ts[i].Nap = nap, 20*time.Millisecond
		fs[i] = runTask.Go(ctx, s.pool, ts[i])
	}
	s.pool.Terminate()
	for i, f := range fs {
		if _, err := f.Get(ctx); err != nil && !errors.Is(err, pool.ErrTerminated) {
			s.charge(wrong, "%s: task %d of a pool that was terminated: %v", s.name, ts[i].ID, err)
		}
	}
}

// join waits until a pool that has been ended is no more.
func (s *poolSide) join() error {
	ctx, cancel := context.WithTimeout(context.Background(), endWithin)
	defer cancel()
	return s.pool.Join(ctx)
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

// gather keeps as evidence how things are.
func (r *poolRun) gather() {
	infos, err := shm.Dir(r.Dir).List()
	if err != nil {
		r.status.say(fmt.Sprintf("evidence: %v", err))
	}
	for _, i := range infos {
		if !strings.HasPrefix(i.Name, r.name) {
			continue
		}
		if b, err := os.ReadFile(i.Path); err == nil {
			r.dump(i.Name+".segment", b)
		}
	}
	var b strings.Builder
	for _, s := range r.sides {
		fmt.Fprintf(&b, "%s: %+v\n\n", s.name, s.pool.Stats())
	}
	r.dump("pools.txt", []byte(b.String()))
	r.dumpVerdict()
	if vs, _ := r.verdict(); len(vs) > 0 && vs[0].Kind == hang {
		r.interrogate()
	}
}

// interrogate ends the workers so that they print their goroutines.
func (r *poolRun) interrogate() {
	asked := r.victims()
	for _, v := range asked {
		v.(*poolVictim).withProcess(func(p *os.Process) {
			p.Signal(sigCont)
			p.Signal(sigQuit)
		})
	}
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(2 * time.Second); time.Now().Before(deadline); <-tick.C {
		if !slices.ContainsFunc(asked, func(v victim) bool { return v.(*poolVictim).withProcess(func(*os.Process) {}) }) {
			return
		}
	}
}

func (r *poolRun) summary(ended string) *summary {
	s := r.sum("pool", ended)
	f := &poolFigures{Outcomes: map[string]uint64{}, Pause: r.pauses.figures()}
	for _, side := range r.sides {
		fates, all := side.outcomes()
		f.Tasks += all
		for fate, n := range fates {
			f.Outcomes[fate] += n
		}
		stats := side.pool.Stats()
		f.Retried += stats.Retried
		f.Restarts += stats.Restarts
		f.SelfInflicted += side.deadly.Load()
	}
	f.PerSecond = float64(f.Tasks) / s.Seconds
	s.Members.Started += f.Restarts
	s.Pool = f
	return s
}

func (p *poolFigures) print(heading func(string), line func(name, format string, args ...any)) {
	heading("tasks")
	line("ended", "%s", count(p.Tasks))
	for _, fate := range sortedKeys(p.Outcomes) {
		line(fate, "%s", count(p.Outcomes[fate]))
	}
	line("run again", "%s", count(p.Retried))
	line("ended a worker", "%s", count(p.SelfInflicted))
	line("throughput", "%s a second", count(uint64(p.PerSecond)))
	line("workers replaced", "%s", count(p.Restarts))
	p.Pause.print(heading, line, "task that ended")
}
