// Package futex waits for a change of a word in shared memory, and wakes those
// who wait.
//
// The word is an event count of 32 bits: sequence<<1 | waiting. [Notify] is
// called after each change that somebody may wait for. When nobody waits it is
// one load; else it advances the sequence, clears the bit and wakes all. A
// [Gate] is the waiting side: all goroutines of one handle that wait for one
// word, of which only the first, the leader, sleeps in the kernel.
//
//	wait:    try; set the waiting bit; try again; sleep while the word is the same
//	notify:  after the change: if the bit is set, swap it for the next sequence
//	         number and wake all
//
// The second try is what makes it right: either it sees the change, or the
// change comes after the bit and its notifier sees the bit. Should the word
// change between the try and the sleep, the kernel does not sleep. There is no
// count of waiters that a killed one could leave wrong, and a bit left behind
// by one costs the next notifier a system call in vain. The protocol was
// model-checked, with simpler ones that lose wake-ups; explore_test.go has it
// and them.
//
// # Crash safety
//
// A waiter that is killed leaves at most the bit. A notifier that is killed
// between its swap and its wake-up is made good by time: no sleep is longer
// than [Slice], after which the waiter looks again, and also looks whether
// somebody it waits for is dead.
//
// # Memory model
//
// What happens before Notify is visible to the try that follows the wake-up:
// both go through sequentially consistent atomics on the word. The change
// itself must be made by a sequentially consistent store or swap before
// Notify's load.
//
// # Limits
//
// Waiting through the kernel is Linux's. Elsewhere, and with the build tag
// portable, the leader polls with growing pauses of at most a millisecond.
// Where futex_waitv is missing or forbidden, the end of a leader's context is told
// like a change of the object, and wakes other processes' waiters for nothing.
package futex
