package process

import (
	"fmt"
	"strings"
	"syscall"
	"time"
)

// ExitError says how a process ended that did not end with exit code 0.
type ExitError struct {
	PID  int
	Name string

	// Code is the exit code; -N if signal N killed the process. A function
	// that returned an error has code 1, a Go panic or fatal error code 2.
	Code int

	// Signal is the signal that killed the process, or 0.
	Signal syscall.Signal

	// Err is the text of the error that the function returned, cut to 64 KiB.
	// Empty if it did not return one. If the process could not be waited for,
	// it says why, and Code means nothing.
	Err string

	// Crash is what the Go runtime printed when the process panicked or met a
	// fatal error: the reason and the stacks, cut to 64 KiB. It is on the
	// process's standard error too. The reason of a fatal error is only
	// there: Crash has it if StderrTail has.
	Crash string

	// StderrTail is the last of what was written to standard error, if
	// [Options].StderrTail says so.
	StderrTail string

	// OOM says that the process was killed by SIGKILL, not by this one, and
	// that the kernel's out-of-memory killer has killed some process of its
	// control group (or, where that is unknown, of the machine) since the
	// start, or in the second before: a hint, not a proof. Always false elsewhere than on Linux.
	OOM bool

	Rusage Rusage
}

// Rusage is what a process and those of its children that it waited for have used.
type Rusage struct {
	User, System time.Duration // processor time
	MaxRSS       int64         // largest resident set, bytes; 0 if unknown
}

// Error returns one line.
func (e *ExitError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "process %s (pid %d) ", e.Name, e.PID)
	if e.Signal != 0 {
		fmt.Fprintf(&b, "killed by signal %d (%v)", int(e.Signal), e.Signal)
	} else {
		fmt.Fprintf(&b, "ended with exit code %d", e.Code)
	}
	if e.OOM {
		b.WriteString(", perhaps for lack of memory")
	}
	switch {
	case e.Err != "":
		b.WriteString(": " + e.Err)
	case e.Crash != "":
		b.WriteString(": " + firstLine(strings.TrimLeft(e.Crash, "\n")))
	case e.StderrTail != "":
		b.WriteString(": … " + lastLine(e.StderrTail))
	}
	return b.String()
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}

func lastLine(s string) string {
	s = strings.TrimRight(s, "\n")
	return s[strings.LastIndexByte(s, '\n')+1:]
}

// withReason puts the reason of a fatal error before the text of the crash.
// The runtime prints it before it considers itself crashing, and so to
// standard error only; what it prints to the crash pipe starts with an empty line.
func withReason(crash, stderr string) string {
	i := strings.LastIndex(stderr, "fatal error: ")
	if i < 0 || !strings.HasPrefix(crash, "\n") {
		return crash
	}
	return firstLine(stderr[i:]) + "\n" + crash
}

// newExitError describes the end of p, which must have been waited for. If
// the wait failed, as it does when this process ignores SIGCHLD, the code is
// unknown: it is said to be 1, because success is not known either.
func (p *Process) newExitError() *ExitError {
	e := &ExitError{PID: p.pid, Name: p.name, Code: 1, Err: p.report, StderrTail: p.tail.String()}
	e.Crash = withReason(p.crashText, e.StderrTail)
	if p.state == nil {
		return e
	}
	e.Code = p.state.ExitCode()
	if ws, ok := p.state.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		e.Signal = ws.Signal()
		e.Code = -int(e.Signal)
	}
	e.OOM = e.Signal == syscall.SIGKILL && !p.killed.Load() && oomKills(p.ooms) > p.oom
	e.Rusage = Rusage{User: p.state.UserTime(), System: p.state.SystemTime(), MaxRSS: maxRSS(p.state)}
	return e
}
