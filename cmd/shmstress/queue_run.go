package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/shmkit/shmkit/ringqueue"
	"github.com/shmkit/shmkit/shm"
)

// queueConfig is what the command line says about a queue's run.
type queueConfig struct {
	common
	Producers, Consumers           int
	Sizes                          sizes
	Capacity                       int // bytes
	MaxItems                       int
	SingleProducer, SingleConsumer bool
	Wait                           shm.WaitPolicy
	Batch                          int
	Delivery                       delivery
}

// A queueRun is a run of producers and consumers on one queue. This process is
// its referee.
type queueRun struct {
	*scene
	cfg     queueConfig
	queue   *ringqueue.Queue[[]byte]
	ledger  *ledger
	book    *book
	pauses  *pauses
	seats   []*seat
	watches []watch // of the seats' beats
	hanging atomic.Bool
	failure chan error // of the system, so that the run can't go on
}

// roundEvery is how often the referee reads what the consumers have noted.
const roundEvery = 2 * time.Millisecond

func runQueue(ctx context.Context, cfg queueConfig, status *statusLine) (*summary, error) {
	s, err := newScene(cfg.common, status)
	if err != nil {
		return nil, err
	}
	defer s.clear()
	r := &queueRun{scene: s, cfg: cfg, failure: make(chan error, cfg.Producers+cfg.Consumers)}
	if err := r.open(); err != nil {
		return nil, err
	}
	defer r.close()
	ended, err := r.run(ctx)
	if err != nil {
		return nil, err
	}
	return r.summary(ended), nil
}

// open creates the queue and the ledger.
func (r *queueRun) open() (err error) {
	r.queue, err = ringqueue.Create[[]byte](r.name, &ringqueue.Options{
		Dir:            r.Dir,
		Capacity:       r.cfg.Capacity,
		MaxRecord:      max(r.cfg.Sizes.largest(), 16), // the referee's have 8 bytes
		MaxItems:       r.cfg.MaxItems,
		SingleProducer: r.cfg.SingleProducer,
		SingleConsumer: r.cfg.SingleConsumer,
		MaxAttempts:    -1, // no record may be given up
	})
	if err != nil {
		return err
	}
	r.ledger, err = createLedger(r.name+".ledger", r.Dir, r.cfg.Producers, r.cfg.Consumers)
	if err != nil {
		r.queue.Close()
		return err
	}
	r.book = newBook(r.court, r.ledger, r.cfg.Producers, r.cfg.Consumers)
	r.pauses = newPauses()
	for i := range r.ledger.lines {
		r.seats = append(r.seats, &seat{queueRun: r, number: i, line: &r.ledger.lines[i]})
	}
	r.watches = make([]watch, len(r.seats))
	return nil
}

func (r *queueRun) close() {
	r.queue.Close()
	r.ledger.seg.Close()
}

// args returns what a member is told.
func (r *queueRun) args(seat, life int) memberArgs {
	f := r.Faults
	f.StepKills /= float64(len(r.seats))
	return memberArgs{
		Seat: seat, Life: life,
		Producers: r.cfg.Producers, Consumers: r.cfg.Consumers,
		Ledger: r.ledger.seg.Handle(), Queue: r.queue.Handle(),
		Wait:     r.cfg.Wait,
		Seed:     r.Seed,
		Sizes:    r.cfg.Sizes,
		Batch:    r.cfg.Batch,
		Delivery: r.cfg.Delivery,
		Evidence: r.evidencePath(),
		Faults:   f,
	}
}

// getsOf returns the count of gets of a slot of the queue.
func (r *queueRun) getsOf(slot int) uint64 {
	return r.queue.Ring().Segment().CounterOf(slot, shm.Gets).Load()
}

// run is the whole run. It returns why it ended.
func (r *queueRun) run(ctx context.Context) (ended string, err error) {
	// Ending hard makes members end at once, whatever they are doing.
	hard, endHard := context.WithCancel(context.Background())
	var measuring, producers, consumers sync.WaitGroup
	defer measuring.Wait()
	defer consumers.Wait()
	defer producers.Wait()
	defer endHard()
	measuring.Go(func() { r.pauses.run(hard) })
	for _, s := range r.seats {
		group := &consumers
		if s.producer() {
			group = &producers
		}
		group.Go(func() {
			if err := s.keep(hard); err != nil {
				r.failure <- err
			}
		})
	}
	ended, err = r.weather(ctx)
	r.pauses.forget()
	if err != nil {
		return "", err
	}
	if _, n := r.verdict(); n > 0 {
		r.gather()
	}
	if !r.hanging.Load() {
		r.ledger.head.phase.Store(producedAll)
		r.await(&producers, "producers")
		r.ledger.head.phase.Store(takenAll)
		r.await(&consumers, "consumers")
	}
	endHard()
	producers.Wait()
	consumers.Wait()
	if _, n := r.verdict(); n == 0 {
		r.settleUp()
		if _, n := r.verdict(); n > 0 {
			r.gather()
		}
	}
	return ended, nil
}

// weather lets the storm blow until the run ends, and tells why it did. Its time
// begins when all members have joined.
func (r *queueRun) weather(ctx context.Context) (ended string, err error) {
	storming, calm := context.WithCancel(ctx)
	var blowing sync.WaitGroup
	defer blowing.Wait()
	defer calm()
	var over <-chan time.Time
	joined := make([]bool, len(r.seats))
	tick := time.NewTicker(roundEvery)
	defer tick.Stop()
	var progress watch
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
			for i, s := range r.seats {
				joined[i] = joined[i] || s.works()
			}
			if over == nil && !slices.Contains(joined, false) {
				over = time.After(r.Duration)
				blowing.Go(func() { r.storm(r.victims).blow(storming) })
			}
			r.book.round()
			taken := r.ledger.taken(-1)
			r.status.show(now, func() string { return r.statusText(taken) })
			if progress.see(now, taken, r.shouldPass(), r.HangAfter) {
				r.hang("no record passes for %v", r.HangAfter)
			}
			for i, s := range r.seats {
				if r.watches[i].see(now, s.line.beat.Load(), s.works(), longWait+r.HangAfter) {
					k, n, _ := s.line.doing()
					r.hang("%v, life %d, does not return from %v of %d", s, s.line.life.Load(), k, n)
				}
			}
		}
	}
}

// victims returns the members that are there.
func (r *queueRun) victims() []victim {
	vs := make([]victim, len(r.seats))
	for i, s := range r.seats {
		vs[i] = s
	}
	return vs
}

// shouldPass tells whether there is somebody to put records, and to take them.
func (r *queueRun) shouldPass() bool {
	var put, take bool
	for _, s := range r.seats {
		if s.works() {
			put = put || s.producer()
			take = take || !s.producer()
		}
	}
	return put && take
}

// await waits until the members of a group have ended, reading what is noted.
func (r *queueRun) await(g *sync.WaitGroup, who string) {
	done := make(chan struct{})
	go func() { g.Wait(); close(done) }()
	tick := time.NewTicker(roundEvery)
	defer tick.Stop()
	deadline := time.Now().Add(longWait + r.HangAfter)
	for {
		select {
		case <-done:
			return
		case now := <-tick.C:
			r.book.round()
			if now.After(deadline) && !r.hanging.Load() {
				r.hang("%s do not end", who)
				r.gather()
			}
		}
	}
}

// hang charges the library with a hang, and ends all members so that they say
// where they are.
func (r *queueRun) hang(format string, args ...any) {
	if r.hanging.Swap(true) {
		return
	}
	r.charge(hang, format, args...)
}

// settleUp takes what is left, closes the account, and looks whether the queue
// is as good as new.
func (r *queueRun) settleUp() {
	ring := r.queue.Ring()
	ring.Segment().RecoverDead()
	m := mint{r.Seed, r.cfg.Sizes}
	for {
		l, err := ring.TryBorrow()
		if err != nil {
			if !errors.Is(err, ringqueue.ErrEmpty) {
				r.charge(failedOp, "referee: %v", err)
			}
			break
		}
		id, kind, err := parse(l.Bytes())
		if err == nil {
			err = m.check(l.Bytes())
		}
		if err != nil {
			r.charge(torn, "referee: %v", err)
		} else {
			r.book.taken(newNote(noteHeld, id, l.Attempt(), kind), newNote(noteAcked, id, l.Attempt(), kind))
		}
		l.Release()
	}
	r.book.close()
	inspectQueue(r)
}

// statusText is what the status line says.
func (r *queueRun) statusText(taken uint64) string {
	f := r.counts.figures()
	_, n := r.verdict()
	return fmt.Sprintf("%s records  killed %s  stopped %s  waiting %s  violations %d",
		count(taken), count(f.Killed+f.StepKilled), count(f.Stopped), count(r.queue.Len()), n)
}
