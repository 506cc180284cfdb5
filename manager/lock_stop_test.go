//go:build unix && faultpoints

package manager_test

import (
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/shmkit/shmkit/internal/fault"
	"github.com/shmkit/shmkit/manager"
)

var _ = addChild("deed stop", childDeedStop)

// childDeedStop does a deed, and stops itself at a crash point of that: "NAME DIR POINT". It prints
// "through" when it is.
func childDeedStop(args []string) {
	d := deedOf(args[0])
	m, err := manager.OpenExisting("m", &manager.Options{Dir: args[1]})
	check(err)
	check(d.before(m))
	n, err := strconv.Atoi(args[2])
	check(err)
	goOn := make(chan os.Signal, 1)
	signal.Notify(goOn, syscall.SIGCONT)
	fmt.Println("ready")
	fault.SetHook(func(string) {
		if n--; n == 0 {
			syscall.Kill(syscall.Getpid(), syscall.SIGSTOP)
			<-goOn // the signal may reach another thread first, and this one would go on
		}
	})
	err = d.do(m, args[1])
	fault.SetHook(nil)
	fmt.Println("through", n > 0, err)
	select {}
}

// TestLocksBesideStopped stops a process, by SIGSTOP, at each crash point of what it does with a lock or
// another object. What needs nothing of it never waits: the forms that try, setting an event,
// notifying, reading a value, and other objects. When it is killed, still stopped, all is as after
// any other death.
func TestLocksBesideStopped(t *testing.T) {
	stops := 0
	for _, d := range lockDeeds() {
		t.Run(d.name, func(t *testing.T) {
			for point := 1; ; point++ {
				dir := tempDir(t)
				m := open(t, &manager.Options{Dir: dir, MaxBytes: 4 << 20})
				c := startChild(t, "deed stop", d.name, dir, strconv.Itoa(point))
				c.hear("ready")
				c.late = make(chan string, 1)
				go func() {
					if c.out.Scan() {
						c.late <- c.out.Text()
					}
				}()
				stopped := c.stands(t)
				if stopped {
					stops++
					start := time.Now()
					goesOn(t, m, d.name)
					if took := time.Since(start); took > 5*time.Second {
						t.Errorf("point %d: it took %v beside a stopped process", point, took)
					}
				}
				c.kill()
				d.after(t, m)
				if t.Failed() {
					t.Fatalf("point %d", point)
				}
				must(t, m.Close())
				if !stopped {
					break
				}
			}
		})
	}
	t.Logf("stopped at %d points", stops)
	if stops < 30 {
		t.Errorf("stopped at %d points", stops)
	}
}

// goesOn does what must never wait for a process that is stopped in a deed with the object x: what only
// tries with that, and anything with others.
func goesOn(t *testing.T, m *manager.Manager, name string) {
	t.Helper()
	switch name {
	case "lock", "unlock", "try to lock":
		l, err := manager.NewLock(m, "x")
		must(t, err)
		if ok, err := l.TryLock(); ok && err == nil {
			must(t, l.Unlock())
		}
		_, _ = l.Owner()
	case "lock twice":
		l, err := manager.NewRLock(m, "x")
		must(t, err)
		if ok, err := l.TryLock(); ok && err == nil {
			must(t, l.Unlock())
		}
	case "lock for writing", "lock for reading":
		l, err := manager.NewRWLock(m, "x")
		must(t, err)
		if ok, err := l.TryLock(); ok && err == nil {
			must(t, l.Unlock())
		}
		if ok, err := l.TryRLock(); ok && err == nil {
			must(t, l.RUnlock())
		}
	case "acquire":
		s, err := manager.NewBoundedSemaphore(m, "x", 2)
		must(t, err)
		if ok, err := s.TryAcquire(); ok && err == nil {
			must(t, s.Release())
		}
	case "set and clear":
		e, err := manager.NewEvent(m, "x")
		must(t, err)
		must(t, e.Set())
		must(t, e.Wait(bg))
		must(t, e.Clear())
	case "notify":
		c, err := manager.NewCond(m, "x", nil)
		must(t, err)
		if ok, err := c.TryLock(); ok && err == nil {
			must(t, c.NotifyAll())
			must(t, c.Unlock())
		}
	case "pass a barrier":
		b, err := manager.NewBarrier(m, "x", 1, nil)
		must(t, err)
		_ = b.Broken()
		must(t, b.Reset())
		_, err = b.Wait(bg)
		must(t, err)
	default:
		t.Fatalf("%s: nothing is known of it", name)
	}
	l, err := manager.NewLock(m, "another")
	must(t, err)
	must(t, l.Lock(bg))
	must(t, l.Unlock())
	v, err := manager.NewValue(m, "value", wideOf(1))
	must(t, err)
	must(t, v.Store(wideOf(2)))
}
