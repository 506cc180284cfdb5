package manager_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/shmkit/shmkit/manager"
)

// soon is how long the living may take to go on, 150 ms, with a margin for loaded machines.
const soon = 5 * time.Second

// The child holds and waits for one object of each kind, until it is killed.
var _ = addChild("synchronised", func(args []string) {
	where := args[0]
	m, err := manager.Attach(where, nil)
	if err != nil {
		m, err = manager.OpenExisting("m", &manager.Options{Dir: where})
	}
	check(err)
	l, err := manager.NewLock(m, "lock")
	check(err)
	r, err := manager.NewRLock(m, "rlock")
	check(err)
	w, err := manager.NewRWLock(m, "rwlock")
	check(err)
	s, err := manager.NewBoundedSemaphore(m, "sem", 1)
	check(err)
	c, err := manager.NewCond(m, "cond", nil)
	check(err)
	b, err := manager.NewBarrier(m, "barrier", 3, nil)
	check(err)
	e, err := manager.NewEvent(m, "event")
	check(err)
	check(errors.Join(l.Lock(bg), r.Lock(bg), r.Lock(bg), w.Lock(bg), s.Acquire(bg), c.Lock(bg)))
	go c.Wait(bg)
	go b.Wait(bg)
	fmt.Println("held")
	check(e.Wait(bg))
})

// TestConformanceDeath is what Python's locks, events and barriers do not survive: a SIGKILL of
// who holds or waits.
func TestConformanceDeath(t *testing.T) {
	for _, way := range []string{"child", "unrelated"} {
		t.Run(way, func(t *testing.T) {
			dir := tempDir(t)
			m := open(t, &manager.Options{Dir: dir})
			where := dir
			if way == "child" {
				where = m.Handle()
			}
			l, err := manager.NewLock(m, "lock")
			must(t, err)
			r, err := manager.NewRLock(m, "rlock")
			must(t, err)
			w, err := manager.NewRWLock(m, "rwlock")
			must(t, err)
			s, err := manager.NewBoundedSemaphore(m, "sem", 1)
			must(t, err)
			c, err := manager.NewCond(m, "cond", nil)
			must(t, err)
			b, err := manager.NewBarrier(m, "barrier", 3, nil)
			must(t, err)
			e, err := manager.NewEvent(m, "event")
			must(t, err)

			victim := startChild(t, "synchronised", where)
			victim.hear("held")
			until(t, "it waits", func() bool { return c.Waiters() == 1 && b.Waiting() == 1 })
			last := l.Token()
			broken := make(chan error, 1)
			go func() { _, err := b.Wait(bg); broken <- err }()
			until(t, "two wait at the barrier", func() bool { return b.Waiting() == 2 })
			victim.kill()
			killed := time.Now()
			within := func(row string, ok bool) {
				t.Helper()
				t.Logf("%s: %v after the death", row, time.Since(killed))
				if !ok || time.Since(killed) > soon {
					t.Errorf("%s: %v, %v", row, ok, time.Since(killed))
				}
			}
			within("X1 X13 lock", errors.Is(l.Lock(bg), manager.ErrOwnerDied) && l.Token() > last)
			within("X1 recursive lock", errors.Is(r.Lock(bg), manager.ErrOwnerDied))
			within("X1 read-write lock", errors.Is(w.RLock(bg), manager.ErrOwnerDied))
			within("permit", s.Acquire(bg) == nil)
			within("X2 set", e.Set() == nil && e.IsSet())
			within("X3 barrier", errors.Is(<-broken, manager.ErrBroken) && b.Broken())
			err = c.Lock(bg)
			within("condition", err == nil || errors.Is(err, manager.ErrOwnerDied))
			must(t, c.NotifyAll())
			within("waiters", c.Unlock() == nil && c.Waiters() == 0)
			must(t, errors.Join(l.Unlock(), r.Unlock(), w.RUnlock(), s.Release()))
			must(t, l.Lock(bg)) // it is told once
			must(t, l.Unlock())
			clean(t, m)
		})
	}
}
