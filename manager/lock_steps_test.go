//go:build unix && faultpoints

package manager_test

import (
	"errors"
	"testing"
	"time"

	"github.com/shmkit/shmkit/manager"
)

// lockDeeds are those on what processes synchronise with. Who dies in one of them, or behind it with
// what it has got, keeps nobody.
func lockDeeds() []deed {
	lock := func(m *manager.Manager) (*manager.Lock, error) { return manager.NewLock(m, "x") }
	checkLock := func(t *testing.T, l *manager.Lock) {
		before := l.Token()
		if err := l.Lock(within(t, 30*time.Second)); err != nil && !errors.Is(err, manager.ErrOwnerDied) {
			t.Error(err)
		}
		if l.Token() <= before {
			t.Error(l.Token(), before)
		}
		must(t, l.Unlock())
		must(t, l.Lock(bg)) // it is told once
		must(t, l.Unlock())
	}
	rlock := func(m *manager.Manager) (*manager.RLock, error) { return manager.NewRLock(m, "x") }
	checkRLock := func(t *testing.T, l *manager.RLock) {
		if err := l.Lock(within(t, 30*time.Second)); err != nil && !errors.Is(err, manager.ErrOwnerDied) {
			t.Error(err)
		}
		must(t, errors.Join(l.Lock(bg), l.Unlock(), l.Unlock()))
	}
	rwlock := func(m *manager.Manager) (*manager.RWLock, error) { return manager.NewRWLock(m, "x") }
	checkRWLock := func(t *testing.T, l *manager.RWLock) {
		if err := l.Lock(within(t, 30*time.Second)); err != nil && !errors.Is(err, manager.ErrOwnerDied) {
			t.Error(err)
		}
		must(t, errors.Join(l.Unlock(), l.RLock(bg), l.RUnlock()))
		if l.Readers() != 0 || l.Locked() {
			t.Error(l)
		}
	}
	semaphore := func(m *manager.Manager) (*manager.Semaphore, error) {
		return manager.NewBoundedSemaphore(m, "x", 2)
	}
	checkSemaphore := func(t *testing.T, s *manager.Semaphore) {
		must(t, errors.Join(s.Acquire(within(t, 30*time.Second)), s.Acquire(within(t, 30*time.Second))))
		must(t, errors.Join(s.Release(), s.Release()))
		if s.Value() != 2 {
			t.Error(s)
		}
	}
	cond := func(m *manager.Manager) (*manager.Cond, error) { return manager.NewCond(m, "x", nil) }
	barrier := func(m *manager.Manager) (*manager.Barrier, error) { return manager.NewBarrier(m, "x", 1, nil) }
	event := func(m *manager.Manager) (*manager.Event, error) { return manager.NewEvent(m, "x") }
	return []deed{
		objectDeed("lock", lock, func(l *manager.Lock) error { return l.Lock(bg) }, checkLock),
		objectDeed("unlock", lock, func(l *manager.Lock) error { return errors.Join(l.Lock(bg), l.Unlock()) }, checkLock),
		objectDeed("try to lock", lock, func(l *manager.Lock) error { _, err := l.TryLock(); return err }, checkLock),
		objectDeed("lock twice", rlock, func(l *manager.RLock) error { return errors.Join(l.Lock(bg), l.Lock(bg), l.Unlock()) }, checkRLock),
		objectDeed("lock for writing", rwlock, func(l *manager.RWLock) error { return l.Lock(bg) }, checkRWLock),
		objectDeed("lock for reading", rwlock, func(l *manager.RWLock) error { return errors.Join(l.RLock(bg), l.RLock(bg), l.RUnlock()) }, checkRWLock),
		objectDeed("acquire", semaphore, func(s *manager.Semaphore) error {
			return errors.Join(s.Acquire(bg), s.Acquire(bg), s.Release())
		}, checkSemaphore),
		objectDeed("set and clear", event, func(e *manager.Event) error { return errors.Join(e.Set(), e.Clear(), e.Set()) },
			func(t *testing.T, e *manager.Event) {
				must(t, errors.Join(e.Set(), e.Wait(within(t, 30*time.Second)), e.Clear()))
				if e.IsSet() {
					t.Error(e)
				}
			}),
		objectDeed("notify", cond, func(c *manager.Cond) error {
			return errors.Join(c.Lock(bg), c.Notify(1), c.NotifyAll(), c.Unlock())
		}, func(t *testing.T, c *manager.Cond) {
			if err := c.Lock(within(t, 30*time.Second)); err != nil && !errors.Is(err, manager.ErrOwnerDied) {
				t.Error(err)
			}
			must(t, errors.Join(c.NotifyAll(), c.Unlock()))
			if c.Waiters() != 0 {
				t.Error(c)
			}
		}),
		objectDeed("pass a barrier", barrier, func(b *manager.Barrier) error {
			_, err := b.Wait(bg)
			return errors.Join(err, b.Abort(), b.Reset())
		}, func(t *testing.T, b *manager.Barrier) {
			_, err := b.Wait(within(t, 30*time.Second))
			if err != nil && !errors.Is(err, manager.ErrBroken) {
				t.Error(err)
			}
			must(t, b.Reset())
			_, err = b.Wait(bg)
			must(t, err)
		}),
	}
}
