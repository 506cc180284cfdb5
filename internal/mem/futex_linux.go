package mem

import (
	"runtime"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	futexWait = 0 // FUTEX_WAIT, shared
	futexWake = 1 // FUTEX_WAKE, shared

	futex32      = 2   // FUTEX_32 of futex_waitv
	futexPrivate = 128 // FUTEX_PRIVATE_FLAG
)

// FutexWait sleeps while *w is val, for at most d. It returns nil when woken,
// which may be for no reason, and else EAGAIN (the value was another), EINTR or
// ETIMEDOUT. It blocks its thread.
func FutexWait(w *atomic.Uint32, val uint32, d time.Duration) error {
	ts := unix.NsecToTimespec(int64(d))
	_, _, e := unix.Syscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(w)), futexWait, uintptr(val), uintptr(unsafe.Pointer(&ts)), 0, 0)
	if e != 0 {
		return e
	}
	return nil
}

// FutexWake wakes at most n of those who sleep on *w, in whatever process, and
// returns how many.
func FutexWake(w *atomic.Uint32, n int) int {
	woken, _, e := unix.Syscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(w)), futexWake, uintptr(n), 0, 0, 0)
	if e != 0 {
		return 0
	}
	return int(woken)
}

// FutexWakePrivate is FutexWake for a word that no other process can see.
func FutexWakePrivate(w *atomic.Uint32, n int) {
	unix.Syscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(w)), futexWake|futexPrivate, uintptr(n), 0, 0, 0)
	runtime.KeepAlive(w)
}

// waitv is the kernel's struct futex_waitv.
type waitv struct {
	val   uint64
	addr  uint64
	flags uint32
	_     uint32
}

// FutexWaitEither sleeps while *shared is val and *private is privVal, for at
// most d. It returns nil when woken, EAGAIN (a value was another), EINTR or
// ETIMEDOUT; and ENOSYS or EPERM where the kernel, or a container's seccomp
// filter, does not offer futex_waitv (Linux 5.16). It blocks its thread. private
// must be on the heap.
func FutexWaitEither(shared *atomic.Uint32, val uint32, private *atomic.Uint32, privVal uint32, d time.Duration) error {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		return err
	}
	ns := now.Nano() + int64(d)
	deadline := [2]int64{ns / 1e9, ns % 1e9} // struct __kernel_timespec, on 32 bits too
	words := [2]waitv{
		{val: uint64(val), addr: uint64(uintptr(unsafe.Pointer(shared))), flags: futex32},
		{val: uint64(privVal), addr: uint64(uintptr(unsafe.Pointer(private))), flags: futex32 | futexPrivate},
	}
	_, _, e := unix.Syscall6(unix.SYS_FUTEX_WAITV, uintptr(unsafe.Pointer(&words)), uintptr(len(words)), 0,
		uintptr(unsafe.Pointer(&deadline)), unix.CLOCK_MONOTONIC, 0)
	runtime.KeepAlive(private) // words holds its address as a number
	if e != 0 {
		return e
	}
	return nil
}
