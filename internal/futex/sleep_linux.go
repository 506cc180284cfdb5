//go:build linux && !portable

package futex

import (
	"errors"
	"math"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/shmkit/shmkit/internal/mem"
)

// cancelSlice is the longest sleep where futex_waitv can't be had: a ring of
// the bell can be missed there between a look at it and the sleep.
const cancelSlice = 20 * time.Millisecond

// noWaitv is set when the kernel has refused futex_waitv: it is too old
// (ENOSYS), or a container's seccomp filter forbids it (EPERM).
var noWaitv atomic.Bool

// waitEither is a variable for tests.
var waitEither = mem.FutexWaitEither

// Wait sleeps while *w is val, for at most d; it may return early for no
// reason. It tells whether the time ran out.
func Wait(w *atomic.Uint32, val uint32, d time.Duration) (timedOut bool) {
	return errors.Is(mem.FutexWait(w, val, d), unix.ETIMEDOUT)
}

// Wake wakes at most n of those who sleep on w, in every process.
func Wake(w *atomic.Uint32, n int) int { return mem.FutexWake(w, n) }

// A bell wakes the leader from inside of its process.
type bell struct {
	rung atomic.Uint32  // private futex
	word *atomic.Uint32 // what the leader sleeps on besides
}

// ring makes the leader return from sleep, or from the next one.
func (b *bell) ring() {
	b.rung.Store(1)
	if noWaitv.Load() {
		Wake(b.word, math.MaxInt32) // for nothing, to the others
		return
	}
	mem.FutexWakePrivate(&b.rung, 1)
}

// sleep waits until *w is not val or the bell rings, for at most d; it may
// return early for no reason. It tells whether the time ran out.
func sleep(w *atomic.Uint32, val uint32, b *bell, d time.Duration) (timedOut bool) {
	defer b.rung.Store(0) // whoever rang did so before the try that comes now
	if !noWaitv.Load() {
		err := waitEither(w, val, &b.rung, d)
		if !errors.Is(err, unix.ENOSYS) && !errors.Is(err, unix.EPERM) {
			return errors.Is(err, unix.ETIMEDOUT)
		}
		noWaitv.Store(true)
	}
	for deadline := time.Now().Add(d); b.rung.Load() == 0; {
		left := time.Until(deadline)
		if left <= 0 {
			return true
		}
		if !Wait(w, val, min(left, cancelSlice)) {
			return false
		}
	}
	return false
}
