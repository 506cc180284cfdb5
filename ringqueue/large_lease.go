package ringqueue

import (
	"sync/atomic"

	"github.com/shmkit/shmkit/internal/arena"
	"github.com/shmkit/shmkit/internal/fault"
)

// A leaseWord is the truth about a large record that has left the ring. It stands
// for the block's first chunk, and means nothing if the chunk has had another use
// since, which is another generation.
//
//	63        32 31   18 17   10 9       4 3     0
//	+------------+-------+-------+---------+-------+
//	| generation |   0   | owner | attempt | state |
//	+------------+-------+-------+---------+-------+
//	     32          14      8        6        4
type leaseWord uint64

// States of a large record outside of the ring. The block is live, or, if leased
// by a process that has come to the end of its lease, retired.
const (
	leased   state = 1 // the owner has it
	returned state = 2 // it waits to be taken again
)

const (
	generationShift = 32
	generationMask  = 1<<generationShift - 1
)

func makeLease(page uint64, owner int, attempt uint64, s state) leaseWord {
	// The upper half of a page word is its generation.
	return leaseWord(page&^generationMask | uint64(owner)<<ownerShift | attempt<<attemptShift | uint64(s))
}

func (w leaseWord) state() state    { return word(w).state() }
func (w leaseWord) attempt() uint64 { return word(w).attempt() }
func (w leaseWord) owner() int      { return word(w).owner() }

// again returns the lease word w as returned, with its attempt count one higher.
func (w leaseWord) again() leaseWord {
	return makeLease(uint64(w), 0, min(w.attempt()+1, maxAttempt), returned)
}

// of tells whether the lease word is about the chunk in its present use.
func (w leaseWord) of(page uint64) bool { return (uint64(w)^page)&^generationMask == 0 }

func (l *large) refOf(chunk int) uint64 {
	return uint64(l.geo.ChunksOff()) + uint64(chunk)*arena.ChunkSize
}

// leaseOf returns the lease word of the block at ref, which is one.
func (l *large) leaseOf(ref uint64) *atomic.Uint64 {
	return &l.leases[(ref-uint64(l.geo.ChunksOff()))/arena.ChunkSize]
}

// eachLease calls f with each block that is outside of the ring, until it returns
// false. One that becomes so meanwhile may be left out.
func (l *large) eachLease(a *arena.Arena, f func(ref uint64, w leaseWord) bool) {
	for i := range l.leases {
		w := leaseWord(look(&l.leases[i]))
		if s := w.state(); s != leased && s != returned {
			continue
		}
		ref := l.refOf(i)
		if page, _, ok := a.Page(ref); ok && w.of(page) && !f(ref, w) {
			return
		}
	}
}

// census counts the records outside of the ring.
func (l *large) census() (taken, waiting int) {
	a := l.open()
	if a == nil {
		return 0, 0
	}
	l.eachLease(a, func(ref uint64, w leaseWord) bool {
		switch {
		case w.state() == returned:
			waiting++
		case arena.State(a.HeadOf(ref).Load()) == arena.Live:
			taken++
		}
		return true
	})
	return taken, waiting
}

// holders returns the slots of those who have records outside of the ring, or are
// taking the tables' space: whose death would explain why there is no memory.
func (l *large) holders(yield func(slot int)) {
	if slot, ok := l.preparer(); ok {
		yield(slot)
	}
	a := l.open()
	if a == nil {
		return
	}
	var seen [maxOwners]bool
	l.eachLease(a, func(_ uint64, w leaseWord) bool {
		if o := w.owner(); w.state() == leased && !seen[o] {
			seen[o] = true
			yield(o)
		}
		return true
	})
}

// takeOut takes a borrowed large record out of the ring: the loan of the record
// becomes one of its block, in which pos is the block's place. It is false, and the
// place 0, if there is no such block; then the record is over.
func (r *Ring) takeOut(l loan) (loan, bool) {
	var ref reference
	ok := false
	if r.large != nil {
		ref, ok = r.referenceAt(r.large.open(), l.pos)
	}
	if ok {
		fault.Point("ring.large.take")
		r.large.leaseOf(ref.ref).Store(uint64(makeLease(ref.page, r.me, l.word.attempt(), leased)))
	} else {
		ref.ref = 0
	}
	r.core.store(l.pos, l.word.with(released), "ring.large.leave")
	r.freed(l)
	return loan{ref.ref, l.word}, ok
}

// lentLarge returns the bytes of a loan of a large record.
func (r *Ring) lentLarge(l loan) ([]byte, bool) {
	if r.large == nil {
		return nil, false
	}
	a := r.large.open()
	if a == nil {
		return nil, false
	}
	return r.large.bytes(a, l.pos)
}

// borrowReturned takes a large record that was given back, if there is one. If not,
// it withdraws the announcement.
func (r *Ring) borrowReturned() (loan, bool) {
	if seen := r.large.returned.load(); seen&1 != 0 {
		return r.findReturned(seen)
	}
	return loan{}, false
}

func (r *Ring) findReturned(seen uint64) (got loan, ok bool) {
	a := r.large.open()
	if a == nil {
		return loan{}, false
	}
	r.large.eachLease(a, func(ref uint64, w leaseWord) bool {
		if w.state() != returned {
			return true
		}
		mine := makeLease(uint64(w), r.me, w.attempt(), leased)
		fault.Point("ring.large.again")
		if ok = r.large.leaseOf(ref).CompareAndSwap(uint64(w), uint64(mine)); ok {
			got = loan{ref, makeWord(0, byReference|referenceSize, r.me, w.attempt(), borrowed)}
		}
		return !ok
	})
	if !ok {
		r.large.returned.clear(seen)
	}
	return got, ok
}

// giveBack ends the loan of a large record that is to be delivered again, or, if that
// was its last delivery, retires it. It returns whether it did.
func (r *Ring) giveBack(l loan) (poisoned bool) {
	if l.pos == 0 || r.lastDelivery(l.word) {
		r.retire(l)
		return true
	}
	w := r.large.leaseOf(l.pos)
	fault.Point("ring.large.requeue")
	w.Store(uint64(leaseWord(w.Load()).again()))
	r.large.returned.mark()
	return false
}

// retire ends the loan of a large record for good, and makes that known.
func (r *Ring) retire(l loan) {
	if l.pos == 0 {
		return
	}
	if a := r.large.open(); a != nil {
		retire(a, l.pos)
	}
	r.wakePutters()
}
