//go:build unix

package shmtest

import (
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// openFiles lists the descriptors of this process.
func openFiles() map[int]string {
	files := make(map[int]string)
	for _, name := range namesIn("/dev/fd") {
		fd, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		if _, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != nil {
			continue // it was that of the directory
		}
		what, err := os.Readlink("/proc/self/fd/" + name)
		if err != nil {
			what = fmt.Sprint("/dev/fd/", fd)
		}
		files[fd] = what
	}
	return files
}
