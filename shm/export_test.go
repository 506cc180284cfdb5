package shm

import (
	"reflect"
	"time"

	"github.com/shmkit/shmkit/internal/mem"
)

// Types of the shared structs, whose layout the tests pin.
var (
	HeaderType = reflect.TypeFor[header]()
	SlotType   = reflect.TypeFor[slot]()
)

// Named makes creation go by a temporary name.
func Named(o Options) *Options {
	o.named = true
	return &o
}

// CreateRandom creates a block under the first free name of a generator.
func CreateRandom(name func() string, size int64, o *Options) (*Segment, error) {
	opts := o.withDefaults()
	return createRandom(name, blockSpec(size), &opts)
}

// Reseal makes the checksum of a file's first bytes right again.
func Reseal(b []byte) {
	h := new(header)
	copy(mem.BytesOf(h), b)
	h.crc = h.sum()
	copy(b, mem.BytesOf(h))
}

// Impatient makes segments wait for their directory's lock for a moment only.
func Impatient(o Options) *Options {
	o.dirWait = 50 * time.Millisecond
	return &o
}

// LockDir holds a directory's lock until the returned function is called.
func LockDir(dir string) (unlock func(), err error) {
	l, err := lockDir(dir, 50*time.Millisecond)
	if err != nil {
		return nil, err
	}
	return func() { _ = l.Unlock() }, nil
}

const (
	CanMirror  = canMirror
	TempPrefix = tempPrefix
)
