package process

import (
	"errors"
	"fmt"
	"os"
)

// Errors of Start.
var (
	// ErrNoMain is returned when the program has not called [Main]: the child
	// would run the whole program again instead of the function. Nothing has
	// been started.
	ErrNoMain = errors.New("process.Main has not been called: call it first in main, and in TestMain")

	// ErrDepth is returned when the calling process is nested as deep as
	// [Options].MaxDepth allows. Nothing has been started.
	ErrDepth = errors.New("processes are nested too deep")

	// ErrHandshake is returned when the child ended, or [Options].StartTimeout
	// passed, before it had acknowledged its function and arguments. In the
	// first case the error holds an [*ExitError] too.
	ErrHandshake = errors.New("child did not acknowledge")

	// ErrMismatch is returned when the child is another program than its
	// parent: another build, another protocol, or other functions.
	ErrMismatch = errors.New("child is another program than its parent")
)

// Errors of a Process's methods.
var (
	// ErrAlive is returned by Close when the process has not ended.
	ErrAlive = errors.New("process is still running")

	// ErrClosed is returned by every method of a closed Process that returns
	// an error. It is [os.ErrClosed] too.
	ErrClosed = fmt.Errorf("process handle: %w", os.ErrClosed)
)

// Causes, as [context.Cause] gives them, for which the context of a function
// in a child is cancelled. They are [context.Canceled] in ctx.Err as usual.
var (
	// ErrTerminated: the parent called [Process.Terminate], or the context
	// that it gave to Start was cancelled.
	ErrTerminated = errors.New("process: terminated by its parent")

	// ErrParentDied: the parent process has ended.
	ErrParentDied = errors.New("process: parent has died")

	// ErrInterrupted: the child got SIGINT, as from ^C on the terminal.
	ErrInterrupted = errors.New("process: interrupted")
)
