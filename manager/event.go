package manager

import (
	"context"
	"fmt"

	"github.com/shmkit/shmkit/internal/robust"
)

// An Event is a flag that processes set, clear and wait for. Setting it never waits for anybody,
// whoever has died waiting.
//
// Its methods may be called from several goroutines.
type Event struct {
	part
	side *robust.Event
}

// NewEvent opens the event called name in m, or creates it, not set, when there is none: see
// [NewLock].
func NewEvent(m *Manager, name string) (*Event, error) {
	e := new(Event)
	if err := e.obtainWords(m, name, record{kind: kindEvent}, sizeOf(robust.KindEvent), nil, e.attach); err != nil {
		return nil, wrap("open", name, err)
	}
	endWith(e.use, e)
	return e, nil
}

func (e *Event) attach(b []byte) (err error) {
	m := e.m
	e.side, err = sideOf(m, e.object, func() (*robust.Event, error) { return robust.NewEvent(m.seg, b, m.sideOptions()) })
	return err
}

// UnmarshalBinary makes e a handle of the event of the reference. It fails with [ErrNotExist]
// when that is gone.
func (e *Event) UnmarshalBinary(b []byte) error {
	n := new(Event)
	if err := n.resolveWords(b, kindEvent, n.attach); err != nil {
		return err
	}
	*e = *n
	endWith(e.use, e)
	return nil
}

// Set sets the flag, and lets all go on who wait. It never blocks. The error is nil or [ErrClosed].
func (e *Event) Set() error {
	if err := e.begin("set"); err != nil {
		return err
	}
	e.side.Set()
	return e.end("set", nil)
}

// Clear takes the flag back. It never blocks. The error is nil or [ErrClosed].
func (e *Event) Clear() error {
	if err := e.begin("clear"); err != nil {
		return err
	}
	e.side.Clear()
	return e.end("clear", nil)
}

// IsSet tells whether the flag is set. It is not when the manager is closed.
func (e *Event) IsSet() bool {
	if e.begin("") != nil {
		return false
	}
	defer e.end("", nil)
	return e.side.IsSet()
}

// Wait blocks until the flag is set, be it for a moment. The error is nil, the context's, or
// [ErrClosed].
func (e *Event) Wait(ctx context.Context) error {
	if err := e.begin("wait"); err != nil {
		return err
	}
	return e.end("wait", e.side.Wait(ctx))
}

// String returns the event's name, and whether it is set.
func (e *Event) String() string {
	state := "not set"
	if e.IsSet() {
		state = "set"
	}
	return fmt.Sprintf("%s %q: %s", kindNames[kindEvent], e.name, state)
}
