//go:build linux && !portable

package process_test

// seesZombies tells whether a child's end is noticed before it is reaped.
const seesZombies = true
