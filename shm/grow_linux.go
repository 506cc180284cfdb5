//go:build linux && !portable

package shm

import "golang.org/x/sys/unix"

// take takes the space of a range of the file.
func (s *Segment) take(off, n int64) error {
	err := fallocate(s.live.fd, 0, off, n)
	if err != unix.EOPNOTSUPP {
		return err
	}
	return writeZeros(func(b []byte, off int64) (int, error) { return unix.Pwrite(s.live.fd, b, off) }, off, n)
}

// giveBack frees the space of a range of the file, which reads as zeros then,
// on file systems that can.
func (s *Segment) giveBack(off, n int64) error {
	err := fallocate(s.live.fd, unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, off, n)
	if err == unix.EOPNOTSUPP {
		return nil
	}
	return err
}
