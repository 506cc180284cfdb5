//go:build unix

package clock

import (
	"time"

	"golang.org/x/sys/unix"
)

// monotonic reads the system's clock.
func monotonic() uint64 {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		return uint64(time.Second) // processes of one machine at least agree
	}
	return uint64(ts.Nano())
}
