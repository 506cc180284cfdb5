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

// Notify wakes all who wait for w, in every process, and tells whether anybody
// may have been waiting. It is called after the change that they wait for, and
// never blocks.
func Notify(w *atomic.Uint32) bool { return w.Load()&waiting != 0 && notify(w) }

// notify is apart so that Notify is inlined.
func notify(w *atomic.Uint32) bool {
	v := w.Load()
	if v&waiting == 0 {
		return true // somebody else did it after our change
	}
	fault.Point("futex.notify")
	if w.CompareAndSwap(v, (v+sequence)&^waiting) {
		fault.Point("futex.wake")
		Wake(w, math.MaxInt32)
	} // else somebody else did, after our change
	return true
}
