package manager

import (
	"context"
	"fmt"

	"github.com/shmkit/shmkit/internal/robust"
)

// A Semaphore is a number of permits that processes take and give back, and wait for while there
// is none. Any process may release it, whether it has acquired a permit or not.
//
// When a process dies, or leaves the manager, the permits that it acquired and did not release are
// given back: at most as many as the initial value, and never so that the value comes to exceed
// that. So a semaphore for signals, whose initial value is 0, gives back none. A permit that
// another process released counts as the acquirer's still.
//
// Its methods may be called from several goroutines.
type Semaphore struct {
	part
	side *robust.Semaphore
}

// MaxPermits is the largest initial value of a semaphore.
const MaxPermits = robust.MaxPermits

// NewSemaphore opens the semaphore called name in m, or creates it with so many permits, from 0
// to [MaxPermits], when there is none. The empty name makes a new one without a name. It
// fails with [ErrKind] when the name is another kind of object's, and with [ErrType] when it is that
// of a semaphore with another initial value, or a bounded one.
func NewSemaphore(m *Manager, name string, initial int) (*Semaphore, error) {
	return newSemaphore(m, name, initial, false)
}

// NewBoundedSemaphore is [NewSemaphore], of one that can't be released beyond its initial value.
func NewBoundedSemaphore(m *Manager, name string, initial int) (*Semaphore, error) {
	return newSemaphore(m, name, initial, true)
}

func newSemaphore(m *Manager, name string, initial int, bounded bool) (*Semaphore, error) {
	r := record{kind: kindSemaphore, sum: uint64(initial) << 1, text: fmt.Sprintf("%d permits", initial)}
	if bounded {
		r.sum, r.text = r.sum|1, r.text+", bounded"
	}
	s := new(Semaphore)
	init := func(b []byte) error { return robust.InitSemaphore(b, slots, initial, bounded) }
	if err := s.obtainWords(m, name, r, sizeOf(robust.KindSemaphore), init, s.attach); err != nil {
		return nil, wrap("open", name, err)
	}
	endWith(s.use, s)
	return s, nil
}

func (s *Semaphore) attach(b []byte) (err error) {
	m := s.m
	s.side, err = sideOf(m, s.object, func() (*robust.Semaphore, error) { return robust.NewSemaphore(m.seg, b, m.sideOptions()) })
	return err
}

// UnmarshalBinary makes s a handle of the semaphore of the reference. It fails with [ErrNotExist]
// when that is gone.
func (s *Semaphore) UnmarshalBinary(b []byte) error {
	n := new(Semaphore)
	if err := n.resolveWords(b, kindSemaphore, n.attach); err != nil {
		return err
	}
	*s = *n
	endWith(s.use, s)
	return nil
}

// Acquire blocks until there is a permit, and takes it. Without one, the error is the context's
// or [ErrClosed]. One that is there is taken whatever the context.
func (s *Semaphore) Acquire(ctx context.Context) error {
	if err := s.begin("acquire"); err != nil {
		return err
	}
	return s.end("acquire", s.side.Acquire(ctx))
}

// TryAcquire takes a permit if there is one, and tells whether it did.
func (s *Semaphore) TryAcquire() (bool, error) {
	if err := s.begin("acquire"); err != nil {
		return false, err
	}
	ok, err := s.side.TryAcquire()
	return ok, s.end("acquire", err)
}

// Release gives a permit back, or makes one more. The error is [ErrReleased] when a bounded
// semaphore has its initial value. It never blocks.
func (s *Semaphore) Release() error {
	if err := s.begin("release"); err != nil {
		return err
	}
	return s.end("release", s.side.Release())
}

// With calls f while it has a permit.
func (s *Semaphore) With(ctx context.Context, f func() error) error {
	return with(ctx, permit{s}, func(error) error { return f() })
}

// permit is a semaphore as a locker.
type permit struct{ s *Semaphore }

func (p permit) Lock(ctx context.Context) error { return p.s.Acquire(ctx) }
func (p permit) Unlock() error                  { return p.s.Release() }

// Value returns how many permits there are. The answer may be old.
func (s *Semaphore) Value() int {
	if s.begin("") != nil {
		return 0
	}
	defer s.end("", nil)
	return s.side.Value()
}

// Held returns how many permits this process has. The answer may be old.
func (s *Semaphore) Held() int {
	if s.begin("") != nil {
		return 0
	}
	defer s.end("", nil)
	return s.side.Held()
}

// String returns the semaphore's name and value.
func (s *Semaphore) String() string {
	return fmt.Sprintf("%s %q: %d of %s", kindNames[kindSemaphore], s.name, s.Value(), s.object.record.text)
}
