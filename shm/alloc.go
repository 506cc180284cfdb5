package shm

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// writeZeros gives an empty file its size by writing, which takes the space on
// every file system.
func writeZeros(f *os.File, size int64) error {
	zeros := make([]byte, min(size, 1<<20))
	for off := int64(0); off < size; off += int64(len(zeros)) {
		if _, err := f.WriteAt(zeros[:min(size-off, int64(len(zeros)))], off); err != nil {
			return err
		}
	}
	return nil
}

// noSpace turns a full file system or quota into [ErrNoSpace] with the sizes,
// after giving back what the file took of it.
func noSpace(f *os.File, size int64, err error) error {
	if !errors.Is(err, syscall.ENOSPC) && !errors.Is(err, syscall.EDQUOT) && !errors.Is(err, syscall.EFBIG) {
		return err
	}
	_ = f.Truncate(0)
	if n, statErr := free(filepath.Dir(f.Name())); statErr == nil {
		return fmt.Errorf("%w: %d bytes needed, %d free", ErrNoSpace, size, n)
	}
	return fmt.Errorf("%w: %d bytes needed", ErrNoSpace, size)
}
