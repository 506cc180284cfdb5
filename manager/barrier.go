package manager

import (
	"context"
	"fmt"
	"time"

	"github.com/shmkit/shmkit/internal/robust"
)

// A Barrier is where so many parties, goroutines of any processes, wait for each other, again and
// again. A process takes part from [Barrier.Join] on, at the latest from its first Wait. When one
// that takes part dies the barrier breaks at once for the others, who would wait for it in
// vain. Of a process that dies before that nobody knows that it was expected. One that has no handle of the
// barrier any more, or leaves the manager, does not take part any more.
//
// Its methods may be called from several goroutines.
type Barrier struct {
	part
	side *robust.Barrier
	opts BarrierOptions
}

// BarrierOptions are how a handle of a barrier waits. A nil *BarrierOptions is all defaults.
type BarrierOptions struct {
	// Action is called by one of the parties, in its process, when all have come and before any
	// goes on. Its error breaks the barrier, and is returned to that party. nil: none.
	Action func() error
	// Timeout breaks the barrier for all when one party waits longer. 0: none but the
	// context's.
	Timeout time.Duration
}

// MaxParties is the most parties of a barrier.
const MaxParties = robust.MaxParties

// NewBarrier opens the barrier called name in m, or creates it for so many parties, from 1 to
// [MaxParties], when there is none. The empty name makes a new one without a name. It fails with
// [ErrKind] when the name is another kind of object's, and with [ErrType] when the barrier is for
// another number of parties.
func NewBarrier(m *Manager, name string, parties int, o *BarrierOptions) (*Barrier, error) {
	b := new(Barrier)
	if o != nil {
		b.opts = *o
	}
	r := record{kind: kindBarrier, sum: uint64(parties), text: fmt.Sprintf("%d parties", parties)}
	init := func(w []byte) error { return robust.InitBarrier(w, slots, parties) }
	if err := b.obtainWords(m, name, r, sizeOf(robust.KindBarrier), init, b.attach); err != nil {
		return nil, wrap("open", name, err)
	}
	endWith(b.use, b)
	return b, nil
}

func (b *Barrier) attach(w []byte) (err error) {
	m := b.m
	b.side, err = sideOf(m, b.object, func() (*robust.Barrier, error) { return robust.NewBarrier(m.seg, w, m.sideOptions()) })
	return err
}

// UnmarshalBinary makes b a handle, without options, of the barrier of the reference. It fails
// with [ErrNotExist] when that is gone.
func (b *Barrier) UnmarshalBinary(ref []byte) error {
	n := new(Barrier)
	if err := n.resolveWords(ref, kindBarrier, n.attach); err != nil {
		return err
	}
	*b = *n
	endWith(b.use, b)
	return nil
}

// Join makes this process take part: from here on its death breaks the barrier.
func (b *Barrier) Join() error {
	if err := b.begin("join"); err != nil {
		return err
	}
	return b.end("join", b.side.Join())
}

// Wait blocks until all parties have come. It returns how many had come before in this round,
// another number for each, one of them 0. When ctx ends before, or the timeout, the barrier breaks,
// and the error is [ErrBroken] and the context's; for the others it is [ErrBroken].
func (b *Barrier) Wait(ctx context.Context) (int, error) {
	if err := b.begin("wait"); err != nil {
		return 0, err
	}
	if b.opts.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, b.opts.Timeout)
		defer cancel()
	}
	n, err := b.side.Wait(ctx, b.opts.Action)
	return n, b.end("wait", err)
}

// Abort breaks the barrier, until it is reset.
func (b *Barrier) Abort() error {
	if err := b.begin("abort"); err != nil {
		return err
	}
	return b.end("abort", b.side.Abort())
}

// Reset makes the barrier as new. Those who wait get [ErrBroken].
func (b *Barrier) Reset() error {
	if err := b.begin("reset"); err != nil {
		return err
	}
	return b.end("reset", b.side.Reset())
}

// Parties returns how many have to come.
func (b *Barrier) Parties() int { return b.side.Parties() }

// Waiting returns how many have come and wait, in all processes. The number may be old.
func (b *Barrier) Waiting() int {
	if b.begin("") != nil {
		return 0
	}
	defer b.end("", nil)
	return b.side.Arrived()
}

// Broken tells whether the barrier is broken. The answer may be old.
func (b *Barrier) Broken() bool {
	if b.begin("") != nil {
		return true
	}
	defer b.end("", nil)
	return b.side.Broken()
}

// String returns the barrier's name, and how many of its parties wait.
func (b *Barrier) String() string {
	state := fmt.Sprintf("%d of %d waiting", b.Waiting(), b.Parties())
	if b.Broken() {
		state = "broken"
	}
	return fmt.Sprintf("%s %q: %s", kindNames[kindBarrier], b.name, state)
}
