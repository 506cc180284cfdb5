//go:build unix

package main

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/shmkit/shmkit/internal/cli"
	"github.com/shmkit/shmkit/internal/cli/clitest"
	"github.com/shmkit/shmkit/manager"
)

// TestLocks has each kind of lock be held or waited for, by this process and by one that is
// stopped, and looks who has what.
func TestLocks(t *testing.T) {
	clitest.UseDir(t, "shmctl-test-")
	c := startChild(t, "holder")
	c.do("manager app 1")
	c.do("lock jobs")
	if l := decode[lockList](t, "locks"); len(l.Locks) != 1 || l.Locks[0].Holder == nil || l.Locks[0].Holder.State != stateAlive {
		t.Errorf("%+v", l)
	}
	c.stop()

	m, err := manager.Open("app", nil)
	check(t, err)
	defer m.Close()
	r, err := manager.NewRLock(m, "rlock")
	check(t, err)
	check(t, errors.Join(r.Lock(t.Context()), r.Lock(t.Context())))
	w, err := manager.NewRWLock(m, "rwlock")
	check(t, err)
	check(t, errors.Join(w.RLock(t.Context()), w.RLock(t.Context())))
	s, err := manager.NewBoundedSemaphore(m, "sem", 4)
	check(t, err)
	check(t, s.Acquire(t.Context()))
	e, err := manager.NewEvent(m, "event")
	check(t, err)
	check(t, e.Set())
	_, err = manager.NewCond(m, "cond", nil)
	check(t, err)
	b, err := manager.NewBarrier(m, "barrier", 3, nil)
	check(t, err)
	check(t, b.Join())
	v, err := manager.NewValue(m, "value", 1)
	check(t, err)
	_, err = manager.NewValue(m, "free value", 1)
	check(t, err)
	guard, err := v.Mutex()
	check(t, err)
	check(t, guard.Lock(t.Context()))

	states := make(map[string]string)
	locks := make(map[string]lock)
	for _, k := range decode[lockList](t, "locks", "app").Locks {
		states[k.Name], locks[k.Name] = k.State, k
	}
	for name, want := range map[string]string{
		"jobs": "locked", "rlock": "locked 2 times", "rwlock": "read by 2", "sem": "3 of 4 permits", "event": "set",
		"cond": "0 waiting", "barrier": "0 of 3 have come", "value": "locked",
	} {
		if states[name] != want {
			t.Errorf("%s: %q, want %q", name, states[name], want)
		}
	}
	if _, ok := states["free value"]; ok || len(states) != 8 {
		t.Errorf("%v", states)
	}
	if k := locks["jobs"]; k.Holder == nil || k.Holder.State != stateStopped || k.Token != 1 || k.Since == nil {
		t.Errorf("%+v", k)
	}
	if k := locks["rlock"]; k.Holder == nil || k.Holder.PID != os.Getpid() || k.Depth != 2 {
		t.Errorf("%+v", k)
	}
	for name, n := range map[string]int{"rwlock": 2, "sem": 1, "barrier": 1} {
		if k := locks[name]; len(k.Shares) != 1 || k.Shares[0].PID != os.Getpid() || k.Shares[0].N != n {
			t.Errorf("%+v", k)
		}
	}

	done := make(chan error, 1)
	l, err := manager.NewLock(m, "jobs")
	check(t, err)
	go func() { done <- l.Lock(t.Context()) }()
	clitest.Until(t, "somebody waits", func() bool {
		out := ok(t, "locks", "--held")
		return strings.Contains(out, "stopped") && strings.Contains(out, "yes") && !strings.Contains(out, "event")
	})
	c.kill()
	if err := <-done; !errors.Is(err, manager.ErrOwnerDied) {
		t.Error(err)
	}
	if out := ok(t, "locks"); !strings.Contains(out, "locked, an owner has died") {
		t.Error(out)
	}
	check(t, l.Unlock())
	fails(t, cli.Failure, "no such segment", "locks", "none")
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
