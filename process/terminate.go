package process

import (
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// graceful is the part of a Process that ends it.
type graceful struct {
	grace     time.Duration // from the message to SIGTERM
	killGrace time.Duration // from SIGTERM to SIGKILL
	ladder    sync.Once
	killed    atomic.Bool // by us: SIGKILL was not the system's idea
}

// Signal sends sig to the process: to it alone, even if it leads a group. If
// it has ended the error wraps [os.ErrProcessDone]. The PID is never taken
// for that of another process.
func (p *Process) Signal(sig os.Signal) error {
	if p.isClosed() {
		return fmt.Errorf("signal process %v: %w", p, ErrClosed)
	}
	if err := p.proc.Signal(sig); err != nil {
		return fmt.Errorf("signal process %v: %w", p, err)
	}
	return nil
}

// Terminate asks the process to end, and makes sure that it does: at once its
// function's context is cancelled; if that has not ended it within
// [Options].Grace it gets SIGTERM, and SIGKILL a KillGrace later; these two
// go to its whole group if it has its own. Terminate does not wait for any of
// this: Done tells. A second call, and one after the end, does nothing.
func (p *Process) Terminate() error {
	if p.isClosed() {
		return fmt.Errorf("terminate process %v: %w", p, ErrClosed)
	}
	if p.Alive() {
		p.ladder.Do(func() { go p.climb() })
	}
	return nil
}

// climb takes the steps of Terminate until the process has ended.
func (p *Process) climb() {
	steps := []struct {
		take  func()
		grace time.Duration
	}{
		{func() { writeFrame(p.control, msgStop, nil, nil) }, p.grace},
		{func() { p.signalAll(syscall.SIGTERM) }, p.killGrace},
		{func() { p.Kill() }, 0},
	}
	if !p.acknowledged.Load() {
		steps = steps[1:] // nobody listens, and Start is using the socket
	}
	for _, s := range steps {
		s.take()
		select {
		case <-p.done:
			return
		case <-time.After(s.grace):
		}
	}
}

// Kill sends SIGKILL to the process, and to its whole group if it has its
// own. It does not wait for the end. If the process has ended, Kill does
// nothing.
func (p *Process) Kill() error {
	if p.isClosed() {
		return fmt.Errorf("kill process %v: %w", p, ErrClosed)
	}
	p.killed.Store(true)
	if err := p.signalAll(syscall.SIGKILL); err != nil {
		return fmt.Errorf("kill process %v: %w", p, err)
	}
	return nil
}

// signalAll sends sig to the process or its group.
func (p *Process) signalAll(sig syscall.Signal) error {
	// Under the lock the pid stays the child's: reap takes it too.
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.reaped {
		return nil
	}
	if p.group {
		return signalGroup(p.pid, sig)
	}
	if err := p.proc.Signal(sig); err != nil && err != os.ErrProcessDone {
		return err
	}
	return nil
}
