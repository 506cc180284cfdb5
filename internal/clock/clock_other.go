//go:build !unix && !windows

package clock

// monotonic would read the system's clock. Segments are not supported here.
func monotonic() uint64 { return 0 }
