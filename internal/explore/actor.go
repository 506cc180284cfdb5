//go:build faultpoints

package explore

import (
	"iter"
	"runtime/debug"
)

// An Actor is a process that works through its script, or one that recovers what
// a dead process has left: a coroutine that stops before each step.
type Actor struct {
	Name string
	// Slot is the index of its script; that of a recoverer is the number of
	// scripts.
	Slot int
	// Dead is the actor that it recovers; nil: it works through a script.
	Dead *Actor
	// Earlier is the dead actor whose slot it has taken and whose script it goes on
	// with; nil: it is the first.
	Earlier *Actor

	run    *Run
	index  int
	script []string
	op     int    // index in the script
	begun  int    // operations that it has begun
	judge  func() // what its operation, which has just ended, promises
	paused bool   // at the end of an operation
	ended  bool
	gone   bool // ended, with nothing left to recover

	yield  func(struct{}) bool
	resume func() (struct{}, bool)
	stop   func()

	step    string      // that it is about to take
	pending any         // the word that it is about to load; nil before a store
	ready   func() bool // what it waits for; nil: nothing

	history uint64 // what it has seen since its operation began, or its last milestone
	solo    int    // steps in a row in one operation, with nobody else's between
}

// Ended tells whether the actor has died or has come to its script's end.
func (a *Actor) Ended() bool { return a.ended }

// Failf is [Run.Failf].
func (a *Actor) Failf(format string, args ...any) { a.run.Failf(format, args...) }

// Await lets only others take steps until ready reports true. It stands for a
// wait in the kernel, on the coroutine, and is a step of its own, at which the
// process may die. ready goes by nothing but the shared memory and what the
// operation has seen; it changes nothing and takes no steps. When all who live
// wait, the search reports it, with what each waits for.
func (a *Actor) Await(what string, ready func() bool) {
	a.step, a.pending, a.ready = "waits for "+what, nil, ready
	a.pause()
	a.ready = nil
}

// pause lets others take steps.
func (a *Actor) pause() {
	if !a.yield(struct{}{}) {
		panic(killed{})
	}
}

// mayDie tells whether death is one of the things that may happen next. To die
// before a load is to die before the next store, from the words' point of view:
// so nobody does.
func (a *Actor) mayDie() bool { return !a.ended && a.pending == nil }

// launch makes a coroutine of the actor that lives as it is told.
func (a *Actor) launch(live func()) {
	a.resume, a.stop = iter.Pull(func(yield func(struct{}) bool) {
		defer func() {
			switch r := recover().(type) {
			case nil, killed:
			default:
				a.Failf("%s panicked: %v\n%s", a.Name, r, debug.Stack())
			}
		}()
		a.yield = yield
		live()
	})
}

// killed unwinds the coroutine of an actor that dies. Deferred functions run
// then, unlike in a process that is killed; but none gets past a crash point.
type killed struct{}
