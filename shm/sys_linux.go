package shm

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// DefaultDir returns the directory used when none is given: $SHMKIT_DIR if that
// is set, else /dev/shm/shmkit-<uid> on Linux, else shmkit in the user's cache
// directory.
func DefaultDir() Dir {
	if d := os.Getenv("SHMKIT_DIR"); d != "" {
		return Dir(d)
	}
	return Dir(filepath.Join("/dev/shm", "shmkit-"+strconv.Itoa(os.Geteuid())))
}

// unsuitable are the file systems on which a lock or a mapping of one client
// is not reliably seen by another, by the magic number of statfs(2).
var unsuitable = map[int64]string{
	unix.NFS_SUPER_MAGIC:  "NFS",
	unix.FUSE_SUPER_MAGIC: "FUSE",
	unix.CIFS_SUPER_MAGIC: "CIFS",
	unix.SMB2_SUPER_MAGIC: "SMB",
	unix.SMB_SUPER_MAGIC:  "SMB",
	unix.V9FS_MAGIC:       "9P",
	unix.CEPH_SUPER_MAGIC: "Ceph",
	unix.AFS_FS_MAGIC:     "AFS",
}

func checkFilesystem(path string) error {
	var st unix.Statfs_t
	if err := unix.Statfs(path, &st); err != nil {
		return fmt.Errorf("statfs: %w", err)
	}
	return filesystemError(int64(uint32(st.Type)))
}

func filesystemError(magic int64) error {
	if name := unsuitable[magic]; name != "" {
		return fmt.Errorf("%w: %s", ErrFilesystem, name)
	}
	return nil
}

// free returns how many bytes an ordinary user can still write below path.
func free(path string) (int64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(path, &st); err != nil {
		return 0, fmt.Errorf("statfs: %w", err)
	}
	return int64(st.Bavail) * int64(st.Bsize), nil
}

// startTime returns this process's start in clock ticks after boot; 0: unknown.
func startTime() uint64 {
	b, err := os.ReadFile("/proc/self/stat")
	if err != nil {
		return 0
	}
	// The command in parentheses may contain anything; field 3 follows the last one.
	fields := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
	if len(fields) < 20 {
		return 0
	}
	n, _ := strconv.ParseUint(fields[19], 10, 64)
	return n
}

// pidNamespace returns the inode of this process's PID namespace; 0: unknown.
func pidNamespace() uint64 {
	fi, err := os.Stat("/proc/self/ns/pid")
	if err != nil {
		return 0
	}
	if st, ok := fi.Sys().(*syscall.Stat_t); ok {
		return st.Ino
	}
	return 0
}
