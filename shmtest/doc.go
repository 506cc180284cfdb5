// Package shmtest helps to test programs that use shmkit: children in tests,
// a directory of segments for each test, and checks that nothing is left behind.
//
//	func TestMain(m *testing.M) { shmtest.Main(m) }
//
//	var crunch = process.Register("crunch", func(ctx context.Context, q *ringqueue.Queue[int]) error { … })
//
//	func TestCrunch(t *testing.T) {
//		shmtest.CheckLeaks(t)
//		shmtest.SetDir(t)
//		q, err := ringqueue.New[int](nil)
//		…
//		p := shmtest.Start(t, crunch, q, nil) // the test's end kills it, if it lives
//		…
//		shmtest.Wait(t, p)
//	}
//
// # The model
//
// A child is the test binary itself, started anew: so TestMain must call
// [process.Main] before anything else, which [Main] does, and the functions of
// children are registered in package variables, not in tests. A child shares
// no variables with its test, and it can't fail it, other than by what it returns:
// that is in the error of Wait, and [Wait] makes it the test's.
//
// # Crash safety
//
// A test run that is killed, or ends by a panic or its time limit, leaves its
// directories, whose names begin with "shmtest-", in /dev/shm or among the
// temporary files. Nothing removes them but a hand or a reboot. Its children end
// by themselves, as those of any program do.
//
// # Limits
//
// A leak is what there is more of at a test's end than at its beginning, so tests
// that check for leaks don't run in parallel with others that come and go.
// Descriptors are counted on Unix systems, and child processes that nobody has
// waited for on Linux.
package shmtest
