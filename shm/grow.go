package shm

import (
	"fmt"
	"os"
)

// Allocate takes the space of n bytes of the body from off on, which lie in the
// part that [Spec].Reserve left out; whole pages. The memory is zero unless it had
// been allocated before: then, on Linux, it stays as it is, and elsewhere it
// becomes zero, so that only whoever owns the range may call this. There is no
// need to map anything anew. It blocks as long as the system takes. The error
// is [ErrNoSpace] when the file system is full; a part may be allocated then.
func (s *Segment) Allocate(off, n int64) error {
	if err := s.checkRange(off, n); err != nil {
		return wrap("allocate", s.path, err)
	}
	if err := s.Acquire(); err != nil {
		return err
	}
	defer s.Release()
	return wrap("allocate", s.path, noSpaceAt(s.path, n, s.take(int64(s.hdr.bodyOff)+off, n)))
}

// Free gives the space of n bytes of the body from off on, whole pages, back to
// the file system, if that can do so: until the next [Segment.Allocate] they must
// not be touched, not even read.
func (s *Segment) Free(off, n int64) error {
	if err := s.checkRange(off, n); err != nil {
		return wrap("free", s.path, err)
	}
	if err := s.Acquire(); err != nil {
		return err
	}
	defer s.Release()
	return wrap("free", s.path, s.giveBack(int64(s.hdr.bodyOff)+off, n))
}

func (s *Segment) checkRange(off, n int64) error {
	page := int64(os.Getpagesize())
	if off < 0 || n <= 0 || off%page != 0 || n%page != 0 || n > int64(s.hdr.bodySize)-off {
		return fmt.Errorf("%w: %d bytes at %d are no pages of a body of %d", ErrSize, n, off, s.hdr.bodySize)
	}
	return nil
}
