//go:build portable || !linux

package shm

// take takes the space of a range of the file.
func (s *Segment) take(off, n int64) error { return writeZeros(s.file.WriteAt, off, n) }

// giveBack keeps the space: there is no portable way to free it.
func (s *Segment) giveBack(_, _ int64) error { return nil }
