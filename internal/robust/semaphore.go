package robust

import (
	"context"
	"fmt"

	"github.com/shmkit/shmkit/internal/futex"
)

// MaxPermits is the largest initial value of a semaphore.
const MaxPermits = maxHeld

// A semaphore's total is its value. A share is how many permits the process has
// taken and not given back, up to maxHeld.
const (
	opTake op = 1 + iota
	opGive
	opDrop
)

func applyPermits(o op, held, _ uint32) uint32 {
	switch o {
	case opTake:
		return min(held+1, maxHeld)
	case opGive:
		return max(held, 1) - 1
	case opDrop:
		return 0
	}
	return held
}

// A Semaphore is one process's side of a counter in shared memory that is waited
// for while it is zero. Any process may release it, whether it has acquired it or
// not.
//
// When a process dies, the permits that it acquired and did not release are given
// back: at most as many as the initial value, and never so that the value comes
// to exceed that. So it is exact where who acquires also releases; and a semaphore
// for signals, whose initial value is 0, gives back none. A permit that another
// process released counts as the acquirer's still.
//
// Its methods may be called from several goroutines.
type Semaphore struct {
	handle
	t       tally
	limit   uint32
	bounded bool
}

// InitSemaphore makes the zeroes in b a semaphore of that initial value, before
// anybody else sees them. A bounded one can't be released beyond it.
func InitSemaphore(b []byte, slots, initial int, bounded bool) error {
	words, _, err := view[countWords](KindSemaphore, b, slots)
	if err != nil {
		return err
	}
	if initial < 0 || initial > MaxPermits {
		return fmt.Errorf("initial value %d: not from 0 to %d", initial, MaxPermits)
	}
	words.limit = uint32(initial)
	if bounded {
		words.bounded = 1
	}
	words.sum.Store(uint64(makeSum(uint32(initial), opKeep, -1, 0)))
	return nil
}

func viewSemaphore(b []byte, slots int) (*countWords, *Semaphore, error) {
	words, shares, err := view[countWords](KindSemaphore, b, slots)
	if err != nil {
		return nil, nil, err
	}
	limit, bounded := words.limit, words.bounded
	if limit > MaxPermits || bounded > 1 {
		return nil, nil, fmt.Errorf("%w: semaphore of %d permits", ErrCorrupt, limit)
	}
	return words, &Semaphore{
		t:       tally{sum: &words.sum, shares: shares, apply: applyPermits},
		limit:   limit,
		bounded: bounded == 1,
	}, nil
}

// NewSemaphore returns a handle of the semaphore in b, which was initialised and
// stays mapped as long as the handle is used.
func NewSemaphore(host Host, b []byte, o Options) (*Semaphore, error) {
	words, s, err := viewSemaphore(b, host.Slots())
	if err != nil {
		return nil, err
	}
	s.open(host, &words.event, o)
	return s, nil
}

// Acquire takes a permit, and blocks while there is none. The error is the
// context's, [ErrClosed] or [ErrCorrupt]. A permit that is there is taken whatever
// the context.
func (s *Semaphore) Acquire(ctx context.Context) error {
	if ok, err := s.TryAcquire(); ok || err != nil {
		return err
	}
	return s.wait(ctx, permitWaiter{s})
}

// TryAcquire takes a permit if there is one.
func (s *Semaphore) TryAcquire() (bool, error) {
	v := s.t.change(s.me, func(value, _ uint32) (uint32, op, bool) {
		if value == 0 {
			return 0, opKeep, false
		}
		return value - 1, opTake, true
	})
	return v == changed, v.err()
}

// Release gives a permit back, or makes a new one. The error is [ErrReleased]
// when the value is at its upper bound. It never blocks.
func (s *Semaphore) Release() error {
	v := s.t.change(s.me, func(value, held uint32) (uint32, op, bool) {
		if value >= maxTotal || s.bounded && value >= s.limit {
			return 0, opKeep, false
		}
		if held > 0 {
			return value + 1, opGive, true
		}
		return value + 1, opKeep, true
	})
	switch v {
	case changed:
		s.notify()
		return nil
	case refused:
		return ErrReleased
	}
	return v.err()
}

// Value returns how many permits there are. The number may be old.
func (s *Semaphore) Value() int { return int(sum(s.t.sum.Load()).total()) }

// Held returns how many permits count as this process's.
func (s *Semaphore) Held() int {
	_, held, _ := s.t.read(s.me)
	return int(held)
}

type permitWaiter struct{ s *Semaphore }

func (w permitWaiter) Try() (bool, error) {
	if err := w.s.isClosed(); err != nil {
		return false, err
	}
	return w.s.TryAcquire()
}

func (w permitWaiter) Ready() bool { return w.s.Value() > 0 || w.s.closed.Load() }

// Slice looks whether somebody has died who has permits.
func (w permitWaiter) Slice() { w.s.probeAll(len(w.s.t.shares), w.s.t.has) }

// recoverSemaphore gives back what the dead process of the slot had.
func recoverSemaphore(b []byte, slots, slot int) error {
	words, s, err := viewSemaphore(b, slots)
	if err != nil {
		return err
	}
	v := s.t.change(slot, func(value, held uint32) (uint32, op, bool) {
		if held == 0 {
			return 0, opKeep, false
		}
		return max(value, min(value+held, s.limit)), opDrop, true
	})
	if v == changed {
		futex.Notify(&words.event)
	}
	return v.err()
}
