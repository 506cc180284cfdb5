package shm

import (
	"fmt"
	"time"

	"github.com/gofrs/flock"
)

// dirLockWait is how long to wait for a directory's lock, unless the options
// say otherwise. Its holders keep it for some system calls, but one of them may
// be stopped, and there may be many who want it.
const dirLockWait = 10 * time.Second

// lockDir takes the lock of a directory, which everybody holds who removes a
// name from it. So between looking at the file behind a name and removing the
// name nobody can put another file there: creation only adds names. The
// kernel drops the lock of a process that dies. The error is [ErrBusy] when
// the lock can't be had in time; 0 is the usual time.
func lockDir(dir string, wait time.Duration) (*flock.Flock, error) {
	if wait == 0 {
		wait = dirLockWait
	}
	path, flag := dirLockFile(dir)
	l := flock.New(path, flock.SetFlag(flag))
	deadline := time.Now().Add(wait)
	for pause := 50 * time.Microsecond; ; pause = min(2*pause, 10*time.Millisecond) {
		ok, err := l.TryLock()
		if err != nil {
			return nil, fmt.Errorf("lock directory: %w", err)
		}
		if ok {
			return l, nil
		}
		if time.Now().After(deadline) {
			return nil, ErrBusy
		}
		time.Sleep(pause)
	}
}
