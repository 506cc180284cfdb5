package manager

import (
	"errors"

	"github.com/shmkit/shmkit/internal/arena"
	"github.com/shmkit/shmkit/internal/dict"
	"github.com/shmkit/shmkit/shm"
)

// Errors of this package. Those of managers as files are [shm.ErrExist],
// [shm.ErrNotExist] and the others of package shm. Every returned error is an
// [*Error] around one of these, or around the context's.
var (
	// ErrExist and ErrNotExist say whether there is an object, or a manager, of a name.
	ErrExist    = shm.ErrExist
	ErrNotExist = shm.ErrNotExist
	// ErrKind is returned when the name is that of an object of another kind, or the
	// file is no manager.
	ErrKind = shm.ErrKind
	// ErrType is returned when the object of that name holds other types.
	ErrType = shm.ErrType
	// ErrName is returned when an object's name is empty, longer than 128 bytes, or
	// not text.
	ErrName = shm.ErrName
	// ErrClosed is returned when the manager's handle has been closed.
	ErrClosed = shm.ErrClosed
	// ErrCorrupt is returned when the shared memory contradicts itself.
	ErrCorrupt = shm.ErrCorrupt
	// ErrNoSpace is returned when the memory of the manager, or the file system, is
	// used up. It is also [syscall.ENOSPC].
	ErrNoSpace = shm.ErrNoSpace
	// ErrTooLarge is returned for a key of more than 1 MiB or a value of more than
	// 4 GiB.
	ErrTooLarge = errors.New("key or value too large")
	// ErrNotFound is returned by operations that need an entry when there is none.
	ErrNotFound = errors.New("no such key")
	// ErrConflict is returned when others changed what a transaction or an update had
	// read, as often as it was tried.
	ErrConflict = errors.New("changed by others again and again")
	// ErrViewExpired is returned when a view lasted so long that its memory was given
	// to others: what was seen in it is not to be relied on.
	ErrViewExpired = errors.New("view expired")
)

// Error says which operation failed on which object.
type Error struct {
	Op     string // "get", "set", …
	Object string // the object's name, or the manager's
	Err    error
}

// Error returns "manager: op object: reason".
func (e *Error) Error() string { return "manager: " + e.Op + " " + e.Object + ": " + e.Err.Error() }

// Unwrap returns the reason.
func (e *Error) Unwrap() error { return e.Err }

// both is an error of a package below in the terms of this one. It is both.
type both struct {
	error
	also error
}

func (b both) Unwrap() []error { return []error{b.error, b.also} }

// wrap makes err an [*Error]; nil stays nil.
func wrap(op, object string, err error) error {
	if err == nil {
		return nil
	}
	for _, pair := range [...][2]error{
		{arena.ErrNoSpace, ErrNoSpace}, {arena.ErrTooLarge, ErrTooLarge}, {arena.ErrCorrupt, ErrCorrupt},
		{dict.ErrCorrupt, ErrCorrupt}, {dict.ErrTooLarge, ErrTooLarge}, {dict.ErrCrowded, ErrNoSpace}, {dict.ErrExpired, ErrViewExpired},
	} {
		if errors.Is(err, pair[0]) && !errors.Is(err, pair[1]) {
			err = both{err, pair[1]}
			break
		}
	}
	return &Error{Op: op, Object: object, Err: err}
}
