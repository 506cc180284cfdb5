//go:build !portable

package futex

import (
	"sync/atomic"
	"time"

	"github.com/shmkit/shmkit/internal/mem"
)

// Refuse makes futex_waitv fail with either, and FUTEX_WAIT with wait unless it
// is nil, until the function returned is called. Nobody may be waiting at either
// time. Calls counts the calls of futex_waitv.
func Refuse(either, wait error) (calls *atomic.Int64, restore func()) {
	calls = new(atomic.Int64)
	old := system
	system = &kernel{
		waitEither: func(*atomic.Uint32, uint32, *atomic.Uint32, uint32, time.Duration) error {
			calls.Add(1)
			return either
		},
		wait: func(w *atomic.Uint32, val uint32, d time.Duration) error {
			if wait != nil {
				return wait
			}
			return mem.FutexWait(w, val, d)
		},
	}
	return calls, func() { system = old }
}

// FallenBack tells whether futex_waitv has been refused.
func FallenBack() bool { return system.noEither.Load() }
