package robust

import (
	"sync/atomic"

	"github.com/shmkit/shmkit/internal/fault"
)

// A sum is what all processes have of an object together, and the last change
// to it: who made it, and which one.
//
//	63         36  33      24         0
//	[ total 28 | op | last+1 | change 24 ]
//
// A share is what one of them has. There is one per process slot.
//
//	63       40          0
//	[ held 24 | change 40 ]
//
// A change is made by the one compare-and-swap of the sum, which says what has
// become of the share too; the share itself is brought up to date after that, by
// whoever comes first, and before the next change in any case. So a process may
// die between the two, and still it is known what it had: no order of two
// stores alone can do that.
type (
	sum   uint64
	share uint64
)

const (
	changeBits = 24 // of a sum
	lastBits   = 9
	opBits     = 3
	totalBits  = 64 - changeBits - lastBits - opBits

	shareBits = 40 // of a share's number of changes
	heldBits  = 64 - shareBits

	maxTotal = 1<<totalBits - 1
	maxHeld  = 1<<heldBits - 1
)

func (s sum) change() uint64 { return uint64(s) & (1<<changeBits - 1) }
func (s sum) last() int      { return int(s>>changeBits&(1<<lastBits-1)) - 1 } // -1: none yet
func (s sum) op() op         { return op(s >> (changeBits + lastBits) & (1<<opBits - 1)) }
func (s sum) total() uint32  { return uint32(s >> (64 - totalBits)) }

func makeSum(total uint32, o op, last int, change uint64) sum {
	return sum(total)<<(64-totalBits) | sum(o)<<(changeBits+lastBits) | sum(last+1)<<changeBits |
		sum(change&(1<<changeBits-1))
}

func (s share) held() uint32   { return uint32(s >> shareBits) }
func (s share) change() uint64 { return uint64(s) & (1<<shareBits - 1) }

func makeShare(held uint32, change uint64) share {
	return share(held)<<shareBits | share(change&(1<<shareBits-1))
}

// An op says what a change does to the share of who makes it. What the numbers
// mean is the object's; 0 leaves the share as it is.
type op uint8

const opKeep op = 0

// A tally is an object's counts.
type tally struct {
	sum    *atomic.Uint64
	shares []atomic.Uint64

	// apply returns the share that an op makes of another, when the total after
	// it is the one given.
	apply func(o op, held, total uint32) uint32
}

// A verdict is what becomes of a change that was tried.
type verdict uint8

const (
	refused verdict = iota // the object was not in a state for it
	changed
	corrupt
)

// change changes the object in the name of the slot's process. F is given the
// total and the slot's share at one instant, and returns the new total and what
// is done to the share, or false to leave all as it is. It may be called several
// times; the last call is the one that counts. The new share must be what apply
// makes of it.
//
// The swap of the sum proves that there has been no other change since the sum
// was loaded, so neither has the share been another: goroutines of one process
// need no lock between them.
func (t *tally) change(slot int, f func(total, held uint32) (uint32, op, bool)) verdict {
	for {
		v := sum(t.sum.Load())
		if v.last() >= len(t.shares) {
			return corrupt
		}
		t.settle(v)
		s := share(t.shares[slot].Load())
		total, o, ok := f(v.total(), s.held())
		if !ok {
			if sum(t.sum.Load()) != v {
				continue // the two may not have been of one instant
			}
			return refused
		}
		next := makeSum(total, o, slot, s.change()+1)
		fault.Point("robust.count.sum")
		if t.sum.CompareAndSwap(uint64(v), uint64(next)) {
			t.settle(next)
			return changed
		}
	}
}

// settle brings the share of who made the last change up to date, if that is
// what v says and nobody has done it. The share's own number of changes makes
// that happen once: it is the one before only until then.
func (t *tally) settle(v sum) {
	last := v.last()
	if last < 0 {
		return
	}
	s := share(t.shares[last].Load())
	if (s.change()+1)&(1<<changeBits-1) != v.change() {
		return
	}
	if sum(t.sum.Load()) != v {
		return // settled before there was another
	}
	fault.Point("robust.count.share")
	t.shares[last].CompareAndSwap(uint64(s), uint64(makeShare(t.apply(v.op(), s.held(), v.total()), s.change()+1)))
}

// read returns the total, and the share of the slot, at one instant.
func (t *tally) read(slot int) (total, held uint32, v verdict) {
	v = t.change(slot, func(n, h uint32) (uint32, op, bool) {
		total, held = n, h
		return 0, opKeep, false
	})
	return total, held, v
}

// has tells whether the slot's process may have a share.
func (t *tally) has(slot int) bool {
	return share(t.shares[slot].Load()).held() != 0 || sum(t.sum.Load()).last() == slot
}

// err returns what a verdict means for who changes, if not refused.
func (v verdict) err() error {
	if v == corrupt {
		return ErrCorrupt
	}
	return nil
}
