package shm

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// Remove takes the segment's name away at once, whoever holds it: they go on
// with their memory, and a new segment can take the name. It works on files
// that are no valid segments, too. Errors: [ErrNotExist], [ErrName], [ErrBusy].
func (d Dir) Remove(name string) error {
	path, err := d.path(name)
	if err != nil {
		return wrap("remove", name, err)
	}
	if _, err := os.Lstat(path); err != nil {
		return wrap("remove", path, err)
	}
	lock, err := lockDir(filepath.Dir(path), 0)
	if err != nil {
		return wrap("remove", path, err)
	}
	err = os.Remove(path)
	_ = lock.Unlock()
	if err == nil {
		err = sweepLocks(filepath.Dir(path))
	}
	return wrap("remove", path, err)
}

// Sweep sweeps the default directory: see [Dir.Sweep].
func Sweep() ([]string, error) { return DefaultDir().Sweep() }

// Sweep removes the segments that are not persistent and that nobody holds any
// more, because the last process was killed, and returns their names. It also
// cleans away what creators killed half-way may have left. A segment that
// somebody holds, and a file that is no valid segment of this user, stays.
func (d Dir) Sweep() ([]string, error) {
	dir, err := filepath.Abs(string(d))
	if err != nil {
		return nil, wrap("sweep", string(d), err)
	}
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, wrap("sweep", dir, err)
	}
	o := (*Options)(nil).withDefaults()
	o.Mode |= 0o066 // whatever modes the creators asked for
	if err := checkDir(dir, &o); err != nil {
		return nil, wrap("sweep", dir, err)
	}
	var names []string
	var errs []error
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		if hidden(e.Name()) {
			if strings.HasPrefix(e.Name(), tempPrefix) {
				errs = append(errs, wrap("sweep", path, reapTemp(path, &o)))
			}
			continue
		}
		gone, err := reap(path, &o)
		if gone {
			names = append(names, e.Name())
		}
		errs = append(errs, wrap("sweep", path, err))
	}
	errs = append(errs, wrap("sweep", dir, sweepLocks(dir)))
	return names, errors.Join(errs...)
}

// reap removes the segment at the path if it is valid, not persistent, and
// nobody holds it. Files that it has no business with are no error.
func reap(path string, o *Options) (gone bool, err error) {
	f, fi, err := openFile(path, o, true)
	if err != nil {
		return false, ifExhausted(err)
	}
	defer f.Close()
	h, err := readHeader(f, fi.Size())
	if err != nil || h.persistent() || h.usable(true) != nil {
		return false, nil
	}
	return reapFile(f, fi, path, h.id)
}

// reapTemp removes an unfinished segment whose creator is gone. A creator that
// died between giving it its name and taking the temporary one away has left
// two names of one file: this one goes when nobody holds that segment.
func reapTemp(path string, o *Options) error {
	f, fi, err := openFile(path, o, true)
	if err != nil {
		return ifExhausted(err)
	}
	defer f.Close()
	id, ok := parseID(strings.TrimPrefix(filepath.Base(path), tempPrefix))
	if !ok {
		return nil
	}
	_, err = reapFile(f, fi, path, id)
	return err
}

func reapFile(f *os.File, fi fs.FileInfo, path string, id [16]byte) (bool, error) {
	live, err := openLiveness(f, path, filepath.Dir(path), id)
	if err != nil {
		return false, ifExhausted(err)
	}
	defer live.close()
	gone := false
	_, err = live.ifAbandoned(func() error {
		gone = isAt(fi, path)
		return unlinkFile(fi, path)
	})
	return gone, err
}

// ifExhausted returns err if it is that no descriptor is left, which says
// nothing about the file, and else nil.
func ifExhausted(err error) error {
	if errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) {
		return err
	}
	return nil
}
