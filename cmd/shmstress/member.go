package main

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/shmkit/shmkit/process"
	"github.com/shmkit/shmkit/ringqueue"
	"github.com/shmkit/shmkit/shm"
)

// memberArgs is what a member is told at its start.
type memberArgs struct {
	Seat, Life           int
	Producers, Consumers int
	Ledger, Queue        string // handles
	Wait                 shm.WaitPolicy
	Seed                 uint64
	Sizes                sizes
	Batch                int
	Delivery             delivery
	Evidence             string // directory
	Faults               faults
}

var (
	producerFunc = process.Register("shmstress.producer", produce)
	consumerFunc = process.Register("shmstress.consumer", consume)
)

// A member is this process, as a producer or a consumer.
type member struct {
	memberArgs
	mint   mint
	rand   *rand.Rand
	ledger *ledger
	line   *seatLine
	queue  *ringqueue.Queue[[]byte]
	ring   *ringqueue.Ring
	alive  context.Context // done when the referee has died
	ctx    context.Context // done when the member has nothing more to do
	end    context.CancelFunc

	patience    context.Context // of the next operations that may wait
	noPatience  context.CancelFunc
	usesLeft    int
	roleRefused time.Time // since when the exclusive role has been refused; zero: it is not
}

// joinRun opens what the run consists of. The last phase that concerns the
// member ends its context.
func joinRun(ctx context.Context, a memberArgs, last uint64) (*member, error) {
	m := &member{memberArgs: a, mint: mint{a.Seed, a.Sizes}, alive: ctx}
	m.rand = rand.New(rand.NewPCG(a.Seed, mix(uint64(a.Seat)<<32|uint64(a.Life))))
	var err error
	if m.ledger, err = openLedger(a.Ledger, a.Producers, a.Consumers); err != nil {
		return nil, err
	}
	go mindOrphans(m.ledger.seg)
	m.line = &m.ledger.lines[a.Seat]
	a.Faults.arm(m.rand, func(step string) bool {
		m.line.will.write(step, time.Now().UnixNano(), m.ledger.taken(a.Seat))
		return true
	})
	m.queue, err = ringqueue.Attach[[]byte](a.Queue, &ringqueue.Options{Wait: a.Wait})
	if err != nil {
		return nil, err
	}
	m.ring = m.queue.Ring()
	m.ctx, m.end = context.WithCancel(ctx)
	go m.follow(last)
	m.line.ready.Store(1)
	return m, nil
}

// follow watches for the phase that ends this member.
func (m *member) follow(last uint64) {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for m.ledger.head.phase.Load() < last {
		select {
		case <-tick.C:
		case <-m.ctx.Done():
			return
		}
	}
	m.end()
}

// close leaves the queue as a process does that ends well.
func (m *member) close() {
	m.end()
	m.queue.Close()
	m.ledger.seg.Close()
}

// soon returns a context for operations that may wait: most have long deadlines,
// some short ones, so that waits are also given up.
func (m *member) soon() context.Context {
	if m.usesLeft--; m.usesLeft > 0 && m.patience.Err() == nil {
		return m.patience
	}
	if m.noPatience != nil {
		m.noPatience()
	}
	d := longWait
	if m.rand.IntN(4) == 0 {
		d = time.Duration(1+m.rand.IntN(20)) * time.Millisecond
	}
	m.usesLeft = 64
	m.patience, m.noPatience = context.WithTimeout(m.ctx, d)
	return m.patience
}

// longWait bounds each wait: a member whose beat stands still for much longer
// is stuck in an operation that does not heed its context.
const longWait = 5 * time.Second

// roleWait is how long an exclusive role may be refused to the process that
// replaces a dead one: somebody else may be about to clean up after it.
const roleWait = 5 * time.Second

// bears tells whether an operation may return this error. What is gone or full
// for now will be tried again.
func (m *member) bears(err error) bool {
	if errors.Is(err, ringqueue.ErrRoleTaken) {
		m.line.roles.Store(m.line.roles.Load() + 1)
		if m.roleRefused.IsZero() {
			m.roleRefused = time.Now()
		}
		if time.Since(m.roleRefused) > roleWait {
			return false
		}
		select {
		case <-m.ctx.Done():
		case <-time.After(time.Millisecond):
		}
		return true
	}
	m.roleRefused = time.Time{}
	return err == nil || errors.Is(err, ringqueue.ErrFull) || errors.Is(err, ringqueue.ErrEmpty)
}
