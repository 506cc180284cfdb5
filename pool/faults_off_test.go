//go:build unix && !faultpoints

package pool_test

// armFaults does nothing in a build without crash points.
func armFaults() {}
