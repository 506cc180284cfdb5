package futex

import (
	"math"
	"sync/atomic"

	"github.com/shmkit/shmkit/internal/fault"
)

const (
	waiting  = 1 // bit: somebody may be asleep
	sequence = 2 // one step of the sequence number above it
)

// Notify wakes all who wait for w, in every process. It is called after the
// change that they wait for, and never blocks. It tells whether it has called
// the kernel: false when nobody waits, or somebody else woke them after the
// change.
func Notify(w *atomic.Uint32) (woke bool) { return w.Load()&waiting != 0 && notify(w) }

// notify is apart so that Notify is inlined.
func notify(w *atomic.Uint32) bool {
	v := w.Load()
	if v&waiting == 0 {
		return false // somebody else did it, after our change
	}
	fault.Point("futex.notify")
	if !w.CompareAndSwap(v, (v+sequence)&^waiting) {
		// Another notifier swapped it after our change; or another waiter set
		// the bit, which was set: then the swap does not fail.
		return false
	}
	fault.Point("futex.wake")
	if !wakeDropped() {
		Wake(w, math.MaxInt32)
	}
	return true
}
