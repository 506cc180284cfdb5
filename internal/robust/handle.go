package robust

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/shmkit/shmkit/internal/futex"
)

// A Host is the segment that the objects lie in, as one process has it open. A
// *shm.Segment is one.
type Host interface {
	// Slot is this process's number, in the range of Slots.
	Slot() int
	// Slots is how many processes there can be at once.
	Slots() int
	// Probe finds out whether the slot's process is dead. If so it calls
	// [Recover] for every object of the segment, in such a way that the slot is
	// neither reused nor recovered by others meanwhile, and then frees the
	// slot. Own and free slots, and numbers out of range, are left alone.
	Probe(slot int) (recovered bool)
}

// Options are the choices of a handle. The zero value is the default.
type Options struct {
	Wait futex.Policy
	// Clock returns the time in nanoseconds of Unix time; nil means the system's
	// clock. It only serves to tell people since when a lock is held. Reading the
	// system's clock takes longer than locking, so give one that is advanced now
	// and then.
	Clock func() int64
}

// started is when the process was, in two clocks: reading the monotonic one
// alone takes half the time.
var started = time.Now()

func systemClock() int64 { return started.UnixNano() + int64(time.Since(started)) }

// A handle is the part that the process's sides of all objects have in common.
type handle struct {
	host   Host
	me     int
	clock  func() int64
	event  *atomic.Uint32
	gate   *futex.Gate
	closed atomic.Bool
}

func (h *handle) open(host Host, event *atomic.Uint32, o Options) {
	h.host, h.me, h.event = host, host.Slot(), event
	h.clock = o.Clock
	if h.clock == nil {
		h.clock = systemClock
	}
	h.gate = futex.NewGate(event, o.Wait)
}

// Close makes the operations that wait through this handle, and later ones that
// would have to, return [ErrClosed]. It does not wait for them, and gives up
// nothing that is held: see [Leave].
func (h *handle) Close() {
	h.closed.Store(true)
	h.gate.Interrupt()
}

// Waiting returns how many goroutines wait through this handle. The number may
// be old.
func (h *handle) Waiting() int { return h.gate.Waiting() }

// wait waits at the gate.
func (h *handle) wait(ctx context.Context, w futex.Waiter) error { return h.gate.Wait(ctx, w) }

// notify wakes those who wait for the object, in all processes.
func (h *handle) notify() { futex.Notify(h.event) }

// isClosed returns [ErrClosed] after Close.
func (h *handle) isClosed() error {
	if h.closed.Load() {
		return ErrClosed
	}
	return nil
}

// probeAll looks whether the processes of the slots for which share is true have
// died.
func (h *handle) probeAll(slots int, share func(slot int) bool) {
	for s := range slots {
		if s != h.me && share(s) {
			h.host.Probe(s)
		}
	}
}
