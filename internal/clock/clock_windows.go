package clock

import "golang.org/x/sys/windows"

// monotonic reads the system's clock.
func monotonic() uint64 { return uint64(windows.DurationSinceBoot()) }
