//go:build portable || !linux

package futex

import (
	"sync/atomic"
	"time"
)

// Polling starts with short pauses and goes on with longer ones.
const (
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

// A bell wakes the leader from inside of its process.
type bell struct {
	rung atomic.Uint32
	word *atomic.Uint32
}

// ring makes the leader return from sleep, or from the next one.
func (b *bell) ring() { b.rung.Store(1) }

// sleep waits until *w is not val or the bell rings, for at most d. It tells
// whether the time ran out.
func sleep(w *atomic.Uint32, val uint32, b *bell, d time.Duration) (timedOut bool) {
	defer b.rung.Store(0) // whoever rang did so before the try that comes now
	return poll(d, func() bool { return w.Load() != val || b.rung.Load() != 0 })
}

func poll(d time.Duration, changed func() bool) (timedOut bool) {
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
