package process

import (
	"bytes"
	"time"
)

// State is what a process is doing, as its kernel sees it.
type State int

// States, in the order of a life.
const (
	Created State = iota // started, but has not acknowledged its function yet
	Ready                // runnable, but has got no processor since State looked last
	Running              // on a processor, or runnable
	Blocked              // all its threads sleep, or wait for a device
	Stopped              // by a signal (SIGSTOP, SIGTSTP) or a debugger
	Zombie               // ended, not reaped yet: for moments only
	Exited               // ended
)

// String returns the state's name in lower case.
func (s State) String() string {
	names := [...]string{"created", "ready", "running", "blocked", "stopped", "zombie", "exited"}
	if s < 0 || int(s) >= len(names) {
		return "unknown"
	}
	return names[s]
}

// State returns what the process is doing. The answer may be old when the
// caller sees it.
//
// On Linux it comes from the states of all the process's threads. The kernel
// does not tell a thread that runs from one that waits for a processor. So
// State compares processor time with its own previous call: Ready is said
// only if that was at least 20 ms ago and the process has got none since.
// On other systems a living process is said to be Running.
func (p *Process) State() State {
	p.mu.Lock()
	seen := p.seen
	p.mu.Unlock()
	state := p.look(&seen)
	p.mu.Lock()
	p.seen = seen
	p.mu.Unlock()
	return state
}

// StateOf returns what any process of this machine is doing, by its ID: Running,
// Blocked, Stopped or Zombie. ok is false if there is none of that ID, or the system
// does not tell, which is so everywhere but on Linux.
func StateOf(pid int) (s State, ok bool) {
	now, ok := takeSample(pid)
	if !ok {
		return 0, false
	}
	return now.state(sample{}), true
}

// look judges what the kernel says now by what it said when seen was taken, and
// puts the one in the other's place.
func (p *Process) look(seen *sample) State {
	if !p.Alive() {
		return Exited
	}
	if !p.acknowledged.Load() {
		return Created
	}
	// The lock keeps the pid the child's.
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.reaped {
		return Exited
	}
	now, ok := takeSample(p.pid)
	if !ok {
		return Running
	}
	s := now.state(*seen)
	*seen = now
	return s
}

// sample is what the kernel says about a process at one moment.
type sample struct {
	at      time.Time
	threads []byte        // a letter each as in proc(5), the first thread's first
	ran     time.Duration // processor time of its living threads
	timed   bool          // ran is known
}

// readyAfter is how long a runnable process must have gone without processor
// time to be called Ready: kernels account a running thread's time at
// every tick, which is 10 ms at most.
const readyAfter = 20 * time.Millisecond

// state judges a sample; before is an earlier one, or zero.
func (s sample) state(before sample) State {
	switch {
	case len(s.threads) == 0:
		return Exited
	case bytes.IndexByte(s.threads, 'R') >= 0:
		if s.timed && before.timed && s.at.Sub(before.at) >= readyAfter && s.ran == before.ran {
			return Ready
		}
		return Running
	}
	for _, t := range s.threads {
		switch t {
		case 'Z', 'X', 'x': // a thread that has ended, which the first may do before the others
		case 'T', 't':
			return Stopped
		default:
			return Blocked
		}
	}
	return Zombie
}
