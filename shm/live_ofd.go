//go:build linux && !portable

package shm

import (
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// The Linux engine: a slot is alive while its byte of the segment's file is
// locked. The lock belongs to an open file description that only this handle's
// lock descriptor refers to: it is never mapped (a mapping would keep the
// description, and so the lock, beyond the descriptor) and it is closed on
// exec. So the kernel drops the lock when the process is gone, however and in
// whatever PID namespace it died, and keeps it while the process is stopped.

const (
	engineFlags = 0
	canMirror   = true
	keepFile    = false // the mapping does without its descriptor

	// lockBase is the byte of slot 0: beyond any file's size, so that the locks
	// are never in the way of anybody's data.
	lockBase = 1 << 62
)

// liveness is a handle's view of the slots' locks.
type liveness struct {
	fd   int
	dir  string
	wait time.Duration // for the directory's lock
}

// openLiveness opens the lock descriptor of the file f, which has the given
// path: through /proc, else by the path if that still is the same file.
func openLiveness(f *os.File, path, dir string, _ [16]byte) (*liveness, error) {
	const flags = unix.O_RDWR | unix.O_CLOEXEC
	fd, err := openFD(procPath(f), flags)
	if err != nil && path != "" {
		fd, err = openFD(path, flags|unix.O_NOFOLLOW)
	}
	if err != nil {
		return nil, fmt.Errorf("open lock descriptor: %w", err)
	}
	var a, b unix.Stat_t
	err = errors.Join(unix.Fstat(int(f.Fd()), &a), unix.Fstat(fd, &b))
	if err == nil && (a.Dev != b.Dev || a.Ino != b.Ino) {
		err = ErrNotExist // replaced meanwhile
	}
	if err != nil {
		unix.Close(fd)
		return nil, err
	}
	return &liveness{fd: fd, dir: dir}, nil
}

// readLiveness opens the locks for [liveness.held] alone, without writing.
func readLiveness(f *os.File, path, dir string, _ [16]byte) (*liveness, error) {
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	return &liveness{fd: fd, dir: dir}, nil
}

func procPath(f *os.File) string { return fmt.Sprintf("/proc/self/fd/%d", f.Fd()) }

func openFD(path string, flags int) (int, error) {
	for {
		fd, err := unix.Open(path, flags, 0)
		if err != unix.EINTR {
			return fd, err
		}
	}
}

// set applies a lock operation to n bytes from that of the slot; n 0 means all
// bytes from there on.
func (l *liveness) set(kind int16, slot, n int) error {
	lk := unix.Flock_t{Type: kind, Whence: unix.SEEK_SET, Start: lockBase + int64(slot), Len: int64(n)}
	return unix.FcntlFlock(uintptr(l.fd), unix.F_OFD_SETLK, &lk)
}

// tryLock tries to take the slot's lock, never waiting. For a slot whose
// lock this handle holds it succeeds, and the unlock that follows would end the
// handle's own life: callers keep away from their own slot.
func (l *liveness) tryLock(slot int) (bool, error) {
	err := l.set(unix.F_WRLCK, slot, 1)
	if err == unix.EAGAIN || err == unix.EACCES {
		return false, nil
	}
	return err == nil, err
}

// tryJoin is tryLock for a handle that has no slot yet.
func (l *liveness) tryJoin(slot int) (bool, error) { return l.tryLock(slot) }

func (l *liveness) unlock(slot int) { _ = l.set(unix.F_UNLCK, slot, 1) }

// held tells whether somebody else holds the slot's lock, and whether it is
// somebody who holds all of them to remove the segment.
func (l *liveness) held(slot int) (held, removing bool) {
	lk := unix.Flock_t{Type: unix.F_WRLCK, Whence: unix.SEEK_SET, Start: lockBase + int64(slot), Len: 1}
	if unix.FcntlFlock(uintptr(l.fd), unix.F_OFD_GETLK, &lk) != nil {
		return true, false
	}
	return lk.Type != unix.F_UNLCK, lk.Type != unix.F_UNLCK && lk.Len == 0
}

// ifAbandoned calls remove if nobody holds a slot, with all slots and the
// directory locked, so that nobody can join meanwhile. The caller holds none.
//
// It is one lock over all slots' bytes: the kernel grants all or nothing.
func (l *liveness) ifAbandoned(remove func() error) (bool, error) {
	if err := l.set(unix.F_WRLCK, 0, 0); err != nil {
		if err == unix.EAGAIN || err == unix.EACCES {
			err = nil
		}
		return false, err
	}
	// Closing would do, but for the copies that a child has between fork and exec.
	defer l.set(unix.F_UNLCK, 0, 0)
	lock, err := lockDir(l.dir, l.wait)
	if errors.Is(err, os.ErrNotExist) {
		return true, nil // with its directory
	}
	if err != nil {
		return false, err
	}
	defer lock.Unlock()
	return true, remove()
}

func (l *liveness) close() { unix.Close(l.fd) }

// sweepLocks removes what the engine's locks left in the directory: nothing here.
func sweepLocks(string) error { return nil }
