package main

import (
	"os"
	"sync"

	"github.com/shmkit/shmkit/process"
)

// A chair is where one process sits after the other.
type chair struct {
	mu     sync.Mutex
	proc   *process.Process // nil: nobody sits here
	killed bool             // by us, and is about to be gone
	stops  int              // SIGSTOPs that have not been followed by a SIGCONT
}

// sit puts a process on the chair, or none, and tells whether we have killed the
// one that sat there.
func (c *chair) sit(p *process.Process) (killed bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	killed = c.killed
	c.proc, c.killed, c.stops = p, false, 0
	return killed
}

// shoot kills whoever sits here, and tells whether it did. Before that it calls aim.
func (c *chair) shoot(aim func()) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.proc == nil || c.killed {
		return false
	}
	aim()
	if c.proc.Kill() != nil {
		return false
	}
	c.killed = true
	return true
}

// freeze stops whoever sits here, if ready says that it may be, and returns what makes it
// go on, and returns an error of that; nil if nobody was stopped.
func (c *chair) freeze(ready func() bool) (goOn func() error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.proc
	if p == nil || c.killed || !ready() || p.Signal(sigStop) != nil {
		return nil
	}
	c.stops++
	return func() error {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.proc != p {
			return nil
		}
		if c.stops--; c.stops > 0 {
			return nil
		}
		return c.signalLocked(sigCont)
	}
}

// signal sends a signal to whoever sits here.
func (c *chair) signal(sig os.Signal) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.signalLocked(sig)
}

func (c *chair) signalLocked(sig os.Signal) error {
	if c.proc == nil {
		return nil
	}
	if err := c.proc.Signal(sig); err != nil && !isGone(err) {
		return err
	}
	return nil
}

// taken tells whether somebody sits here who is neither stopped nor about to be gone.
func (c *chair) taken() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.proc != nil && !c.killed && c.stops == 0
}
