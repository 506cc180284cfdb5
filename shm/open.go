package shm

import (
	"encoding/hex"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
)

// Open opens the plain block of that name. Errors: [ErrNotExist], [ErrName],
// [ErrKind], [ErrNoSlots], and those that say what is wrong with the file,
// which is left as it is.
func Open(name string, o *Options) (*Segment, error) { return OpenSpec(name, blockSpec(0), o) }

// OpenSpec opens the segment of that name if it is what the spec describes:
// see [Open]. It recovers what dead processes left behind.
func OpenSpec(name string, sp *Spec, o *Options) (*Segment, error) {
	opts := o.withDefaults()
	path, err := Dir(opts.Dir).path(name)
	if err != nil {
		return nil, wrap("open", name, err)
	}
	s, err := open(path, nil, sp, &opts)
	return s, wrap("open", path, err)
}

// OpenOrCreate opens the plain block of that name, and creates it if there is
// none. Size counts only for creation. See [Open] and [Create].
func OpenOrCreate(name string, size int64, o *Options) (*Segment, error) {
	return OpenOrCreateSpec(name, blockSpec(size), o)
}

// OpenOrCreateSpec opens the segment of that name, and creates it if there is
// none: see [OpenSpec] and [CreateSpec]. Of several processes that do so at
// once, one creates it and the others open it.
func OpenOrCreateSpec(name string, sp *Spec, o *Options) (*Segment, error) {
	if name == "" {
		return CreateSpec(name, sp, o)
	}
	// Each round that fails was decided by another process's creation or leave.
	const rounds = 1000
	var err error
	for range rounds {
		var s *Segment
		if s, err = OpenSpec(name, sp, o); !errors.Is(err, ErrNotExist) {
			return s, err
		}
		if s, err = CreateSpec(name, sp, o); !errors.Is(err, ErrExist) {
			return s, err
		}
	}
	return nil, err
}

const handlePrefix = "shmkit:"

// OpenHandle opens the segment of a text from [Segment.Handle], made in this or
// another process. The error is [ErrNotExist] when that segment is gone, even
// if there is a new one of its name; [ErrName] when the text is no handle. A
// nil spec is a plain block. Options.Dir does not count.
func OpenHandle(handle string, sp *Spec, o *Options) (*Segment, error) {
	if sp == nil {
		sp = blockSpec(0)
	}
	path, id, err := parseHandle(handle, sp.Kind)
	if err != nil {
		return nil, wrap("open", handle, err)
	}
	opts := o.withDefaults()
	opts.Dir = filepath.Dir(path)
	s, err := open(path, &id, sp, &opts)
	return s, wrap("open", path, err)
}

// HandleID returns the id of the segment in a text from [Segment.Handle].
func HandleID(handle string) ([16]byte, error) {
	rest, _ := strings.CutPrefix(handle, handlePrefix)
	kind, _, _ := strings.Cut(rest, ":")
	_, id, err := parseHandle(handle, kind)
	return id, wrap("parse", handle, err)
}

func parseHandle(handle, kind string) (path string, id [16]byte, err error) {
	rest, ok := strings.CutPrefix(handle, handlePrefix)
	parts := strings.SplitN(rest, ":", 3)
	if !ok || len(parts) != 3 {
		return "", id, fmt.Errorf("%w: not a handle of a segment", ErrName)
	}
	if parts[0] != kind {
		return "", id, fmt.Errorf("%w: a handle of a %q, not of a %q", ErrKind, parts[0], kind)
	}
	if id, ok = parseID(parts[1]); !ok {
		return "", id, fmt.Errorf("%w: id %q in a handle", ErrName, parts[1])
	}
	path = parts[2]
	if !filepath.IsAbs(path) || filepath.Clean(path) != path {
		return "", id, fmt.Errorf("%w: path %q in a handle", ErrName, path)
	}
	return path, id, checkName(filepath.Base(path))
}

// parseID reads an id in hex.
func parseID(text string) (id [16]byte, ok bool) {
	b, err := hex.DecodeString(text)
	if err != nil || len(b) != len(id) {
		return id, false
	}
	return [16]byte(b), true
}

// open opens and joins the segment at the path, of the given id unless nil.
func open(path string, id *[16]byte, sp *Spec, o *Options) (*Segment, error) {
	if err := sp.validate(); err != nil {
		return nil, err
	}
	s, err := attach(path, id, sp, o)
	if err != nil {
		return nil, err
	}
	if sp.Check != nil {
		if err := sp.Check(s); err != nil {
			s.discard()
			return nil, err
		}
	}
	if err := s.join(); err != nil {
		s.discard()
		return nil, err
	}
	janitors.add(s)
	s.RecoverDead()
	return s, nil
}

// attach opens, checks and maps the file, and takes no slot.
func attach(path string, id *[16]byte, sp *Spec, o *Options) (*Segment, error) {
	dir := filepath.Dir(path)
	if err := checkDir(dir, o); err != nil {
		return nil, err
	}
	f, fi, err := openFile(path, o, true)
	if err != nil {
		return nil, err
	}
	h, err := readHeader(f, fi.Size())
	if err == nil && id != nil && h.id != *id {
		err = fmt.Errorf("%w: another one has its name", ErrNotExist)
	}
	if err == nil {
		err = sp.match(h)
	}
	if err == nil {
		err = h.usable(sp.AnyBoot)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	live, err := openLiveness(f, path, dir, h.id)
	if err != nil {
		f.Close()
		return nil, err
	}
	s, err := newSegment(path, f, fi, live, h, sp, o)
	if err != nil {
		live.close()
		f.Close()
		return nil, err
	}
	if !keepFile {
		f.Close()
	}
	return s, nil
}
