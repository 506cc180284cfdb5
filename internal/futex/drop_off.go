//go:build !faultpoints

package futex

// wakeDropped tells whether a test wants this wake-up to be lost.
func wakeDropped() bool { return false }
