package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/shmkit/shmkit/process"
)

// A seat is a member's place. Its keeper starts a process on it, and another one
// whenever that has been killed.
type seat struct {
	*queueRun
	number int // producers first
	line   *seatLine

	chair
}

func (s *seat) producer() bool { return s.number < s.cfg.Producers }

func (s *seat) String() string {
	if s.producer() {
		return fmt.Sprintf("producer %d", s.number)
	}
	return fmt.Sprintf("consumer %d", s.number-s.cfg.Producers)
}

// keep keeps the seat taken until the run's last phase for it, and returns when
// nobody sits there any more. The error is of the system, not the library's.
func (s *seat) keep(ctx context.Context) error {
	for life := 1; ; life++ {
		if s.over() {
			return nil
		}
		again, err := s.live(ctx, life)
		if err != nil || !again {
			return err
		}
	}
}

// over tells whether nobody needs to sit here any more.
func (s *seat) over() bool {
	last := uint64(takenAll)
	if s.producer() {
		last = producedAll
	}
	return s.ledger.head.phase.Load() >= last || s.hanging.Load()
}

// live starts a process on the seat and sees it to its end. It tells whether
// there must be a next one.
func (s *seat) live(ctx context.Context, life int) (again bool, err error) {
	start := consumerFunc.Start
	if s.producer() {
		start = producerFunc.Start
		s.book.producerStarts(s.number, uint32(life))
	} else {
		s.book.consumerStarts(s.number-s.cfg.Producers, uint32(life))
	}
	p, err := start(ctx, s.args(s.number, life), &process.Options{
		Name:     fmt.Sprintf("stress-%d.%d", s.number, life),
		Stdout:   s.log,
		Stderr:   s.log,
		OwnGroup: true, // so that one that is stopped does not outlive the referee
		Grace:    time.Second,
	})
	if err != nil {
		s.ended()
		if ctx.Err() != nil {
			return false, nil
		}
		return false, err
	}
	s.counts.started.Add(1)
	s.sit(p)
	<-p.Done()
	killed := s.sit(nil)
	s.ended()
	err = p.Wait(context.Background())
	p.Close()
	s.bury(life, killed, err)
	return err != nil && ctx.Err() == nil, nil
}

// ended closes the account of the life on the seat.
func (s *seat) ended() {
	if s.producer() {
		s.book.producerEnds(s.number)
	} else {
		s.book.consumerEnds(s.number-s.cfg.Producers, s.getsOf)
	}
}

// bury finds out whether a process has died as it should. We may have killed it.
func (s *seat) bury(life int, killed bool, err error) {
	var exit *process.ExitError
	switch {
	case err == nil:
	case !errors.As(err, &exit):
		s.charge(crashed, "%v, life %d: %v", s, life, err)
	case isKill(exit.Signal):
		if step, when, others := s.line.will.read(); step != "" {
			s.counts.stepKill(step)
			s.pauses.begin(time.Unix(0, when), s.passedBy(uint64(life), others))
		} else if killed {
			s.counts.killed.Add(1)
		}
	case s.hanging.Load():
		s.dump(fmt.Sprintf("goroutines-%d.txt", s.number), []byte(exit.Error()+"\n\n"+exit.Crash))
	case exit.Crash != "":
		s.charge(crashed, "%v, life %d: %v", s, life, exit)
		s.dump(fmt.Sprintf("crash-%d.%d.txt", s.number, life), []byte(exit.Error()+"\n\n"+exit.Crash))
	default:
		s.charge(failedOp, "%v, life %d: %v", s, life, exit)
	}
}

// kill kills whoever sits here.
func (s *seat) kill() {
	var now time.Time
	var over func() bool
	if s.shoot(func() { now, over = time.Now(), s.passedBy(s.line.life.Load(), s.ledger.taken(s.number)) }) {
		s.pauses.begin(now, over)
	}
}

// passedBy returns what tells whether a record has been taken by others than
// this life, whose next life on the same seat counts as one. Before, the other
// seats had taken so many.
func (s *seat) passedBy(life, others uint64) func() bool {
	own := s.line.passed.Load()
	return func() bool {
		return s.ledger.taken(s.number) > others || s.line.life.Load() != life && s.line.passed.Load() > own
	}
}

// stop stops whoever sits here, and returns what makes it go on; nil if nobody
// does who has joined the run.
func (s *seat) stop() (goOn func()) {
	thaw := s.freeze(func() bool { return s.line.ready.Load() == 1 })
	if thaw == nil {
		return nil
	}
	return func() { s.heed(thaw()) }
}

// heed charges the library with an error of a signal.
func (s *seat) heed(err error) {
	if err != nil {
		s.charge(failedOp, "%v: %v", s, err)
	}
}

// works tells whether somebody sits here who has opened the queue and is not
// stopped.
func (s *seat) works() bool { return s.taken() && s.line.ready.Load() == 1 }
