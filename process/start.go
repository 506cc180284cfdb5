package process

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"time"
)

// serial numbers the children of this process, for their default names.
var serial atomic.Uint64

// start starts a child and hands it h. The caller has filled in the function
// and its arguments.
func start(ctx context.Context, id *identity, h hello, opts *Options) (*Process, error) {
	o := opts.filled(id, fmt.Sprintf("%s-%d", h.fn, serial.Add(1)))
	p := &Process{
		name:     o.Name,
		daemon:   o.Daemon,
		group:    o.OwnGroup,
		orphan:   o.Orphan,
		graceful: graceful{grace: o.Grace, killGrace: o.KillGrace},
		answer:   make(chan error, 1),
		done:     make(chan struct{}),
		tail:     newTail(o.StderrTail),
	}
	piped, err := p.spawn(&o, id)
	if err != nil {
		return nil, err
	}
	h.build, h.table = id.build, id.table
	h.name, h.parentName, h.parentPID = o.Name, id.Name, id.PID
	h.grace, h.maxDepth, h.extraFiles = o.Grace, o.MaxDepth, len(o.ExtraFiles)
	h.daemon, h.orphan, h.piped, h.logLevel = o.Daemon, o.Orphan, piped, logLevel()
	if err := p.handshake(ctx, &h, o.StartTimeout); err != nil {
		return nil, err
	}
	p.terminateWith(ctx)
	return p, nil
}

// spawn makes the descriptors, starts the program and the goroutines that
// serve it. It reports whether the child's output goes through this process.
func (p *Process) spawn(o *Options, id *identity) (piped bool, err error) {
	// Looked at before there are new descriptors: those may get the numbers of
	// standard streams that this process has closed.
	stdout, stderr := o.Stdout, o.Stderr
	if stdout == nil {
		stdout = usable(os.Stdout)
	}
	if stderr == nil {
		stderr = usable(os.Stderr)
	}

	var f files
	defer func() { f.finish(err) }()

	control, childControl, err := socketPair()
	if err != nil {
		return false, err
	}
	p.control = f.ours(control)
	f.theirs(childControl)
	// Nobody reads the crash pipe while the child lives. So a crashing child
	// never waits for its parent; what exceeds the pipe (64 KiB) is lost.
	crash, childCrash, err := os.Pipe()
	if err != nil {
		return false, err
	}
	p.crash = f.ours(crash)
	f.theirs(childCrash)

	cmd := &exec.Cmd{Path: executable(), Args: os.Args, Dir: o.Dir, Env: o.Env}
	cmd.Env = append(append(cmd.Environ(), o.settings()...), marker{id.Depth + 1, controlFD + 1 + len(o.ExtraFiles), id.PID}.setting())
	cmd.ExtraFiles = append(append([]*os.File{childControl}, o.ExtraFiles...), childCrash)
	pidfd := -1
	cmd.SysProcAttr = sysProcAttr(o.OwnGroup, &pidfd)

	feed, err := f.stdin(cmd, o.Stdin)
	if err != nil {
		return false, err
	}
	var outputs []output
	if direct(stdout) {
		cmd.Stdout = stdout
	} else if cmd.Stdout, err = f.output(&outputs, &p.writing, stdout); err != nil {
		return false, err
	}
	if direct(stderr) && p.tail == nil {
		cmd.Stderr = stderr
	} else if cmd.Stderr, err = f.output(&outputs, &p.writing, tee(stderr, p.tail)); err != nil {
		return false, err
	}

	if err := startPlaced(cmd, o); err != nil {
		return false, err
	}
	p.proc = cmd.Process
	p.pid = cmd.Process.Pid
	watchers.born(p)
	if feed != nil {
		p.feed = feed
		go func() {
			io.Copy(feed, o.Stdin)
			feed.Close()
		}()
	}
	replies := newLastReader(control)
	p.io.Go(func() { p.listen(replies) })
	for _, out := range outputs {
		p.io.Go(out.copy)
	}
	go p.reap(pidfd, replies, outputs, o.Cgroup)
	return len(outputs) > 0, nil
}

// handshake hands the child its work and waits for the answer. If it returns
// an error the child has ended.
func (p *Process) handshake(ctx context.Context, h *hello, timeout time.Duration) error {
	timer := time.AfterFunc(timeout, func() { p.Kill() })
	stop := context.AfterFunc(ctx, func() { p.Kill() })
	// The write can block while the child does not read. It fails when the
	// child has ended, and that is seen below.
	writeFrame(p.control, msgStart, h.appendHead(nil), h.args)
	var err error
	select {
	case err = <-p.answer:
	case <-p.done:
		select {
		case err = <-p.answer: // it has answered, and ended since
		default:
			err = p.neverAnswered()
		}
	}
	late, cancelled := !timer.Stop(), !stop()
	if err == nil && !late && !cancelled {
		return nil
	}
	p.Kill() // a child that refuses ends itself; this is in case it can't
	<-p.done
	switch {
	case cancelled:
		return ctx.Err()
	case late:
		return fmt.Errorf("%w within %v; does main call process.Main before anything that takes long?", ErrHandshake, timeout)
	}
	return err
}

// neverAnswered describes a child that ended before it answered.
func (p *Process) neverAnswered() error {
	exit := p.failure
	if exit == nil { // code 0 is a failure here
		exit = p.newExitError()
	}
	return fmt.Errorf("%w: it ended first; does main call process.Main before everything else? %w", ErrHandshake, exit)
}

// terminateWith makes the cancellation of ctx terminate the process.
func (p *Process) terminateWith(ctx context.Context) {
	stop := context.AfterFunc(ctx, func() { p.Terminate() })
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.reaped {
		stop()
		return
	}
	p.forget = stop
}

// files keeps account of descriptors while a child is being started.
type files struct {
	parent, child []*os.File
}

func (f *files) ours(file *os.File) *os.File {
	f.parent = append(f.parent, file)
	return file
}

func (f *files) theirs(file *os.File) *os.File {
	f.child = append(f.child, file)
	return file
}

// finish closes the child's files, and after an error this side's too.
func (f *files) finish(err error) {
	for _, file := range f.child {
		file.Close()
	}
	if err == nil {
		return
	}
	for _, file := range f.parent {
		file.Close()
	}
}

// stdin sets the command's standard input, and returns the pipe to feed if
// there is one.
func (f *files) stdin(cmd *exec.Cmd, r io.Reader) (*os.File, error) {
	if file, ok := r.(*os.File); ok || r == nil {
		if ok {
			cmd.Stdin = file
		}
		return nil, nil
	}
	pr, pw, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	cmd.Stdin = f.theirs(pr)
	return f.ours(pw), nil
}

// output makes a pipe whose bytes will be copied to w, and returns the
// child's end.
func (f *files) output(all *[]output, writing *sync.Mutex, w io.Writer) (*os.File, error) {
	pr, pw, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	*all = append(*all, output{from: newLastReader(f.ours(pr)), to: w, writing: writing})
	return f.theirs(pw), nil
}

// direct tells whether a child can have w itself.
func direct(w io.Writer) bool {
	_, ok := w.(*os.File)
	return ok || w == nil
}

// usable returns file, or nil if it is closed: a closed standard descriptor
// of this process must not keep it from starting others.
func usable(file *os.File) io.Writer {
	if file == nil || !isOpen(file) {
		return nil
	}
	return file
}
