package ringqueue

import (
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/shmkit/shmkit/internal/mem"
)

// A turn lets the goroutines of one handle take turns on an exclusive side. It
// is a mutex for sections of some ten nanoseconds that seldom meet: taking it is
// one compare-and-swap, passing it on one plain store. Of those who find it
// taken one spins, and the others sleep behind it.
type turn struct {
	taken atomic.Uint64
	queue sync.Mutex
}

func (t *turn) take() {
	if !t.taken.CompareAndSwap(0, 1) {
		t.wait()
	}
}

func (t *turn) wait() {
	t.queue.Lock()
	defer t.queue.Unlock()
	const spins = 100
	for i := 1; !t.taken.CompareAndSwap(0, 1); i++ {
		if i%spins == 0 {
			runtime.Gosched()
		} else {
			mem.Pause()
		}
	}
}

// pass gives the turn up. A release store is enough: the next holder's
// compare-and-swap acquires it.
func (t *turn) pass() { mem.StoreRelease(&t.taken, 0) }
