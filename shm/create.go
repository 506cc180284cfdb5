package shm

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/shmkit/shmkit/internal/fault"
	"github.com/shmkit/shmkit/internal/mem"
)

// Create creates a plain block of size bytes, all zero, and opens it. The name
// "" means a random one. It blocks as long as the system takes to allocate
// the space. Errors: [ErrExist], [ErrName], [ErrSize], [ErrNoSpace], and those
// about the directory.
func Create(name string, size int64, o *Options) (*Segment, error) {
	return CreateSpec(name, blockSpec(size), o)
}

// CreateSpec creates a segment as the spec says, and opens it: see [Create].
// Nobody can see it before it is complete, and nothing is left of it when the
// process is killed before that.
func CreateSpec(name string, sp *Spec, o *Options) (*Segment, error) {
	opts := o.withDefaults()
	if name == "" {
		return createRandom(randomName, sp, &opts)
	}
	path, err := Dir(opts.Dir).path(name)
	if err != nil {
		return nil, wrap("create", name, err)
	}
	s, err := create(path, sp, &opts)
	return s, wrap("create", path, err)
}

// createRandom creates under the first name of a generator that is not taken.
func createRandom(name func() string, sp *Spec, o *Options) (*Segment, error) {
	for {
		path, err := Dir(o.Dir).path(name())
		if err != nil {
			return nil, wrap("create", o.Dir, err)
		}
		s, err := create(path, sp, o)
		if !errors.Is(err, os.ErrExist) {
			return s, wrap("create", path, err)
		}
	}
}

func create(path string, sp *Spec, o *Options) (*Segment, error) {
	if err := sp.validate(); err != nil {
		return nil, err
	}
	var id [16]byte
	rand.Read(id[:])
	h, err := newHeader(sp, o, id)
	if err != nil {
		return nil, err
	}
	dir := filepath.Dir(path)
	if err := ensureDir(dir, o); err != nil {
		return nil, err
	}
	if err := makeWay(path, o); err != nil {
		return nil, err
	}
	d, err := newDraft(dir, id, o.Mode, o.named)
	if err != nil {
		return nil, err
	}
	s, err := build(path, d, h, sp, o)
	if err != nil {
		d.discard()
		return nil, err
	}
	for tries := 0; ; tries++ {
		fault.Point("shm.create.publish")
		err = d.publish(path)
		if err == nil || !errors.Is(err, os.ErrExist) || tries == publishTries {
			break
		}
		if err = makeWay(path, o); err != nil {
			break
		}
	}
	if err != nil {
		_ = s.mapped.unmap()
		d.discard()
		return nil, err
	}
	fault.Point("shm.create.settle")
	d.settle()
	if !keepFile {
		d.f.Close()
	}
	janitors.add(s)
	return s, nil
}

// publishTries bounds how often creation makes way for itself, while others
// create and abandon segments of the same name.
const publishTries = 100

// makeWay removes what is at the path if it is a segment that nobody holds any
// more. Anything else there is [ErrExist].
func makeWay(path string, o *Options) error {
	if _, err := os.Lstat(path); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	gone, err := reap(path, o)
	if err := ifExhausted(err); gone || err != nil {
		return err
	}
	if _, err := os.Lstat(path); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return ErrExist
}

// build makes the draft a complete segment, joined in slot 0.
func build(path string, d *draft, h *header, sp *Spec, o *Options) (*Segment, error) {
	if err := d.f.Chmod(o.Mode); err != nil {
		return nil, err
	}
	if sp.Reserve > 0 { // else the allocation below gives the file its size
		if err := d.f.Truncate(int64(h.fileSize)); err != nil {
			return nil, noSpace(d.f, int64(h.fileSize), err)
		}
	}
	end := int64(h.fileSize - h.behind) // of the reserve
	if err := allocate(d.f, 0, end-sp.Reserve); err != nil {
		return nil, err
	}
	if h.behind > 0 {
		if err := allocate(d.f, end, int64(h.behind)); err != nil {
			return nil, err
		}
	}
	fi, err := d.f.Stat()
	if err != nil {
		return nil, err
	}
	s, err := newSegment(path, d.f, fi, d.live, h, sp, o)
	if err != nil {
		return nil, err
	}
	fault.Point("shm.create.header")
	copy(s.mapped, mem.BytesOf(h))
	s.occupy(0)
	if sp.Init != nil {
		fault.Point("shm.create.init")
		if err := sp.Init(s); err != nil {
			_ = s.mapped.unmap()
			return nil, fmt.Errorf("initialise: %w", err)
		}
	}
	return s, nil
}
