//go:build faultpoints

package explore

import "fmt"

// A World is the code that is explored, the memory that it works on, and what
// must be true of it. P is what a process has for itself: its handle, its heap,
// and what a test notes about it. The search owns everything else.
//
// A field that may be nil says what that means. All functions are called on one
// goroutine at a time. Those marked "on the coroutine" take steps, at which
// others come in between; the others may call the code under test too, and then
// it takes no steps.
type World[P any] struct {
	// Memory is all of the shared memory. It is as it is at the start when Search
	// is called, and again when it returns.
	Memory []Region
	// Reset forgets what the world has noted about a run. It is called before
	// each, with the memory as at the start. r is for this search.
	Reset func(r *Run)

	// Start makes a process; it takes no steps. Nothing of an earlier run or
	// process may be left in it.
	Start func(a *Actor) P
	// Join is what a process does before its first operation, on the coroutine;
	// nil: nothing.
	Join func(p P)
	// Begin notes that the process is about to begin an operation of its script; nil:
	// nothing is noted. It is called on the coroutine, and takes no steps.
	Begin func(p P, op string)
	// Do runs an operation, on the coroutine. It returns what must be true when
	// it has ended: judge is called when the operation's last change has been
	// seen by Changed. nil: nothing.
	Do func(p P, op string) (judge func())
	// Recover repairs what the dead process of p's actor has left, on the
	// coroutine. nil: nobody recovers, and a dead process's script goes on no
	// more.
	Recover func(p P)
	// Recovered is called when p has ended Recover, before the dead one's slot is
	// taken again; nil: nothing.
	Recovered func(p P)

	// Plain tells which words are written without a crash point before each
	// store, because nobody may look there before a later store publishes them. Only
	// they may change at a step that loads. nil: none are.
	Plain func(c Change) bool
	// Changed judges a step of a process by what it has done to the memory; nil:
	// any step may be taken. The changes are valid during the call.
	Changed func(p P, cs []Change)
	// Check judges each state, once; nil: any state may be.
	Check func(r *Run)
	// Audit asks of each state, once, with everybody standing still, what would
	// happen if: it may run the code under test, and the memory is put back
	// afterwards. nil: nothing is asked.
	Audit func(r *Run)
	// End is Audit for the states in which everybody is through.
	End func(r *Run)

	// Handle returns a hash of what p's process remembers in memory of its own
	// from one operation to the next, and that its later steps go by. nil: nothing.
	Handle func(p P) uint64
	// Milestone returns a number that is not 0 if the step, which p has just
	// taken, is one after which its operation goes by nothing but the memory, the
	// handle, the place in its code, for which the number stands, and what it will
	// load from now on. What it has seen before is forgotten then, so that states
	// are one that differ in nothing else. Among them are the steps that name in
	// the memory what the process holds, and a compare-and-swap that has
	// failed, whereupon the operation begins again. A step wrongly among them makes
	// the search see less, and report nothing that is not so. nil: none is.
	Milestone func(p P, step string, changed bool) uint64
	// Seen returns a value that p is about to load with what the code does not go
	// by taken out of it; nil: all of it matters.
	Seen func(word any, v uint64) uint64
	// Fingerprint returns a hash of the memory, and of what the world has noted,
	// that is the same for states which nobody can tell apart. nil: all of the
	// memory.
	Fingerprint func() uint64
	// Noted returns a hash of what Begin, Changed and Do have noted in p and that a
	// later judgement goes by; nil: nothing.
	Noted func(p P) uint64
	// Held tells that p may not go on just now, so that processes that run for
	// ever stay together; nil: it always may.
	Held func(p P) bool

	// Format prints what a word of a region holds, in a trace; nil: in hexadecimal.
	Format func(region string, v uint64) string
}

// A Scenario is what the processes of a world do.
type Scenario struct {
	// Scripts are the operations of each process, by name, with spaces between.
	Scripts []string
	// Deaths is how many processes may die, recoverers among them.
	Deaths int
	// Forever makes the scripts begin again when they end. Then the fingerprint must
	// bring back what goes up for ever.
	Forever bool
	// States is after how many states the search stops; 0: never.
	States int
	// Steps is how many steps in a row an operation may take while all others
	// stand still; 0: 1000. One that takes more is said to have no end.
	Steps int
}

const defaultSteps = 1000

// A Run is the one of all possible runs that the world is in.
type Run struct {
	memory  *memory
	deaths  int
	failure string
}

// Failf reports that what must be true is not. The search ends with the trace
// of the steps that have led there. Only the first call of a run counts.
func (r *Run) Failf(format string, args ...any) {
	if r.failure == "" {
		r.failure = fmt.Sprintf(format, args...)
	}
}

// Deaths returns how many processes may still die.
func (r *Run) Deaths() int { return r.deaths }

// Restore puts the memory back into the state that Audit or End was called
// for, so that it may ask another question.
func (r *Run) Restore() { r.memory.restore() }
