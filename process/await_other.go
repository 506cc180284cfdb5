//go:build !linux || portable

package process

import "os"

// awaitExit reports false at once: the child must be waited for with a thread.
func awaitExit(_, pidfd int) bool {
	if pidfd >= 0 {
		os.NewFile(uintptr(pidfd), "pidfd").Close()
	}
	return false
}
