package pool

import (
	"errors"
	"fmt"
	"strings"
	"syscall"

	"github.com/shmkit/shmkit/ringqueue"
)

// Errors of a pool as a whole.
var (
	// ErrClosed is returned for tasks that are submitted after Close.
	ErrClosed = errors.New("pool is closed")

	// ErrTerminated is returned for tasks that were not finished when
	// Terminate was called, and for those that are submitted afterwards.
	ErrTerminated = errors.New("pool is terminated")

	// ErrRunning is returned by Join when the pool has been neither closed
	// nor terminated: it would wait for ever.
	ErrRunning = errors.New("pool is still running")

	// ErrWorkerStart is returned by New, and for every task that is not
	// finished, when workers end again and again before they are ready for
	// their first task. The pool has ended then.
	ErrWorkerStart = errors.New("workers can't be started")
)

// Errors of a task.
var (
	// ErrWorkerDied is what a [*WorkerError] wraps.
	ErrWorkerDied = errors.New("worker died")

	// ErrTooLarge is returned for an argument, or a result, that is larger
	// than a record of the pool's queues: a quarter of [Options].Capacity.
	ErrTooLarge = ringqueue.ErrTooLarge

	// ErrArgument is returned for an argument that the worker could not decode.
	ErrArgument = errors.New("argument can't be decoded")

	// ErrResult is returned for a result that the worker could not encode.
	ErrResult = errors.New("result can't be encoded")
)

// WorkerError is the error of a task whose worker died while it ran. The
// worker was replaced. It wraps [ErrWorkerDied].
type WorkerError struct {
	Func    string // name of the function
	Attempt int    // which run of the task this was: 1 without retries
	Worker  int    // which worker of the pool: they are counted from 1
	PID     int    // process ID that the worker had

	// ExitCode is the exit code; -N if signal N killed the worker.
	ExitCode int

	// Signal is the signal that killed the worker, or 0.
	Signal syscall.Signal

	// Crash is what the Go runtime printed when the worker panicked in another
	// goroutine, or met a fatal error: reason and stacks, cut to 64 KiB.
	Crash string

	// StderrTail is the last of what the worker wrote to standard error.
	StderrTail string

	// OOM is a hint that the kernel killed the worker for lack of memory.
	OOM bool
}

// Error returns one line.
func (e *WorkerError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "pool: %s: worker %d (pid %d) ", e.Func, e.Worker, e.PID)
	if e.Signal != 0 {
		fmt.Fprintf(&b, "killed by signal %d (%v)", int(e.Signal), e.Signal)
	} else {
		fmt.Fprintf(&b, "ended with exit code %d", e.ExitCode)
	}
	if e.OOM {
		b.WriteString(", perhaps for lack of memory")
	}
	fmt.Fprintf(&b, " in attempt %d", e.Attempt)
	if line, _, _ := strings.Cut(e.Crash, "\n"); line != "" {
		b.WriteString(": " + line)
	}
	return b.String()
}

// Unwrap returns [ErrWorkerDied].
func (e *WorkerError) Unwrap() error { return ErrWorkerDied }

// PanicError is the error of a task whose function panicked. The worker lives.
type PanicError struct {
	Func  string // name of the function
	Value string // the panic's value as text
	Stack string // of the goroutine that panicked
}

// Error returns one line: the value, without the stack.
func (e *PanicError) Error() string { return fmt.Sprintf("pool: %s: panic: %s", e.Func, e.Value) }

// RemoteError is an error that comes from a worker as text. It wraps nothing if
// the function returned it, and else [ErrArgument], [ErrResult] or [ErrTooLarge].
type RemoteError struct {
	Func string // name of the function
	Text string // what the error said, cut to 16 KiB
	Err  error  // nil: the function returned the error
}

// Error returns the text.
func (e *RemoteError) Error() string { return fmt.Sprintf("pool: %s: %s", e.Func, e.Text) }

// Unwrap returns Err.
func (e *RemoteError) Unwrap() error { return e.Err }

// MapError is the error of a Map of which some items failed.
type MapError struct {
	Func   string // name of the function
	Failed int    // how many items
	Index  int    // of the first of them
	Err    error  // of the first of them
}

// Error returns the first item's error, and how many more there are.
func (e *MapError) Error() string {
	s := fmt.Sprintf("pool: map %s: item %d: %v", e.Func, e.Index, e.Err)
	if e.Failed > 1 {
		s += fmt.Sprintf(" (and %d more)", e.Failed-1)
	}
	return s
}

// Unwrap returns the first item's error.
func (e *MapError) Unwrap() error { return e.Err }
