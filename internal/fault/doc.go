// Package fault marks the points between two stores to shared memory where a
// process may die.
//
// Every store and compare-and-swap to shared memory is preceded by a call of
// [Point] with the name of the step. Without the build tag faultpoints the
// call is an empty function that the compiler removes. With the tag it calls
// the hook set by [SetHook], which may kill the process, stop it, or hand the
// turn to another actor: so tests place a death, or a switch, at each step of
// the code that really runs, and not of a model of it.
//
// [Look] stands before a load of a shared word on which the next steps depend.
// Nobody need die there: a process that has only looked leaves nothing behind
// that one which has not would not. But others may take their steps there, so
// tests that explore interleavings set a hook for it too.
package fault
