package main

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/shmkit/shmkit/pool"
)

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
	sum, asked := s.rest(), s.submitted.Load()
	if all != asked || sum.Submitted != asked || sum.Done != fates[fateResult] || sum.Failed != asked-fates[fateResult] {
		s.charge(miscounted, "%s: of %d tasks we have had %d outcomes, %d of them results; the pool says %d submitted, %d done, %d failed",
			s.name, asked, all, fates[fateResult], sum.Submitted, sum.Done, sum.Failed)
	}
	if sum.Running != 0 || sum.Queued != 0 {
		s.charge(miscounted, "%s: all tasks have ended, and the pool says that %d run and %d wait", s.name, sum.Running, sum.Queued)
	}
}

// rest returns the pool's figures when its workers have put down the tasks whose
// results they have sent, or when they ought to have.
func (s *poolSide) rest() pool.Stats {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(endWithin); ; <-tick.C {
		if sum := s.pool.Stats(); sum.Running == 0 && sum.Queued == 0 || time.Now().After(deadline) {
			return sum
		}
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
