//go:build !unix

package shm

import (
	"io/fs"
	"os"
	"path/filepath"
)

// openSafely are the flags of every open beside the access mode.
const openSafely = 0

// modesCount tells whether files have the permission bits that they show.
const modesCount = false

// ownerOf does not know: the directory's access list guards its files.
func ownerOf(fs.FileInfo) (uid int, ok bool) { return 0, false }

// dirLockFile returns what to lock for a directory.
func dirLockFile(dir string) (path string, flag int) {
	return filepath.Join(dir, ".dir-lock"), os.O_CREATE | os.O_RDWR
}
