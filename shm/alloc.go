package shm

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// writeZeros takes the space of a range by writing, which works on every file
// system.
func writeZeros(writeAt func(b []byte, off int64) (int, error), off, n int64) error {
	zeros := make([]byte, min(n, 1<<20))
	for end := off + n; off < end; off += int64(len(zeros)) {
		if _, err := writeAt(zeros[:min(end-off, int64(len(zeros)))], off); err != nil {
			return err
		}
	}
	return nil
}

// noSpace is noSpaceAt for a file that is not a segment yet, which gives back
// what it took of the space.
func noSpace(f *os.File, size int64, err error) error {
	if isFull(err) {
		_ = f.Truncate(0)
	}
	return noSpaceAt(f.Name(), size, err)
}

// noSpaceAt turns a full file system or quota into [ErrNoSpace] with the sizes.
func noSpaceAt(path string, size int64, err error) error {
	if !isFull(err) {
		return err
	}
	if n, statErr := free(filepath.Dir(path)); statErr == nil {
		return fmt.Errorf("%w: %d bytes needed, %d free", ErrNoSpace, size, n)
	}
	return fmt.Errorf("%w: %d bytes needed", ErrNoSpace, size)
}

func isFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EFBIG)
}
