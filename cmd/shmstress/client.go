package main

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/shmkit/shmkit/pool"
)

// A poolSide is one of the two pools of a run, with what has been asked of it.
type poolSide struct {
	*jury
	cfg       poolConfig
	pool      *pool.Pool
	mint      mint
	nextID    atomic.Uint64
	callbacks atomic.Int64 // of OnDone that are to come
	open      atomic.Int64 // tasks that are to end
	ended     atomic.Uint64
	submitted atomic.Uint64
	deadly    atomic.Uint64
	nextCrash atomic.Int64 // when a task may end its worker again; nanoseconds since 1970
	free      chan int     // lines of the job sheet
}

// A client is a goroutine that gives tasks to a pool, and judges the outcomes.
type client struct {
	*poolSide
	rand *rand.Rand
}

// serve gives tasks until ctx is done. The pool's tasks are waited for until
// hard is done.
func (c *client) serve(ctx, hard context.Context) {
	for ctx.Err() == nil {
		switch c.rand.IntN(4) {
		case 0:
			c.apply(hard)
		case 1:
			c.futures(hard)
		case 2:
			c.mapped(hard)
		case 3:
			c.unordered(hard)
		}
	}
}

// make makes n tasks. Their lines of the job sheet are theirs until they have
// been judged.
func (c *client) make(n int) []task {
	f := c.cfg.Faults
	f.StepKills /= float64(2 * c.cfg.Workers)
	ts := make([]task, n)
	for i := range ts {
		t := &ts[i]
		t.ID = c.nextID.Add(1)
		t.How = c.behaviour()
		t.Line = <-c.free
		t.Seed, t.Sheet, t.Workers, t.Faults = c.cfg.Seed, c.sheet.seg.Handle(), c.cfg.Workers, f
		if t.How == nap {
			t.Nap = time.Duration(c.rand.IntN(int(20 * time.Millisecond)))
		}
		id := recordID{seq: t.ID}
		t.Payload = make([]byte, c.mint.sizeOf(id))
		c.mint.fill(t.Payload, id, plainRecord)
		c.sheet.lines[t.Line].begun.Store(0)
		c.sheet.lines[t.Line].ended.Store(0)
	}
	c.submitted.Add(uint64(n))
	c.open.Add(int64(n))
	return ts
}

// behaviour chooses what a task does.
func (c *client) behaviour() behaviour {
	if now := time.Now().UnixNano(); c.cfg.CrashRate > 0 {
		due := c.nextCrash.Load()
		pause := int64(c.rand.ExpFloat64() / c.cfg.CrashRate * float64(time.Second))
		if now >= due && c.nextCrash.CompareAndSwap(due, now+pause) {
			c.deadly.Add(1)
			return exits + behaviour(c.rand.IntN(3))
		}
	}
	switch n := c.rand.IntN(1000); {
	case n < 5:
		return nap
	case n < 15:
		return refuse
	case n < 20:
		return scream
	}
	return compute
}

// runs returns what the workers have noted of a task.
func (c *client) runs(t *task) runs {
	line := &c.sheet.lines[t.Line]
	return runs{line.begun.Load(), line.ended.Load()}
}

// closeCase gives a judged task's line back.
func (c *client) closeCase(t *task) {
	c.free <- t.Line
	c.open.Add(-1)
	c.ended.Add(1)
}

// conclude judges a task's outcome.
func (c *client) conclude(hard context.Context, t *task, a answer, err error) {
	if hard.Err() == nil {
		c.judge(t, c.runs(t), a, err)
	}
	c.closeCase(t)
}

func (c *client) apply(hard context.Context) {
	t := &c.make(1)[0]
	a, err := runTask.Apply(hard, c.pool, *t)
	c.conclude(hard, t, a, err)
}

// futures submits tasks one by one. Of half of them it is called back.
func (c *client) futures(hard context.Context) {
	ts := c.make(1 + c.rand.IntN(50))
	called := c.rand.IntN(2) == 0
	var pending sync.WaitGroup
	fs := make([]*pool.Future[answer], len(ts))
	for i := range ts {
		t := &ts[i]
		fs[i] = runTask.Go(hard, c.pool, *t)
		if called {
			pending.Add(1)
			c.callbacks.Add(1)
			var calls atomic.Uint32
			fs[i].OnDone(func(a answer, err error) {
				if calls.Add(1) > 1 {
					c.charge(repeated, "%s: %v task %d was called back about twice", c.name, t.How, t.ID)
					return
				}
				c.callbacks.Add(-1)
				c.conclude(hard, t, a, err)
				pending.Done()
			})
		}
	}
	if called {
		pending.Wait()
		return
	}
	for i := range ts {
		a, err := fs[i].Get(hard)
		c.conclude(hard, &ts[i], a, err)
	}
}

// chunking chooses whether tasks come in chunks.
func (c *client) chunking() []pool.Option {
	if c.rand.IntN(2) == 0 {
		return nil
	}
	return []pool.Option{pool.Chunk(1 + c.rand.IntN(20))}
}

func (c *client) mapped(hard context.Context) {
	ts := c.make(1 + c.rand.IntN(200))
	as, err := runTask.Map(hard, c.pool, ts, c.chunking()...)
	first, failed := len(ts), 0
	var m *pool.MapError
	switch {
	case errors.As(err, &m) && len(as) == len(ts):
		first, failed = m.Index, m.Failed
	case err != nil && hard.Err() == nil:
		c.charge(wrong, "%s: a map of %d tasks: %v", c.name, len(ts), err)
	}
	missing := 0
	for i := range ts {
		t := &ts[i]
		switch {
		case hard.Err() != nil || len(as) != len(ts):
		case as[i].ID != 0:
			c.judge(t, c.runs(t), as[i], nil)
		case missing == 0 && i == first:
			c.judge(t, c.runs(t), answer{}, m.Err)
			missing++
		default:
			c.judgeMissing(t, c.runs(t))
			missing++
		}
		c.closeCase(t)
	}
	if hard.Err() == nil && len(as) == len(ts) && missing != failed {
		c.charge(wrong, "%s: a map says that %d of %d tasks have failed, and %d have no result: %v", c.name, failed, len(ts), missing, err)
	}
}

func (c *client) unordered(hard context.Context) {
	ts := c.make(1 + c.rand.IntN(200))
	opts := c.chunking()
	if c.rand.IntN(2) == 0 {
		opts = append(opts, pool.LookAhead(1+c.rand.IntN(100)))
	}
	got := make([]bool, len(ts))
	for r := range runTask.ImapUnordered(hard, c.pool, slices.Values(ts), opts...) {
		switch {
		case hard.Err() != nil:
		case r.Index < 0 || r.Index >= len(ts):
			c.charge(wrong, "%s: an unordered map yields item %d of %d: %v", c.name, r.Index, len(ts), r.Err)
		case got[r.Index]:
			c.charge(repeated, "%s: an unordered map yields item %d twice", c.name, r.Index)
		default:
			got[r.Index] = true
			t := &ts[r.Index]
			c.judge(t, c.runs(t), r.Value, r.Err)
			c.ended.Add(1)
		}
	}
	for i := range ts {
		if !got[i] && hard.Err() == nil {
			c.charge(lost, "%s: an unordered map never yielded item %d of %d", c.name, i, len(ts))
		}
		c.free <- ts[i].Line
		c.open.Add(-1)
	}
}
