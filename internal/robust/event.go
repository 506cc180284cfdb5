package robust

import (
	"context"
	"sync/atomic"

	"github.com/shmkit/shmkit/internal/fault"
)

// An Event is one process's side of a flag in shared memory that can be waited
// for. Nobody holds anything of it, so there is nothing to recover, and neither
// Set nor Clear ever waits for anybody.
//
// Its methods may be called from several goroutines.
type Event struct {
	handle
	state *atomic.Uint32 // generation<<1 | set: one generation from Clear to Clear
}

const isSet = 1

// NewEvent returns a handle of the Event in b, which stays mapped as long as the
// handle is used. Zeroes are one that is not set.
func NewEvent(host Host, b []byte, o Options) (*Event, error) {
	words, _, err := view[eventWords](KindEvent, b, host.Slots())
	if err != nil {
		return nil, err
	}
	e := &Event{state: &words.state}
	e.open(host, &words.event, o)
	return e, nil
}

// IsSet tells whether the event is set. The answer may be old.
func (e *Event) IsSet() bool { return e.state.Load()&isSet != 0 }

// Set sets the event, and wakes all who wait for it.
func (e *Event) Set() {
	for {
		v := e.state.Load()
		if v&isSet != 0 {
			return
		}
		fault.Point("robust.event.set")
		if e.state.CompareAndSwap(v, v|isSet) {
			e.notify()
			return
		}
	}
}

// Clear makes the event one that is not set.
func (e *Event) Clear() {
	for {
		v := e.state.Load()
		if v&isSet == 0 {
			return
		}
		fault.Point("robust.event.clear")
		if e.state.CompareAndSwap(v, v+1) {
			return
		}
	}
}

// Wait blocks until the event is set. It returns nil when it has been set
// since the call, even if it has been cleared again. The error is the context's
// or [ErrClosed].
func (e *Event) Wait(ctx context.Context) error {
	v := e.state.Load()
	if v&isSet != 0 {
		return nil
	}
	return e.wait(ctx, eventWaiter{e, v})
}

type eventWaiter struct {
	e    *Event
	seen uint32
}

func (w eventWaiter) Try() (bool, error) {
	if w.e.state.Load() != w.seen {
		return true, nil
	}
	return false, w.e.isClosed()
}

// Slice has nobody to look at: no process can be in the way of an event.
func (w eventWaiter) Slice() {}
