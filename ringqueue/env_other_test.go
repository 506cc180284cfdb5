//go:build unix && (!linux || portable)

package ringqueue_test

// envChildren are the children of the tests of the environment's faults, which
// are Linux's.
var envChildren map[string]func(args []string)
