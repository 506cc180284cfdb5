package process

import (
	"slices"
	"time"
)

// State is what a process is doing, as its kernel sees it.
type State int

// States, in the order of a life.
const (
	Created State = iota // started, but has not acknowledged its function yet
	Ready                // runnable, but gets no processor
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
// State remembers what it has seen: Ready is said only if every runnable thread was
// seen runnable at least 20 ms ago and has got no processor time since.
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
	now.follow(&sample{})
	return now.state(), true
}

// look judges what the kernel says now by what it said when seen was taken, and
// puts the one in the other's place.
func (p *Process) look(seen *sample) State {
	if !p.Alive() {
		return Exited
	}
	// The lock keeps the pid the child's.
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.reaped {
		return Exited
	}
	state := Running
	if now, ok := takeSample(p.pid); ok {
		now.follow(seen)
		*seen = now
		state = now.state()
	}
	// It may have ended before its acknowledgement is read.
	if state != Zombie && !p.acknowledged.Load() {
		return Created
	}
	return state
}

// sample is what the kernel says about a process at one moment.
type sample struct {
	at      time.Time
	threads []thread // the first thread first
}

type thread struct {
	id    int
	state byte          // a letter as in proc(5)
	ran   time.Duration // processor time; -1: unknown
	// waits is when the thread was first seen runnable with this processor time.
	waits time.Time
}

// readyAfter is how long a runnable thread must have gone without processor
// time for its process to be called Ready: kernels account a running thread's
// time at every tick, which is 10 ms at most.
const readyAfter = 20 * time.Millisecond

// follow completes a sample by what before, an earlier one or none, tells.
func (s *sample) follow(before *sample) {
	for i := range s.threads {
		t := &s.threads[i]
		t.waits = s.at
		for _, b := range before.threads {
			if b.id == t.id && b.ran == t.ran && b.state == 'R' && t.state == 'R' {
				t.waits = b.waits
			}
		}
	}
}

// state judges a sample.
func (s *sample) state() State {
	if len(s.threads) == 0 {
		return Exited
	}
	if i := slices.IndexFunc(s.threads, func(t thread) bool { return t.state == 'R' }); i >= 0 {
		if slices.ContainsFunc(s.threads[i:], func(t thread) bool {
			return t.state == 'R' && (t.ran < 0 || s.at.Sub(t.waits) < readyAfter)
		}) {
			return Running
		}
		return Ready
	}
	for _, t := range s.threads {
		switch t.state {
		case 'Z', 'X', 'x': // a thread that has ended, which the first may do before the others
		case 'T', 't':
			return Stopped
		default:
			return Blocked
		}
	}
	return Zombie
}
