package mem_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/shmkit/shmkit/internal/mem"
)

func TestFutexWait(t *testing.T) {
	w := new(atomic.Uint32)
	w.Store(7)
	if err := mem.FutexWait(w, 8, time.Minute); err != unix.EAGAIN {
		t.Errorf("another value: %v", err)
	}
	const d = 20 * time.Millisecond
	start := time.Now()
	if err := mem.FutexWait(w, 7, d); err != unix.ETIMEDOUT && err != unix.EINTR {
		t.Errorf("no wake-up: %v", err)
	} else if took := time.Since(start); err == unix.ETIMEDOUT && took < d {
		t.Errorf("%v took %v", d, took)
	}
	wakes(t, func() error { return mem.FutexWait(w, 7, time.Minute) }, func() bool { return mem.FutexWake(w, 1) == 1 })
}

func TestFutexWaitEither(t *testing.T) {
	shared, private := new(atomic.Uint32), new(atomic.Uint32)
	shared.Store(7)
	private.Store(3)
	wait := func(s, p uint32, d time.Duration) error { return mem.FutexWaitEither(shared, s, private, p, d) }
	if err := wait(8, 3, time.Minute); err == unix.ENOSYS || err == unix.EPERM {
		t.Skip(err)
	} else if err != unix.EAGAIN {
		t.Errorf("another shared value: %v", err)
	}
	if err := wait(7, 2, time.Minute); err != unix.EAGAIN {
		t.Errorf("another private value: %v", err)
	}
	// 1.1 s crosses a full second of the deadline.
	for _, d := range []time.Duration{time.Millisecond, 1100 * time.Millisecond} {
		start := time.Now()
		if err := wait(7, 3, d); err != unix.ETIMEDOUT && err != unix.EINTR {
			t.Errorf("no wake-up: %v", err)
		} else if took := time.Since(start); err == unix.ETIMEDOUT && (took < d || took > d+10*time.Second) {
			t.Errorf("%v took %v", d, took)
		}
	}
	forever := func() error { return wait(7, 3, time.Minute) }
	wakes(t, forever, func() bool { return mem.FutexWake(shared, 1) == 1 })

	var done atomic.Bool
	wakes(t, func() error {
		err := forever()
		done.Store(err == nil)
		return err
	}, func() bool {
		mem.FutexWakePrivate(private, 1)
		return done.Load()
	})
}

// wakes checks that sleep returns once wake has woken somebody.
func wakes(t *testing.T, sleep func() error, wake func() bool) {
	t.Helper()
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() {
		err := sleep()
		for err == unix.EINTR { // a signal of the runtime
			err = sleep()
		}
		if err != nil {
			t.Errorf("asleep: %v", err)
		}
	})
	late := time.After(30 * time.Second)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !wake() {
		select {
		case <-tick.C:
		case <-late:
			t.Error("nobody was woken")
			return
		}
	}
}
