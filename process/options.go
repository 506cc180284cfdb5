package process

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

const (
	defaultGrace        = 2 * time.Second
	defaultStartTimeout = 30 * time.Second
	defaultMaxDepth     = 8
	defaultTail         = 64 << 10
)

// Options says how a process is started. A nil *Options and the zero value
// are the default. Start does not keep or change it.
type Options struct {
	// Name is for people: messages, [Process.Name], [Current], and on Linux
	// the command name that ps shows (its first 15 bytes). It need not be
	// unique. Empty: the function's name and a serial number, as "crunch-3".
	Name string

	// Env is the environment, as in [os/exec.Cmd]. Nil: the parent's. So
	// GOMAXPROCS, GODEBUG and GOMEMLIMIT pass on, unless they were changed
	// at run time only.
	Env []string

	// Dir is the working directory. Empty: the parent's.
	Dir string

	// Stdin is read by the child. Nil: the null device. An *os.File is passed
	// on as it is. From another reader a goroutine copies through a pipe; it
	// ends when the reader does, or at the first write after the child's end.
	Stdin io.Reader

	// Stdout and Stderr are written by the child. Nil: the parent's
	// [os.Stdout] and [os.Stderr] (the null device where those are closed).
	// An *os.File is passed on as it is. To another writer a goroutine of the
	// parent copies through a pipe, never to both at once; everything the
	// child has written is copied before Done, so a writer that blocks delays
	// it. Output that other programs write to the pipe after the child's end
	// is lost.
	Stdout, Stderr io.Writer

	// StderrTail is how many of the last bytes of standard error are kept
	// for [ExitError]. Zero: 64 KiB if Stderr is neither nil nor an *os.File,
	// so that the output passes through the parent anyway; else none: then
	// the child writes directly where the parent does, at no cost, sees a
	// terminal if there is one, and never waits for a stopped parent. A
	// positive number costs a pipe and a goroutine where there is none yet.
	// Negative: none. (The text of a Go panic or fatal error is always kept,
	// by another way, in ExitError.Crash.)
	StderrTail int

	// ExtraFiles are passed on: entry i is descriptor 4+i of the child, and
	// not passed on by the child to programs that it starts. Nothing else is
	// inherited, if it is opened close-on-exec, as package os does. Entries
	// must not be nil.
	ExtraFiles []*os.File

	// Daemon says that the child dies at once with its parent: its deferred
	// calls do not run. Children of a daemon are daemons. By default the
	// child's context is cancelled when its parent has died, and it ends
	// itself Grace later if its function has not returned by then.
	Daemon bool

	// Orphan lets the child go on when its parent has died: its context is not
	// cancelled then, and [ParentProcess].Done tells it. An orphan is no daemon,
	// even if the calling process is one. Not together with Daemon.
	Orphan bool

	// OwnGroup puts the child in a process group of its own. Signals of the
	// terminal (^C) don't reach it then, it can't read from the terminal,
	// and Terminate and Kill send their signals to the whole group, that is
	// also to programs that the child has started. By default it is in its
	// parent's group: ^C reaches both, and signals go to the child alone.
	OwnGroup bool

	// Grace is the time that [Process.Terminate] gives the child from the
	// cancellation of its context to SIGTERM, and that a child has to end itself
	// after its parent's death. Zero: 2 s. It must not be negative.
	Grace time.Duration

	// KillGrace is the time from SIGTERM to SIGKILL in [Process.Terminate].
	// Zero: Grace. It must not be negative.
	KillGrace time.Duration

	// StartTimeout bounds the time until the child has acknowledged. Zero:
	// 30 s. It must not be negative. It is an emergency brake for a program
	// that hangs before [Main]; a child that ends is noticed at once.
	StartTimeout time.Duration

	// MaxDepth is how deep processes may be nested, the child of the main
	// process being at depth 1. It holds for the child's own children too,
	// where those don't set another. Zero: the limit that holds for the
	// calling process, 8 in the main process.
	MaxDepth int

	// Share is the part of the calling process's GOMAXPROCS and of its memory
	// limit (GOMEMLIMIT, [debug.SetMemoryLimit]), where it has one, that the
	// child has as its own: 0.25 for each of four. GOMAXPROCS is rounded up.
	// Zero: what Env says. It must not be below 0 or above 1.
	Share float64

	// Procs is the child's GOMAXPROCS, whatever Share and Env say. Zero: what
	// they say. It must not be negative.
	Procs int

	// MemoryLimit is the child's soft memory limit (GOMEMLIMIT) in bytes,
	// whatever Share and Env say. Zero: what they say. It must not be negative.
	MemoryLimit int64

	// Nice is added to the calling process's nice value for the child, as nice(1)
	// does: 10 is for work in the background. Less than 0 needs a privilege.
	Nice int

	// CPUs are the numbers of the processors that the child may run on, counted
	// from 0. Its [runtime.NumCPU] and default GOMAXPROCS go by them. Empty:
	// those of the calling process. Linux only; elsewhere Start returns
	// [errors.ErrUnsupported].
	CPUs []int

	// Cgroup is the directory of a control group of version 2, as
	// "/sys/fs/cgroup/app/workers", in which the child is started; its limits
	// hold from the first instruction on. The group must exist, and the user
	// must be allowed to move processes to it. Empty: the calling process's.
	// Linux 5.7 or later only; elsewhere, and for a directory that is no such
	// group, Start returns [errors.ErrUnsupported].
	Cgroup string
}

func (o *Options) maxDepth(id *identity) int {
	if o == nil || o.MaxDepth == 0 {
		return id.maxDepth
	}
	return o.MaxDepth
}

// check returns the error of a field that is out of range.
func (o *Options) check() error {
	if o == nil {
		return nil
	}
	if o.Grace < 0 || o.KillGrace < 0 || o.StartTimeout < 0 || o.MaxDepth < 0 {
		return fmt.Errorf("options: negative Grace (%v), KillGrace (%v), StartTimeout (%v) or MaxDepth (%d)",
			o.Grace, o.KillGrace, o.StartTimeout, o.MaxDepth)
	}
	if o.Daemon && o.Orphan {
		return errors.New("options: Daemon and Orphan exclude each other")
	}
	if err := o.checkShare(); err != nil {
		return err
	}
	for i, f := range o.ExtraFiles {
		if f == nil {
			return fmt.Errorf("options: ExtraFiles[%d] is nil", i)
		}
	}
	if len(o.ExtraFiles) > maxExtraFiles {
		return errors.New("options: too many ExtraFiles")
	}
	return nil
}

// filled returns a copy with the defaults in place of zeros.
func (o *Options) filled(id *identity, name string) Options {
	var r Options
	if o != nil {
		r = *o
	}
	if r.Name == "" {
		r.Name = name
	}
	if r.Grace == 0 {
		r.Grace = defaultGrace
	}
	if r.KillGrace == 0 {
		r.KillGrace = r.Grace
	}
	if r.StartTimeout == 0 {
		r.StartTimeout = defaultStartTimeout
	}
	if r.StderrTail == 0 && !direct(r.Stderr) {
		r.StderrTail = defaultTail
	}
	r.MaxDepth = o.maxDepth(id)
	r.Daemon = r.Daemon || id.Daemon && !r.Orphan
	return r
}
