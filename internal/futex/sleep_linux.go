//go:build linux && !portable

package futex

import (
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/shmkit/shmkit/internal/mem"
)

// blindPause is how long a waiter sleeps when the kernel refuses to let it sleep
// on the word. It has been seen from no kernel; the wait is then polling.
const blindPause = time.Millisecond

// kernel is what this package needs of the operating system. It is replaced in
// tests.
type kernel struct {
	waitEither func(shared *atomic.Uint32, val uint32, private *atomic.Uint32, privVal uint32, d time.Duration) error
	wait       func(w *atomic.Uint32, val uint32, d time.Duration) error

	// noEither is set once waitEither has been refused: the kernel is older
	// than Linux 5.16 (ENOSYS), or a container's seccomp filter forbids the
	// call (EPERM, in theory anything).
	noEither atomic.Bool
}

// system is the kernel that the process runs on.
var system = &kernel{waitEither: mem.FutexWaitEither, wait: mem.FutexWait}

// sleepEither sleeps while *shared is val and *private is privVal, for at most
// d. It returns false, once and for ever, when the kernel does not offer that.
func (k *kernel) sleepEither(shared *atomic.Uint32, val uint32, private *atomic.Uint32, privVal uint32, d time.Duration) bool {
	if k.noEither.Load() {
		return false
	}
	switch k.waitEither(shared, val, private, privVal, d) {
	case nil, unix.EAGAIN, unix.EINTR, unix.ETIMEDOUT:
		return true
	}
	k.noEither.Store(true)
	return false
}

// sleep sleeps while *w is val, for at most d. It tells whether the time ran out.
func (k *kernel) sleep(w *atomic.Uint32, val uint32, d time.Duration) (timedOut bool) {
	switch k.wait(w, val, d) {
	case nil, unix.EAGAIN, unix.EINTR:
		return false
	case unix.ETIMEDOUT:
		return true
	}
	time.Sleep(min(d, blindPause))
	return false
}

// Wait sleeps while *w is val, for at most d; it may return early for no
// reason. It tells whether the time ran out. It occupies a thread.
func Wait(w *atomic.Uint32, val uint32, d time.Duration) (timedOut bool) {
	return system.sleep(w, val, d)
}

// Wake wakes at most n of those who sleep on w, in every process, and returns
// how many.
func Wake(w *atomic.Uint32, n int) int { return mem.FutexWake(w, n) }
