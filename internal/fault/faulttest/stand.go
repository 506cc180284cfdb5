//go:build faultpoints

package faulttest

import "github.com/shmkit/shmkit/internal/fault"

// A Standstill is a goroutine that stands for a process and stands still at a crash
// point: for a moment, as a stopped one does, or for ever, if it is to count as dead. It
// takes no further step in shared memory, not even those of its deferred calls, until
// the test has looked at everything and ends it.
type Standstill struct {
	Step  string // where it stands; "" when the operation was through before
	goOn  chan bool
	ended chan struct{}
}

// died is what ends a process that was dead, when nobody looks any more.
type died struct{}

// StandAt runs f and has its process stand still at the k-th crash point.
func StandAt(k int, f func()) *Standstill {
	p := &Standstill{goOn: make(chan bool), ended: make(chan struct{})}
	stands := make(chan string)
	n := 0
	watch(func(step string) {
		if n++; n != k {
			return
		}
		unwatch()
		stands <- step
		if !<-p.goOn {
			panic(died{})
		}
	})
	go func() {
		defer close(p.ended)
		defer func() {
			if r := recover(); r != nil && r != (died{}) {
				panic(r)
			}
		}()
		f()
	}()
	select {
	case p.Step = <-stands:
	case <-p.ended:
	}
	unwatch()
	return p
}

// End lets the goroutine go. The memory is nobody's any more.
func (p *Standstill) End() { p.leave(false) }

// Resume has the process go on as if nothing had been, until it is through.
func (p *Standstill) Resume() { p.leave(true) }

func (p *Standstill) leave(alive bool) {
	if p.Step != "" {
		p.goOn <- alive
	}
	<-p.ended
}

// Points returns the names of the crash points that f comes to.
func Points(f func()) (names []string) {
	watch(func(s string) { names = append(names, s) })
	defer unwatch()
	f()
	return names
}

// others are other processes that do something between two steps of the one that is
// watched. Their own points don't count.
var others struct {
	step  string
	n     int
	do    func()
	doing bool
}

// watch has f called at each crash point of the watched process.
func watch(f func(step string)) {
	fault.SetHook(func(step string) {
		if others.doing {
			return
		}
		if step == others.step {
			if others.n--; others.n == 0 {
				byOthers(others.do)
			}
		}
		f(step)
	})
}

func unwatch() {
	fault.SetHook(nil)
	fault.SetLookHook(nil)
	others.step = ""
}

func byOthers(f func()) {
	others.doing = true
	defer func() { others.doing = false }()
	f()
}

// Between has others do f when the watched process comes to a step for the n-th time
// from now on.
func Between(step string, n int, f func()) { others.step, others.n, others.do = step, n, f }

// LookOut has others do f before each load of a shared word on which steps depend.
func LookOut(f func()) {
	fault.SetLookHook(func(any) {
		if !others.doing {
			byOthers(f)
		}
	})
}
