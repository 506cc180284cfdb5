//go:build unix

package shm

import (
	"io/fs"
	"os"
	"syscall"
)

// openSafely are the flags of every open beside the access mode.
const openSafely = syscall.O_NOFOLLOW | syscall.O_NONBLOCK

// modesCount tells whether files have the permission bits that they show.
const modesCount = true

func ownerOf(fi fs.FileInfo) (uid int, ok bool) {
	st, ok := fi.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, false
	}
	return int(st.Uid), true
}

// dirLockFile returns what to lock for a directory: here, itself.
func dirLockFile(dir string) (path string, flag int) { return dir, os.O_RDONLY }
