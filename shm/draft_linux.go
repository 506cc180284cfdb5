//go:build linux && !portable

package shm

import (
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/shmkit/shmkit/internal/fault"
)

// A draft is a segment's file while it is being built, its slot 0 locked. It
// has no name, so that it vanishes with its creator, or, where that can't be
// had, a hidden one that [Dir.Sweep] cleans away when slot 0 is not locked.
type draft struct {
	f    *os.File
	live *liveness
	temp string // "" without a name
}

func newDraft(dir string, id [16]byte, mode fs.FileMode, named bool) (*draft, error) {
	if !named {
		if d, err := unnamedDraft(dir, id, mode); err == nil {
			return d, nil
		}
	}
	return namedDraft(dir, id, mode)
}

// unnamedDraft needs a file system that knows O_TMPFILE, and /proc for the
// second descriptor and the link.
func unnamedDraft(dir string, id [16]byte, mode fs.FileMode) (*draft, error) {
	fd, err := unix.Open(dir, unix.O_TMPFILE|unix.O_RDWR|unix.O_CLOEXEC, uint32(mode))
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), filepath.Join(dir, "(unnamed)"))
	return lockDraft(f, "", dir, id)
}

// namedDraft takes the lock of slot 0 a moment after the file has its name. A
// sweeper in between finds it unlocked and removes it: then there is no file
// at the name any more, and it starts again.
func namedDraft(dir string, id [16]byte, mode fs.FileMode) (*draft, error) {
	temp := tempPath(dir, id)
	for {
		f, err := os.OpenFile(temp, os.O_RDWR|os.O_CREATE|os.O_EXCL, mode)
		if err != nil {
			return nil, err
		}
		fault.Point("shm.create.draft")
		d, err := lockDraft(f, temp, dir, id)
		if err != nil {
			_ = os.Remove(temp)
			return nil, err
		}
		if d == nil {
			continue
		}
		if fi, err := f.Stat(); err != nil || !isAt(fi, temp) {
			d.discard()
			continue
		}
		return d, nil
	}
}

// lockDraft returns nil without an error when a sweeper holds the slots.
func lockDraft(f *os.File, temp, dir string, id [16]byte) (*draft, error) {
	live, err := openLiveness(f, temp, dir, id)
	if err != nil {
		f.Close()
		return nil, err
	}
	ok, err := live.tryLock(0)
	if !ok {
		live.close()
		f.Close()
		return nil, err
	}
	return &draft{f: f, live: live, temp: temp}, nil
}

// publish gives the finished file its name, which must not exist.
func (d *draft) publish(path string) error {
	if d.temp == "" {
		return unix.Linkat(unix.AT_FDCWD, procPath(d.f), unix.AT_FDCWD, path, unix.AT_SYMLINK_FOLLOW)
	}
	return os.Link(d.temp, path)
}

// settle ends the draft after its publication or failure: the temporary name goes.
func (d *draft) settle() {
	if d.temp != "" {
		_ = os.Remove(d.temp)
	}
}

// discard gives the draft up, with all that belongs to it.
func (d *draft) discard() {
	d.settle()
	d.live.close()
	d.f.Close()
}

// allocate really takes the space of n bytes of a new file from off on, and makes
// it that long, so that no access to the mapping can find the file system full,
// which is SIGBUS.
func allocate(f *os.File, off, n int64) error {
	err := fallocate(int(f.Fd()), 0, off, n)
	if err == unix.EOPNOTSUPP {
		err = writeZeros(f.WriteAt, off, n)
	}
	return noSpace(f, n, err)
}

// fallocate is fallocate(2), which signals interrupt.
func fallocate(fd int, mode uint32, off, n int64) error {
	for {
		if err := unix.Fallocate(fd, mode, off, n); err != unix.EINTR {
			return err
		}
	}
}
