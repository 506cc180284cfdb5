//go:build linux && !portable

package process

import (
	"os"

	"golang.org/x/sys/unix"
)

// awaitExit waits until the child has ended, without reaping it, and reports
// true. With a pidfd it waits in the runtime's poller, so that a thousand
// children cost no thread; without one (before Linux 5.4, or where a sandbox
// forbids it) a thread waits. It closes pidfd.
func awaitExit(pid, pidfd int) bool {
	if pidfd >= 0 && unix.SetNonblock(pidfd, true) == nil {
		f := os.NewFile(uintptr(pidfd), "pidfd")
		defer f.Close()
		if conn, err := f.SyscallConn(); err == nil && conn.Read(ended) == nil {
			return true
		}
	}
	for {
		err := unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if err != unix.EINTR {
			return err == nil
		}
	}
}

// ended tells whether the process of a pidfd has ended.
func ended(pidfd uintptr) bool {
	fds := []unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}
	n, err := unix.Poll(fds, 0)
	return err == nil && n > 0
}
