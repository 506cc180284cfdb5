package ringqueue

import (
	"errors"
	"fmt"

	"github.com/shmkit/shmkit/shm"
)

// Errors of operations. Each returned error is an [*Error] that wraps one of
// these, or one of the codec's, and names the operation and the queue.
var (
	// ErrFull is returned when there is no room, or MaxItems are queued.
	ErrFull = errors.New("queue is full")

	// ErrEmpty is returned when there is nothing to take.
	ErrEmpty = errors.New("queue is empty")

	// ErrTooLarge is returned for a record larger than MaxRecord.
	ErrTooLarge = errors.New("record too large")

	// ErrShutdown is returned by puts after Shutdown, and by gets when the
	// queue is shut down and nothing is left to take.
	ErrShutdown = errors.New("queue is shut down")

	// ErrRoleTaken is returned by puts (gets) on a queue created with
	// SingleProducer (SingleConsumer) while another handle has that role.
	ErrRoleTaken = errors.New("role is taken by another handle")

	// ErrTaskDone is returned by TaskDone when no item that was taken is
	// waiting to be done.
	ErrTaskDone = errors.New("TaskDone called more often than items were taken")

	// ErrDone is returned when a reservation, lease or delivery is used after
	// it was ended.
	ErrDone = errors.New("already ended")
)

// errUnfinished is what a Join that gave up says.
var errUnfinished = errors.New("items are not done")

func isShutdown(err error) bool { return errors.Is(err, ErrShutdown) }

// Errors of opening and of handles, the same as package shm's.
var (
	ErrClosed   = shm.ErrClosed
	ErrCorrupt  = shm.ErrCorrupt
	ErrExist    = shm.ErrExist
	ErrNotExist = shm.ErrNotExist
	ErrKind     = shm.ErrKind
	ErrType     = shm.ErrType
	ErrLayout   = shm.ErrLayout
	ErrNoSpace  = shm.ErrNoSpace
)

// An Error says which operation failed on which queue, and why. When the
// operation was waiting and its context ended, Cause is the context's error,
// and errors.Is finds both.
type Error struct {
	Op    string // "put", "get", …
	Queue string // the queue's name
	Err   error
	Cause error // context.DeadlineExceeded, context.Canceled or nil
}

func (e *Error) Error() string {
	if e.Cause != nil {
		return fmt.Sprintf("ringqueue: %s %s: %v: %v", e.Op, e.Queue, e.Err, e.Cause)
	}
	return fmt.Sprintf("ringqueue: %s %s: %v", e.Op, e.Queue, e.Err)
}

// Unwrap returns Err, and Cause if there is one.
func (e *Error) Unwrap() []error {
	if e.Cause != nil {
		return []error{e.Err, e.Cause}
	}
	return []error{e.Err}
}
