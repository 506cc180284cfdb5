package robust

import (
	"context"
	"errors"
	"fmt"

	"github.com/shmkit/shmkit/internal/futex"
)

// MaxParties is the most parties of a barrier.
const MaxParties = 1<<10 - 1

// A Barrier's total:
//
//	27       26      16      11          0
//	[ broken | arrived | resets | round 12 ]
//
// A round ends by a pass or by a reset. Those who wait in it know it by its number,
// and tell how it ended from how many rounds, and resets, there have been since.
// A share says that the process is a member, and the round it arrived in last:
// [ member | arrived | round 12 ].
type barrierTotal uint32

const (
	roundMask   = 1<<12 - 1
	resetsBit   = 12
	resetsMask  = 1<<5 - 1
	arrivedBit  = 17
	arrivedMask = MaxParties
	brokenFlag  = 1 << 27

	arrivedFlag = 1 << 12
	memberFlag  = 1 << 13
)

func (t barrierTotal) round() uint32   { return uint32(t & roundMask) }
func (t barrierTotal) resets() uint32  { return uint32(t >> resetsBit & resetsMask) }
func (t barrierTotal) arrived() uint32 { return uint32(t >> arrivedBit & arrivedMask) }
func (t barrierTotal) broken() bool    { return t&brokenFlag != 0 }

// ended returns the total of the round after this one.
func (t barrierTotal) ended(byReset bool) barrierTotal {
	n := barrierTotal((t.round() + 1) & roundMask)
	r := t.resets()
	if byReset {
		r = (r + 1) & resetsMask
	}
	return n | barrierTotal(r)<<resetsBit
}

// arrive returns the total with one more arrived.
func (t barrierTotal) arrive() barrierTotal { return t + 1<<arrivedBit }

// brk returns the total of the same round, broken.
func (t barrierTotal) brk() barrierTotal {
	return t&^(arrivedMask<<arrivedBit) | brokenFlag
}

const (
	opJoin op = 1 + iota
	opArrive
	opPass // the arrival that ends a round, which is the one before the total's
	opLeave
)

func applyBarrier(o op, held, total uint32) uint32 {
	switch o {
	case opJoin:
		return held | memberFlag
	case opArrive:
		return memberFlag | arrivedFlag | total&roundMask
	case opPass:
		return memberFlag
	case opLeave:
		return 0
	}
	return held
}

// A Barrier is one process's side of a barrier in shared memory: so many parties,
// goroutines of any processes, wait until all have come, again and again.
//
// A process becomes a member when it joins, at the latest with its first Wait.
// When a member dies the barrier breaks at once for the others, who would wait
// for it in vain. Of a process that dies before that nobody knows that it was
// expected.
//
// Its methods may be called from several goroutines.
type Barrier struct {
	handle
	t       tally
	parties uint32
}

// InitBarrier makes the zeroes in b a barrier of so many parties, before anybody
// else sees them.
func InitBarrier(b []byte, slots, parties int) error {
	words, _, err := view[countWords](KindBarrier, b, slots)
	if err != nil {
		return err
	}
	if parties < 1 || parties > MaxParties {
		return fmt.Errorf("%d parties: not from 1 to %d", parties, MaxParties)
	}
	words.limit = uint32(parties)
	return nil
}

// NewBarrier returns a handle of the barrier in b, which was initialised and stays
// mapped as long as the handle is used.
func NewBarrier(host Host, b []byte, o Options) (*Barrier, error) {
	words, shares, err := view[countWords](KindBarrier, b, host.Slots())
	if err != nil {
		return nil, err
	}
	br := &Barrier{t: tally{sum: &words.sum, shares: shares, apply: applyBarrier}, parties: words.limit}
	if br.parties < 1 || br.parties > MaxParties {
		return nil, fmt.Errorf("%w: barrier of %d parties", ErrCorrupt, br.parties)
	}
	br.open(host, &words.event, o)
	return br, nil
}

// Join makes this process a member: from here on its death breaks the barrier.
func (b *Barrier) Join() error {
	return b.t.change(b.me, func(total, held uint32) (uint32, op, bool) {
		return total, opJoin, held&memberFlag == 0
	}).err()
}

// Wait blocks until all parties have come. It returns how many had come before in
// this round, which is another number for each.
//
// The one who comes last calls action, unless that is nil, before anybody goes
// on; its error breaks the barrier, and is returned to it. When ctx ends first
// the barrier breaks, and the error is [ErrBroken] and the context's; so it does
// with [ErrClosed]. For the others the error is [ErrBroken].
func (b *Barrier) Wait(ctx context.Context, action func() error) (int, error) {
	w := barrierWaiter{b: b, hold: action != nil}
	entered, err := w.enter()
	if !entered && err == nil {
		err = b.wait(ctx, &entry{w: &w}) // all have come, and the action still runs
	}
	if err != nil {
		return 0, err
	}
	if w.last && action != nil {
		if err := w.act(action); err != nil {
			return 0, err
		}
	}
	if w.last {
		return int(w.index), nil
	}
	return int(w.index), w.await(ctx)
}

// Abort breaks the barrier, until it is reset.
func (b *Barrier) Abort() error {
	v := b.t.change(b.me, func(total, _ uint32) (uint32, op, bool) {
		t := barrierTotal(total)
		return uint32(t.brk()), opKeep, !t.broken()
	})
	b.notify()
	return v.err()
}

// Reset makes the barrier as new. Those who wait get [ErrBroken].
//
// Where more goroutines use the barrier than it has parties, one that has not
// noticed the reset before the others have passed again takes it for a pass.
func (b *Barrier) Reset() error {
	v := b.t.change(b.me, func(total, _ uint32) (uint32, op, bool) {
		t := barrierTotal(total)
		return uint32(t.ended(true)), opKeep, t.broken() || t.arrived() > 0
	})
	b.notify()
	return v.err()
}

// Parties returns how many have to come.
func (b *Barrier) Parties() int { return int(b.parties) }

// Arrived returns how many have come and wait. The number may be old.
func (b *Barrier) Arrived() int { return int(b.total().arrived()) }

// Broken tells whether the barrier is broken. The answer may be old.
func (b *Barrier) Broken() bool { return b.total().broken() }

func (b *Barrier) total() barrierTotal { return barrierTotal(sum(b.t.sum.Load()).total()) }

// A barrierWaiter is one Wait.
type barrierWaiter struct {
	b     *Barrier
	hold  bool         // the last to come does not end the round yet
	last  bool         // it came last
	mine  barrierTotal // of the round it came in
	index uint32
}

// enter counts the arrival. It can't while another one's action runs.
func (w *barrierWaiter) enter() (bool, error) {
	b := w.b
	var broken bool
	v := b.t.change(b.me, func(total, _ uint32) (uint32, op, bool) {
		t := barrierTotal(total)
		w.mine, w.index = t, t.arrived()
		w.last = w.index+1 == b.parties
		broken = t.broken()
		switch {
		case broken || w.index >= b.parties:
			return 0, opKeep, false
		case w.last && !w.hold:
			return uint32(t.ended(false)), opPass, true
		}
		return uint32(t.arrive()), opArrive, true
	})
	switch {
	case v == corrupt:
		return false, ErrCorrupt
	case v == refused && broken:
		return false, ErrBroken
	case v == changed && w.last && !w.hold:
		b.notify()
	}
	return v == changed, nil
}

// act runs the action and ends the round. A panic breaks the barrier.
func (w *barrierWaiter) act(action func() error) error {
	passed := false
	defer func() {
		if !passed {
			w.breakRound()
		}
	}()
	if err := action(); err != nil {
		return err
	}
	v := w.b.t.change(w.b.me, func(total, _ uint32) (uint32, op, bool) {
		t := barrierTotal(total)
		return uint32(t.ended(false)), opPass, t.round() == w.mine.round() && !t.broken()
	})
	if v != changed {
		return errors.Join(v.err(), ErrBroken)
	}
	passed = true
	w.b.notify()
	return nil
}

// await waits until the round has ended.
func (w *barrierWaiter) await(ctx context.Context) error {
	err := w.b.wait(ctx, w)
	if err == nil || errors.Is(err, ErrBroken) || errors.Is(err, ErrCorrupt) {
		return err
	}
	if w.breakRound() {
		return fmt.Errorf("%w: %w", ErrBroken, err)
	}
	if _, end := w.Try(); end != nil { // it ended in the same instant
		return end
	}
	return nil
}

// breakRound breaks the barrier if the round is still the waiter's, and tells
// whether it did.
func (w *barrierWaiter) breakRound() bool {
	v := w.b.t.change(w.b.me, func(total, _ uint32) (uint32, op, bool) {
		t := barrierTotal(total)
		return uint32(t.brk()), opKeep, t.round() == w.mine.round() && !t.broken()
	})
	if v == changed {
		w.b.notify()
	}
	return v == changed
}

// Try tells whether the round has ended. It has passed unless all that came since
// are resets: while the waiter had not gone on there can have been no pass but
// that of its own round.
func (w *barrierWaiter) Try() (bool, error) {
	t := w.b.total()
	if rounds := (t.round() - w.mine.round()) & roundMask; rounds != 0 {
		if rounds == (t.resets()-w.mine.resets())&resetsMask {
			return false, ErrBroken
		}
		return true, nil
	}
	if t.broken() {
		return false, ErrBroken
	}
	return false, w.b.isClosed()
}

// Slice looks whether a member has died.
func (w *barrierWaiter) Slice() { w.b.probeAll(len(w.b.t.shares), w.b.t.has) }

// An entry is a Wait that has not arrived yet.
type entry struct{ w *barrierWaiter }

func (e *entry) Try() (bool, error) {
	if err := e.w.b.isClosed(); err != nil {
		return false, err
	}
	return e.w.enter()
}

func (e *entry) Slice() { e.w.Slice() }

// recoverBarrier takes the process of the slot out of the barrier, which breaks
// if the process is dead and was a member, or has arrived and not passed.
func recoverBarrier(b []byte, slots, slot int, dead bool) error {
	words, shares, err := view[countWords](KindBarrier, b, slots)
	if err != nil {
		return err
	}
	t := tally{sum: &words.sum, shares: shares, apply: applyBarrier}
	v := t.change(slot, func(total, held uint32) (uint32, op, bool) {
		after := barrierTotal(total)
		if dead || held&arrivedFlag != 0 && held&roundMask == after.round() && after.arrived() > 0 {
			after = after.brk()
		}
		return uint32(after), opLeave, held != 0
	})
	if v == changed {
		futex.Notify(&words.event)
	}
	return v.err()
}
