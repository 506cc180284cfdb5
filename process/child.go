package process

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"
)

// Exit codes of a child, beside those of its function.
const (
	exitError   = 1 // the function returned an error, or called runtime.Goexit
	exitRefused = 2 // the child could not do what it was started for
	exitOrphan  = 3 // the parent died, and the function did not return in time
)

// Main must be called first in main, and in TestMain: before flags are
// parsed, files are opened and goroutines started.
//
// In a child it runs the child's function and does not return. Otherwise it
// returns at once. Calls after the first do nothing.
func Main() {
	if self.Load() != nil {
		return
	}
	value, ok := os.LookupEnv(markerName)
	if !ok {
		self.Store(&identity{
			Info:     Info{PID: os.Getpid(), Name: "main"},
			maxDepth: defaultMaxDepth,
			build:    build(), table: functions.sum(),
		})
		return
	}
	os.Unsetenv(markerName)
	c, err := join(value)
	if err != nil {
		fmt.Fprintf(os.Stderr, "process: child %d: %v\n", os.Getpid(), err)
		os.Exit(exitRefused)
	}
	c.run()
}

// child is this process, as a child.
type child struct {
	name    string
	grace   time.Duration
	daemon  bool
	orphan  bool
	control *os.File
	parent  *ParentProcess
	call    func(context.Context) error
	ctx     context.Context // the function's
	cancel  context.CancelCauseFunc
}

// join takes the inherited descriptors and the parent's hello.
func join(value string) (*child, error) {
	var m marker
	if err := m.parse(value); err != nil {
		return nil, err
	}
	control, err := adopt(controlFD, "control socket")
	if err != nil {
		return nil, err
	}
	adoptCrashPipe(m.crashFD)
	c := &child{control: control}
	c.ctx, c.cancel = context.WithCancelCause(context.Background())
	c.catchInterrupt()
	if err := c.accept(m.depth); err != nil {
		c.send(msgRefuse, refusalOf(err))
		return nil, err
	}
	return c, nil
}

// accept reads the hello, checks it and decodes the arguments.
func (c *child) accept(depth int) error {
	kind, payload, err := readFrame(c.control, math.MaxInt64)
	if err != nil {
		return err
	}
	var h hello
	if kind != msgStart {
		return fmt.Errorf("%w: kind %d before start", errProtocol, kind)
	}
	if err := h.parse(payload); err != nil {
		return err
	}
	ours, table, f := build(), functions.sum(), functions.find(h.fn)
	switch {
	case h.build != ours:
		return fmt.Errorf("%w: other build", ErrMismatch)
	case f == nil:
		return fmt.Errorf("%w: function %q is not registered", ErrMismatch, h.fn)
	case h.table != table:
		return fmt.Errorf("%w: other functions are registered", ErrMismatch)
	}
	if c.call, err = f.bind(h.sum, h.args); err != nil {
		return err
	}
	closeOnExec(controlFD+1, h.extraFiles)
	setCommand(h.name)
	if h.piped {
		// The pipe breaks when the parent dies. That must not kill a child
		// that is told so in a gentler way and may have things to say.
		signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	}
	if h.logLevel != logLevel() {
		slog.SetLogLoggerLevel(h.logLevel)
	}
	c.name, c.grace, c.daemon, c.orphan = h.name, h.grace, h.daemon, h.orphan
	c.parent = &ParentProcess{pid: h.parentPID, name: h.parentName, done: make(chan struct{})}
	self.Store(&identity{
		Info:     Info{PID: os.Getpid(), Name: h.name, Func: h.fn, Daemon: h.daemon, Orphan: h.orphan, Depth: depth},
		maxDepth: h.maxDepth,
		parent:   c.parent,
		build:    ours, table: table,
	})
	return nil
}

// run runs the function and ends the process.
func (c *child) run() {
	writeFrame(c.control, msgReady, nil, nil) // does not wait: it is the first
	go c.obey()

	defer func() {
		// Reached by a return, by runtime.Goexit and by a panic. The panic
		// must go on untouched: recovering it would cost the crash text.
		if calledGoexit() {
			c.fail(errors.New("function called runtime.Goexit"))
		}
	}()
	err := c.call(c.ctx)
	if err == nil {
		os.Exit(0)
	}
	if sig := asked(c.ctx, err); sig != 0 {
		c.sendReport(err)
		raise(sig)
	}
	c.fail(err)
}

// obey takes the parent's messages until it dies, and then ends the process,
// unless it is an orphan.
func (c *child) obey() {
	for {
		kind, _, err := readFrame(c.control, 0)
		if err != nil {
			break
		}
		if kind == msgStop {
			c.cancel(ErrTerminated)
		}
	}
	close(c.parent.done)
	if c.orphan {
		return
	}
	if c.daemon {
		os.Exit(exitOrphan)
	}
	c.cancel(ErrParentDied)
	time.Sleep(c.grace)
	fmt.Fprintf(os.Stderr, "process: %s (pid %d): parent has died, and the function has not returned within %v\n", c.name, os.Getpid(), c.grace)
	os.Exit(exitOrphan)
}

// catchInterrupt makes the first SIGINT cancel the context. The next one
// kills, as without us. A process that ignores SIGINT (nohup, or & in a shell
// script) goes on ignoring it.
func (c *child) catchInterrupt() {
	if signal.Ignored(os.Interrupt) {
		return
	}
	interrupts := make(chan os.Signal, 1)
	signal.Notify(interrupts, os.Interrupt)
	go func() {
		<-interrupts
		signal.Stop(interrupts)
		c.cancel(ErrInterrupted)
	}()
}

// asked returns the signal that stands for the reason why ctx is cancelled,
// if err is that reason.
func asked(ctx context.Context, err error) syscall.Signal {
	cause := context.Cause(ctx)
	if cause == nil || !errors.Is(err, cause) && !errors.Is(err, ctx.Err()) {
		return 0
	}
	if errors.Is(cause, ErrInterrupted) {
		return syscall.SIGINT
	}
	return syscall.SIGTERM
}

// fail ends the process for an error of its function.
func (c *child) fail(err error) {
	c.sendReport(err)
	fmt.Fprintf(os.Stderr, "process: %s (pid %d): %v\n", c.name, os.Getpid(), err)
	os.Exit(exitError)
}

func (c *child) sendReport(err error) {
	text := err.Error()
	c.send(msgReport, []byte(text[:min(len(text), maxReport)]))
}

// send writes a message. It fails if the parent has died, which obey learns
// too. It does not wait long for a parent that is stopped: the messages of a
// child's life fit in the socket's buffer.
func (c *child) send(kind message, payload []byte) {
	c.control.SetWriteDeadline(time.Now().Add(time.Second))
	writeFrame(c.control, kind, payload, nil)
}

// calledGoexit tells, in a deferred function that calls it, whether that is
// run by runtime.Goexit. (It is run by runtime.gopanic in a panic.)
func calledGoexit() bool {
	var pc [1]uintptr
	n := runtime.Callers(3, pc[:]) // above Callers, this, and the deferred function
	f, _ := runtime.CallersFrames(pc[:n]).Next()
	return f.Function == "runtime.Goexit"
}

// refusalOf and refusal carry an error from the child to its parent, which
// knows ErrMismatch again.
func refusalOf(err error) []byte {
	b := []byte{flag(errors.Is(err, ErrMismatch))}
	return append(b, err.Error()...)
}

func refusal(b []byte) error {
	if len(b) == 0 {
		return errProtocol
	}
	text := string(b[1:])
	if b[0] != 0 {
		return &refusedError{text, ErrMismatch}
	}
	return &refusedError{text, ErrHandshake}
}

// refusedError is an error that came from the child as text.
type refusedError struct {
	text string
	kind error
}

func (e *refusedError) Error() string { return "child refused: " + e.text }
func (e *refusedError) Unwrap() error { return e.kind }
