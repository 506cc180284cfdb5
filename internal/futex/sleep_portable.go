//go:build portable || !linux

package futex

import (
	"sync/atomic"
	"time"

	"github.com/shmkit/shmkit/internal/mem"
)

// Polling starts with looks in quick succession and goes on with pauses that
// double up to mostPause.
const (
	quickLooks = 32
	firstPause = 2 * time.Microsecond
	mostPause  = time.Millisecond
)

// Wait returns when *w is not val, or after d. It tells whether the time ran
// out.
func Wait(w *atomic.Uint32, val uint32, d time.Duration) (timedOut bool) {
	return poll(d, func() bool { return w.Load() != val })
}

// Wake does nothing here: those who wait poll.
func Wake(*atomic.Uint32, int) int { return 0 }

// A bell wakes a gate's leader from inside of its process. It is part of the
// gate.
//
// Rings counts up. A leader loads it before it tries, and sleeps only while it
// is the same: so no ring after the load is missed, and none needs to be undone.
type bell struct {
	rings atomic.Uint32
	word  *atomic.Uint32 // in shared memory: what the leader waits for besides
}

// ring makes the leader return from sleep.
func (b *bell) ring() { b.rings.Add(1) }

// sleep waits until the word is not val, or the bell rings after heard was
// loaded from rings, or d has passed.
func (b *bell) sleep(val, heard uint32, d time.Duration) {
	poll(d, func() bool { return b.word.Load() != val || b.rings.Load() != heard })
}

// poll returns when changed does, or after d.
func poll(d time.Duration, changed func() bool) (timedOut bool) {
	for range quickLooks {
		if changed() {
			return false
		}
		mem.Pause()
	}
	deadline := time.Now().Add(d)
	for pause := firstPause; !changed(); pause = min(2*pause, mostPause) {
		left := time.Until(deadline)
		if left <= 0 {
			return true
		}
		time.Sleep(min(pause, left))
	}
	return false
}
