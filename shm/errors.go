package shm

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

// Errors of this package. Every returned error is an [*Error] around one of
// these, or around an error of the operating system.
var (
	// ErrExist is returned when a segment of that name exists already. It is also [fs.ErrExist].
	ErrExist error = &sentinel{"segment exists", fs.ErrExist}
	// ErrNotExist is returned when there is no segment of that name, when nobody
	// held it any more, or when a handle's segment has been replaced by another
	// one of the same name. It is also [fs.ErrNotExist].
	ErrNotExist error = &sentinel{"no such segment", fs.ErrNotExist}
	// ErrName is returned when a name is not 1 to 128 of A-Z a-z 0-9 . _ - or
	// starts with a dot, and when the text of a handle is not one.
	ErrName = errors.New("invalid name")
	// ErrKind is returned when the segment holds another kind of structure.
	ErrKind = errors.New("wrong kind")
	// ErrType is returned when the segment holds elements of another type.
	ErrType = errors.New("wrong element type")
	// ErrLayout is returned when the segment's kind has another layout version.
	ErrLayout = errors.New("wrong layout")

	// ErrFormat is returned when the file does not start with the magic number.
	ErrFormat = errors.New("not a shmkit segment")
	// ErrVersion is returned when the file has another version of the segment format.
	ErrVersion = errors.New("wrong format version")
	// ErrEndian is returned when the file was made by a machine of the other byte order.
	ErrEndian = errors.New("wrong byte order")
	// ErrSize is returned when a size is out of range: the size asked for, that
	// of a truncated file, or one in the header that contradicts the file's.
	ErrSize = errors.New("wrong size")
	// ErrCorrupt is returned when the file's contents are impossible.
	ErrCorrupt = errors.New("corrupt segment")
	// ErrRebooted is returned when the file was made before the machine last
	// started: no process of its time is left to have finished its work.
	ErrRebooted = errors.New("segment is from before the last reboot")

	// ErrOwner is returned when the file or its directory belongs to another user.
	ErrOwner = errors.New("wrong owner")
	// ErrMode is returned when group or others may write to the file or its
	// directory, and Options.Mode does not ask for that.
	ErrMode = errors.New("unsafe permissions")
	// ErrLink is returned when the path is a symbolic link or not a regular file.
	ErrLink = errors.New("not a regular file")
	// ErrFilesystem is returned when the directory is on a network or FUSE file
	// system, where neither locks nor shared mappings can be relied on.
	ErrFilesystem = errors.New("unsuitable file system")
	// ErrNoSpace is returned when the file system has no room for the segment.
	// It is also [syscall.ENOSPC].
	ErrNoSpace error = &sentinel{"not enough space", syscall.ENOSPC}
	// ErrNoSlots is returned when as many handles as the segment has slots are open.
	ErrNoSlots = errors.New("all process slots are taken")
	// ErrClosed is returned when the handle has been closed. It is also [os.ErrClosed].
	ErrClosed error = &sentinel{"segment handle is closed", os.ErrClosed}
	// ErrBusy is returned when the directory's lock could not be had in time:
	// the process that holds it may be stopped.
	ErrBusy = errors.New("directory is locked by another process")
	// ErrUnsupported is returned when this platform or build can't do what is
	// asked for or what the segment needs. It is also [errors.ErrUnsupported].
	ErrUnsupported error = &sentinel{"unsupported here", errors.ErrUnsupported}
)

// A sentinel is an error that is also another, more general one.
type sentinel struct {
	text string
	also error
}

func (s *sentinel) Error() string { return s.text }
func (s *sentinel) Unwrap() error { return s.also }

// Error says which operation failed on which segment.
type Error struct {
	Op   string // "create", "open", "remove", …
	Path string // the file; the name or handle alone where it is not a valid one
	Err  error
}

// Error returns "shm: op path: reason".
func (e *Error) Error() string { return "shm: " + e.Op + " " + e.Path + ": " + e.Err.Error() }

// Unwrap returns the reason.
func (e *Error) Unwrap() error { return e.Err }

// wrap makes err an [*Error]; nil stays nil. The operating system's path
// errors lose their path, which would be said twice.
func wrap(op, path string, err error) error {
	if err == nil {
		return nil
	}
	switch e := err.(type) {
	case *fs.PathError:
		err = e.Err
	case *os.LinkError:
		err = e.Err
	}
	switch err {
	case syscall.ENOENT:
		err = ErrNotExist
	case syscall.EEXIST:
		err = ErrExist
	}
	return &Error{Op: op, Path: path, Err: err}
}
