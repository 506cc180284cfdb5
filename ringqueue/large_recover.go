package ringqueue

import (
	"github.com/shmkit/shmkit/internal/arena"
	"github.com/shmkit/shmkit/internal/fault"
)

// dropBlock retires the block of a record that is about to be discarded, its owner
// dead. It does nothing for other records, nor the second time.
func (c *core) dropBlock(p uint64, w word) {
	if !w.large() || w.state() == reservedBatch || c.large == nil {
		return
	}
	a := c.large.open()
	if ref, ok := c.referenceAt(a, p); ok {
		retireFor(a, ref.ref)
	}
}

// leasedFrom tells whether the owner of the borrowed record w has taken it out of the
// ring already, and died then, or is about to release the record: the lease word is
// the truth.
func (c *core) leasedFrom(p uint64, w word) bool {
	if !w.large() || c.large == nil {
		return false
	}
	ref, ok := c.referenceAt(c.large.open(), p)
	if !ok {
		return false
	}
	lease := leaseWord(look(c.large.leaseOf(ref.ref)))
	return lease.of(ref.page) && lease.state() == leased && lease.owner() == w.owner()
}

// recoverLarge gives back what the dead slot held of the memory for large records,
// after the ring was recovered. Each step is one store, or may be repeated.
func (v *view) recoverLarge(slot int) (got recovery) {
	fault.Point("ring.recover.large.claim")
	v.large.state.CompareAndSwap(largeClaimed+uint32(slot), largeNone)
	a := v.large.open()
	if a == nil {
		return got
	}
	v.large.eachLease(a, func(ref uint64, w leaseWord) bool {
		if w.state() != leased || w.owner() != slot {
			return true
		}
		switch {
		case arena.State(a.HeadOf(ref).Load()) != arena.Live:
			a.Note(ref) // the lease was over
		case v.poison > 0 && w.attempt()+1 >= v.poison:
			retireFor(a, ref)
			got.poisoned++
		default:
			fault.Point("ring.recover.large.requeue")
			v.large.leaseOf(ref).Store(uint64(w.again()))
			got.redelivered++
		}
		return true
	})
	// Always: whoever died may have died between a change and its mark (F3).
	v.large.returned.mark()
	a.Reap(slot)
	return got
}
