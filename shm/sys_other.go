//go:build !linux

package shm

import (
	"errors"
	"os"
	"path/filepath"
)

// DefaultDir returns the directory used when none is given: $SHMKIT_DIR if that
// is set, else /dev/shm/shmkit-<uid> on Linux, else shmkit in the user's cache
// directory.
func DefaultDir() Dir {
	if d := os.Getenv("SHMKIT_DIR"); d != "" {
		return Dir(d)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	return Dir(filepath.Join(cache, "shmkit"))
}

// checkFilesystem knows no file system to refuse.
func checkFilesystem(string) error { return nil }

// free does not know.
func free(string) (int64, error) { return 0, errors.ErrUnsupported }

func startTime() uint64    { return 0 }
func pidNamespace() uint64 { return 0 }
