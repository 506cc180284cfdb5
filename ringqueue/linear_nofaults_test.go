//go:build unix && !faultpoints

package ringqueue_test

// dieAtStep does nothing in a build without crash points: the parent kills.
func dieAtStep(int) {}
