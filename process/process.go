package process

import (
	"context"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
)

// Process is a child of this process. [Func].Start makes it.
//
// Its methods may be called by several goroutines at once. All but Wait
// return at once. One goroutine waits for the child from its start, so that it is
// reaped when it ends, whether or not anybody calls Wait or Close.
type Process struct {
	name   string
	pid    int
	daemon bool
	orphan bool
	group  bool // it leads a process group

	graceful // how it is ended

	proc    *os.Process
	control *os.File    // this end of the control socket
	crash   *os.File    // this end of the crash pipe
	feed    *os.File    // write end of its standard input, if we feed it
	tail    *tailBuffer // last of standard error, or nil
	ooms    string      // file that counts out-of-memory kills
	oom     int64       // that number at its start

	io      sync.WaitGroup // goroutines that read from the child
	writing sync.Mutex     // held to write its output to the user's writers

	answer       chan error // capacity 1: nil for ready, or why the child refused
	acknowledged atomic.Bool

	mu     sync.Mutex
	reaped bool        // its pid may be another's; set before done is closed
	closed bool        // by Close
	forget func() bool // ends the watch of Start's context
	seen   sample      // of State, the last time

	done chan struct{}
	// Written before done is closed, read after:
	report    string // the function's error
	crashText string
	state     *os.ProcessState // nil if the wait failed
	failure   *ExitError       // nil for exit code 0
}

// PID returns the process ID. After the process has ended it may be that of
// another.
func (p *Process) PID() int { return p.pid }

// Name returns [Options].Name.
func (p *Process) Name() string { return p.name }

// Daemon tells whether the process dies at once with this one.
func (p *Process) Daemon() bool { return p.daemon }

// Orphan tells whether the process may outlive this one.
func (p *Process) Orphan() bool { return p.orphan }

// String returns name and pid.
func (p *Process) String() string { return fmt.Sprintf("%s (pid %d)", p.name, p.pid) }

// Done returns a channel that is closed when the process has ended and its
// output has been copied: what it left is complete in Wait's error then.
func (p *Process) Done() <-chan struct{} { return p.done }

// Alive tells whether the process has not ended yet: Done is not closed.
func (p *Process) Alive() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// ExitCode returns the code with which the process ended, -N if signal N
// killed it. ok is false while it is alive.
func (p *Process) ExitCode() (code int, ok bool) {
	if p.Alive() {
		return 0, false
	}
	if p.failure == nil {
		return 0, true
	}
	return p.failure.Code, true
}

// Wait waits until the process has ended. It returns nil for exit code 0, an
// [*ExitError] for every other end, and an error that wraps ctx's if that is
// done before. A process that has ended is reported even with a context that
// is done. Wait may be called any number of times.
func (p *Process) Wait(ctx context.Context) error {
	if p.isClosed() {
		return fmt.Errorf("wait for process %v: %w", p, ErrClosed)
	}
	if p.Alive() {
		select {
		case <-p.done:
		case <-ctx.Done():
			return fmt.Errorf("wait for process %v: %w", p, ctx.Err())
		}
	}
	if p.failure == nil {
		return nil
	}
	return p.failure
}

// Close gives the handle up. It is an error that wraps [ErrAlive] while the
// process is alive. After Close, methods that return an error return
// [ErrClosed]; a second Close does nothing. A process that has ended holds
// only memory, so Close is good form, not a duty.
func (p *Process) Close() error {
	if p.Alive() {
		return fmt.Errorf("close process %v: %w", p, ErrAlive)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	return nil
}

func (p *Process) isClosed() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.closed
}
