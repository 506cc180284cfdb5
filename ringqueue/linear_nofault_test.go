//go:build unix && !faultpoints

package ringqueue_test

// breakAt does nothing: without crash points a process dies where its parent's
// signal finds it.
func breakAt(int, uint64) {}
