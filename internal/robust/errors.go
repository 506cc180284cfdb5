package robust

import (
	"errors"

	"github.com/shmkit/shmkit/shm"
)

// Errors of the operations. Besides them they return their context's error.
var (
	// ErrOwnerDied is returned together with the lock when a process died, or
	// left, that held it exclusively: what the lock protects may be half done.
	ErrOwnerDied = errors.New("the lock's owner died")
	// ErrNotLocked is returned when a lock is unlocked that nobody holds.
	ErrNotLocked = errors.New("not locked")
	// ErrNotOwner is returned when somebody else holds the lock, or nobody does,
	// and the caller would have to.
	ErrNotOwner = errors.New("not the owner of the lock")
	// ErrReleased is returned when a bounded semaphore is released more often
	// than it was acquired, or another one beyond what can be counted.
	ErrReleased = errors.New("semaphore released too many times")
	// ErrBroken is returned by a barrier that was aborted, or reset while the
	// caller waited, or one of whose participants died or gave up.
	ErrBroken = errors.New("broken barrier")

	// ErrClosed is returned when the handle was closed.
	ErrClosed = shm.ErrClosed
	// ErrCorrupt is returned when the words in memory are impossible.
	ErrCorrupt = shm.ErrCorrupt
)
