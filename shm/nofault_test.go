//go:build !faultpoints

package shm_test

// killAt needs the crash points.
func killAt(int) { panic("built without crash points") }
