//go:build faultpoints

package futex

import "sync/atomic"

var dropWake atomic.Pointer[func() bool]

// DropWakes makes [Notify] ask f, after it has advanced the sequence, whether to
// leave the wake-up out, as if the process had been killed there. Nil ends that.
// It is for tests, and only there in builds with the tag faultpoints. F is
// called on the notifier's goroutine.
func DropWakes(f func() bool) {
	if f == nil {
		dropWake.Store(nil)
		return
	}
	dropWake.Store(&f)
}

// wakeDropped tells whether a test wants this wake-up to be lost.
func wakeDropped() bool {
	f := dropWake.Load()
	return f != nil && (*f)()
}
