//go:build portable || !linux

package shm

import (
	"errors"
	"fmt"
	"os"

	"github.com/edsrzf/mmap-go"
)

// mapping is a file in memory. There is no mirror in this engine.
type mapping []byte

func mapFile(f *os.File, size, _ int, writable bool) (mapping, error) {
	prot := mmap.RDONLY
	if writable {
		prot = mmap.RDWR
	}
	m, err := mmap.MapRegion(f, size, prot, 0, 0)
	if err != nil {
		return nil, fmt.Errorf("map %d bytes: %w", size, err)
	}
	return mapping(m), nil
}

func (m mapping) unmap() error {
	mm := mmap.MMap(m)
	return mm.Unmap()
}

const canBlank = false

func (m mapping) blank() error { return errors.ErrUnsupported }

// advise applies the options that are about speed.
func (m mapping) advise(o *Options) {
	if o.Prefault {
		touch(m)
	}
}
