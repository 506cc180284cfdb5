//go:build unix

package manager_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/shmkit/shmkit/manager"
)

var _ = addChild("lock soak", childLockSoak)

// A soaker has one of each kind of lock, and words that only who has the lock may change.
type soaker struct {
	l *manager.Lock
	r *manager.RLock
	w *manager.RWLock
	s *manager.Semaphore
	// The token of who is inside, by lock, or 0; and the last token that each lock had.
	inside, last *manager.Array[uint64]
}

const soakPermits = 2

func newSoaker(m *manager.Manager) (k soaker, err error) {
	var errs [6]error
	k.l, errs[0] = manager.NewLock(m, "lock")
	k.r, errs[1] = manager.NewRLock(m, "rlock")
	k.w, errs[2] = manager.NewRWLock(m, "rwlock")
	k.s, errs[3] = manager.NewBoundedSemaphore(m, "sem", soakPermits)
	k.inside, errs[4] = manager.NewArray[uint64](m, "inside", 3)
	k.last, errs[5] = manager.NewArray[uint64](m, "last", 3)
	return k, errors.Join(errs[:]...)
}

// exclusively is inside of lock i, whose Lock has returned err: alone, with a larger token than all before.
func (k *soaker) exclusively(i int, err error, token uint64) {
	died := errors.Is(err, manager.ErrOwnerDied)
	if !died {
		check(err)
	}
	if who := must1(k.inside.Swap(i, token)); who != 0 && !died {
		check(fmt.Errorf("lock %d: token %d is inside with %d", i, who, token))
	}
	if last := must1(k.last.Swap(i, token)); last >= token {
		check(fmt.Errorf("lock %d: token %d after %d", i, token, last))
	}
	for range rand.IntN(50) {
		if who := must1(k.inside.Get(i)); who != token {
			check(fmt.Errorf("lock %d: token %d has come in beside %d", i, who, token))
		}
	}
	check(k.inside.Set(i, 0))
}

// childLockSoak uses the locks until it is killed, and ends if it sees what must not be.
func childLockSoak(args []string) {
	m, err := manager.OpenExisting("m", &manager.Options{Dir: args[0]})
	check(err)
	k, err := newSoaker(m)
	check(err)
	fmt.Println("ready")
	for {
		switch rand.IntN(5) {
		case 0:
			err := k.l.Lock(bg)
			k.exclusively(0, err, k.l.Token())
			check(k.l.Unlock())
		case 1:
			err := k.r.Lock(bg)
			check(k.r.Lock(bg))
			k.exclusively(1, err, k.r.Token())
			check(errors.Join(k.r.Unlock(), k.r.Unlock()))
		case 2:
			err := k.w.Lock(bg)
			k.exclusively(2, err, k.w.Token())
			check(k.w.Unlock())
		case 3:
			if err := k.w.RLock(bg); !errors.Is(err, manager.ErrOwnerDied) {
				check(err)
			}
			before := must1(k.last.Get(2))
			for range rand.IntN(50) {
				if now := must1(k.last.Get(2)); now != before {
					check(fmt.Errorf("writer %d has come in beside a reader", now))
				}
			}
			check(k.w.RUnlock())
		case 4:
			check(k.s.Acquire(bg))
			if n := k.s.Value(); n >= soakPermits {
				check(fmt.Errorf("%d permits are left while one is taken", n))
			}
			check(k.s.Release())
		}
	}
}

// TestLockSoak kills and stops processes that use locks, for two seconds or as long as SHMKIT_SOAK says:
// each lock is one process's at a time, tokens grow, nobody waits for the dead, and at the end all
// permits are back.
func TestLockSoak(t *testing.T) {
	duration := 2 * time.Second
	if s := os.Getenv("SHMKIT_SOAK"); s != "" {
		var err error
		duration, err = time.ParseDuration(s)
		must(t, err)
	}
	dir := tempDir(t)
	m := open(t, &manager.Options{Dir: dir})
	k, err := newSoaker(m)
	must(t, err)
	start := func() *child {
		c := startChild(t, "lock soak", dir)
		c.hear("ready")
		return c
	}
	users := []*child{start(), start(), start()}
	kills, stops := 0, 0
	for end := time.Now().Add(duration); time.Now().Before(end); {
		<-time.After(rand.N(40 * time.Millisecond))
		i := rand.IntN(len(users))
		c := users[i]
		if rand.IntN(4) == 0 {
			must(t, c.cmd.Process.Signal(syscall.SIGSTOP))
			<-time.After(rand.N(20 * time.Millisecond))
			must(t, c.cmd.Process.Signal(syscall.SIGCONT))
			stops++
			continue
		}
		c.cmd.Process.Kill()
		if err := c.cmd.Wait(); err == nil || c.cmd.ProcessState.Exited() {
			t.Fatalf("a user has ended by itself: %v", c.cmd.ProcessState)
		}
		kills++
		users[i] = start()
	}
	for _, c := range users {
		c.kill()
	}
	ctx := within(t, 30*time.Second)
	for _, err := range []error{k.l.Lock(ctx), k.r.Lock(ctx), k.w.Lock(ctx)} {
		if err != nil && !errors.Is(err, manager.ErrOwnerDied) {
			t.Error(err)
		}
	}
	until(t, "all permits are back", func() bool {
		m.Segment().RecoverDead()
		return k.s.Value() == soakPermits
	})
	must(t, errors.Join(k.l.Unlock(), k.r.Unlock(), k.w.Unlock()))
	clean(t, m)
	t.Logf("%d kills, %d stops", kills, stops)
}
