//go:build portable || !linux

package shm

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/gofrs/flock"
)

// The portable engine: a slot is alive while its lock file, which stands hidden
// beside the segment, is locked with flock or what the platform has for it.
//
// A lock file is made by whoever wants the lock and removed before the lock is
// given back. So whoever has locked one looks whether it still is the one at
// its path, and starts again if not. What has to be seen as one step across
// several slots happens under the directory's lock.

const (
	engineFlags = flagFlock
	canMirror   = false
	keepFile    = true // Windows flushes the mapping through it

	lockPrefix = ".lock-"
)

// liveness is a handle's view of the slots' locks.
type liveness struct {
	dir  string
	id   [16]byte
	wait time.Duration // for the directory's lock

	mu    sync.Mutex
	locks map[int]*flock.Flock // those that this handle holds
}

func openLiveness(_ *os.File, _, dir string, id [16]byte) (*liveness, error) {
	return &liveness{dir: dir, id: id, locks: make(map[int]*flock.Flock)}, nil
}

// readLiveness opens the locks for [liveness.held] alone.
func readLiveness(f *os.File, path, dir string, id [16]byte) (*liveness, error) {
	return openLiveness(f, path, dir, id)
}

// prefix is what the names of the segment's lock files start with.
func (l *liveness) prefix() string { return fmt.Sprintf("%s%x-", lockPrefix, l.id) }

func (l *liveness) path(slot int) string {
	return filepath.Join(l.dir, fmt.Sprintf("%s%d", l.prefix(), slot))
}

// lockFile tries to lock the file at the path, which the flag may create. It
// returns nil if somebody else holds it.
func lockFile(path string, flag int) (*flock.Flock, error) {
	for {
		lock := flock.New(path, flock.SetFlag(flag))
		ok, err := lock.TryLock()
		if !ok {
			return nil, err
		}
		if fi, err := lock.Stat(); err == nil && isAt(fi, path) {
			return lock, nil
		}
		_ = lock.Unlock()
	}
}

// dropFile removes a locked lock file and gives the lock back, in this order,
// so that nobody else's file is removed; where open files can't be removed
// the other order is as safe.
func dropFile(lock *flock.Flock) {
	err := os.Remove(lock.Path())
	_ = lock.Unlock()
	if err != nil {
		_ = os.Remove(lock.Path())
	}
}

// tryLock tries to take the slot's lock, never waiting.
func (l *liveness) tryLock(slot int) (bool, error) {
	lock, err := lockFile(l.path(slot), os.O_CREATE|os.O_RDWR)
	if lock == nil {
		return false, err
	}
	l.mu.Lock()
	l.locks[slot] = lock
	l.mu.Unlock()
	return true, nil
}

// tryJoin is tryLock for a handle that has no slot yet: it must not come
// between [liveness.ifAbandoned] looking for locks and removing the segment.
func (l *liveness) tryJoin(slot int) (bool, error) {
	// Every join and every look at a slot takes this lock here, and it is not
	// fair: hundreds of processes that start at once need more time than usual.
	const forJoins = time.Minute
	wait := l.wait
	if wait == 0 {
		wait = forJoins
	}
	lock, err := lockDir(l.dir, wait)
	if err != nil {
		return false, err
	}
	defer lock.Unlock()
	return l.tryLock(slot)
}

func (l *liveness) unlock(slot int) {
	l.mu.Lock()
	lock := l.locks[slot]
	delete(l.locks, slot)
	l.mu.Unlock()
	if lock != nil {
		dropFile(lock)
	}
}

// held tells whether somebody else holds the slot's lock. It has to take the
// lock for a moment: under the directory's lock, so that nobody who looks for
// abandoned segments in this moment is misled.
func (l *liveness) held(slot int) (held, removing bool) {
	if dir, err := lockDir(l.dir, l.wait); err == nil {
		defer dir.Unlock()
	}
	lock, err := lockFile(l.path(slot), os.O_RDWR)
	if lock == nil {
		return !errors.Is(err, fs.ErrNotExist), false
	}
	_ = lock.Unlock()
	return false, false
}

// ifAbandoned calls remove if nobody holds a slot, with the directory locked,
// so that nobody can join meanwhile. The caller holds none.
func (l *liveness) ifAbandoned(remove func() error) (bool, error) {
	dir, err := lockDir(l.dir, l.wait)
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil // with its directory
	}
	if err != nil {
		return false, err
	}
	defer dir.Unlock()
	names, err := lockNames(l.dir, l.prefix())
	if err != nil {
		return false, err
	}
	var locks []*flock.Flock
	free := true
	for _, name := range names {
		lock, err := lockFile(filepath.Join(l.dir, name), os.O_RDWR)
		if lock != nil {
			locks = append(locks, lock)
		} else if !errors.Is(err, fs.ErrNotExist) { // it left just now if that is so
			free = false
			break
		}
	}
	if !free {
		for _, lock := range locks {
			_ = lock.Unlock()
		}
		return false, nil
	}
	err = remove()
	for _, lock := range locks {
		dropFile(lock)
	}
	return true, err
}

// close gives back what the handle still holds.
func (l *liveness) close() {
	for slot := range l.locks {
		l.unlock(slot)
	}
}

// lockNames returns the names in a directory that start with the prefix.
func lockNames(dir, prefix string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	var names []string
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), prefix) {
			names = append(names, e.Name())
		}
	}
	return names, err
}

// sweepLocks removes the lock files that nobody holds: of dead processes, whose
// segment may be gone. Whoever wants one makes it anew.
func sweepLocks(dir string) error {
	lock, err := lockDir(dir, 0)
	if err != nil {
		return err
	}
	defer lock.Unlock()
	names, err := lockNames(dir, lockPrefix)
	if err != nil {
		return err
	}
	for _, name := range names {
		id, _, ok := strings.Cut(strings.TrimPrefix(name, lockPrefix), "-")
		if _, valid := parseID(id); !ok || !valid {
			continue
		}
		if lock, _ := lockFile(filepath.Join(dir, name), os.O_RDWR); lock != nil {
			dropFile(lock)
		}
	}
	return nil
}
