// Package clock tells a time that all processes of the machine share, that never
// jumps, and that costs no system call: for expiries that stand in shared memory.
//
// It is the system's monotonic clock, read once at the start of the process; from
// then on the runtime's own reading of it counts on. It starts anew at each boot,
// as the segments' memory does.
package clock

import "time"

var (
	start = time.Now()
	base  = monotonic()
)

// Now returns the time in nanoseconds. It is comparable between processes up to
// some microseconds.
func Now() uint64 { return base + uint64(time.Since(start)) }
