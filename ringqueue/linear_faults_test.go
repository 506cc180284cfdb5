//go:build unix && faultpoints

package ringqueue_test

import (
	"os"
	"sync/atomic"
	"syscall"

	"github.com/shmkit/shmkit/internal/fault"
)

// dieAtStep kills this process at the n-th crash point from now on, if n is not
// 0.
func dieAtStep(n int) {
	if n == 0 {
		return
	}
	var passed atomic.Int64
	fault.SetHook(func(string) {
		if passed.Add(1) == int64(n) {
			syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
	})
}
