//go:build linux && !portable

package futex

import (
	"sync/atomic"
	"time"

	"github.com/shmkit/shmkit/internal/mem"
)

// A bell wakes a gate's leader from inside of its process. It is part of the
// gate, which is on the heap, because functions that ring it capture it.
//
// Rings counts up. A leader loads it before it tries, and sleeps only while it
// is the same: so no ring after the load is missed, and none needs to be undone.
type bell struct {
	rings atomic.Uint32  // a private futex
	word  *atomic.Uint32 // in shared memory: what the leader sleeps on besides
}

// ring makes the leader return from sleep.
func (b *bell) ring() {
	b.rings.Add(1)
	if system.noEither.Load() {
		// The leader sleeps on the word alone, which has to change: were it
		// only woken, it might have been about to sleep.
		Notify(b.word)
		return
	}
	mem.FutexWakePrivate(&b.rings, 1)
}

// sleep waits until the word is not val, or the bell rings after heard was
// loaded from rings, or d has passed. It may return early for no reason.
func (b *bell) sleep(val, heard uint32, d time.Duration) {
	if system.sleepEither(b.word, val, &b.rings, heard, d) {
		return
	}
	// A ring that did not see yet that the word must change is seen here.
	if b.rings.Load() == heard {
		system.sleep(b.word, val, d)
	}
}
