//go:build !portable

package ringqueue_test

import (
	"io/fs"
	"syscall"
)

// spaceOf returns how many bytes a file takes; false if that says nothing.
func spaceOf(fi fs.FileInfo) (int64, bool) { return fi.Sys().(*syscall.Stat_t).Blocks * 512, true }
