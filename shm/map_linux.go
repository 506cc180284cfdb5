//go:build linux && !portable

package shm

import (
	"os"

	"golang.org/x/sys/unix"

	"github.com/shmkit/shmkit/internal/mem"
)

// mapping is a file in memory, followed by its mirror.
type mapping []byte

func mapFile(f *os.File, size, mirror int, writable bool) (mapping, error) {
	return mem.Map(int(f.Fd()), size, mirror, writable)
}

func (m mapping) unmap() error { return mem.Unmap(m) }

// canBlank tells whether blank works.
const canBlank = true

// blank replaces the memory by zeros of this process's own, at one moment for
// everybody who reads it.
func (m mapping) blank() error { return mem.Blank(m) }

// advise applies the options that are about speed; the kernel may decline.
func (m mapping) advise(o *Options) {
	if o.HugePages {
		_ = unix.Madvise(m, unix.MADV_HUGEPAGE)
	}
	if o.Prefault && unix.Madvise(m, unix.MADV_POPULATE_WRITE) != nil {
		touch(m)
	}
}
