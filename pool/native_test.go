//go:build linux && !portable

package pool_test

// manyWorkers is how many Python's own test starts.
const manyWorkers = 200
