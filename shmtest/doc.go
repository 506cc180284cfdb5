// Package shmtest helps to test programs that use shmkit: children in tests,
// a directory of segments for each test, and checks that nothing is left behind.
//
//	package crunch_test
//
//	import (
//		"context"
//		"testing"
//
//		"github.com/shmkit/shmkit/process"
//		"github.com/shmkit/shmkit/ringqueue"
//		"github.com/shmkit/shmkit/shmtest"
//	)
//
//	func TestMain(m *testing.M) { shmtest.Main(m) }
//
//	var double = process.Register("double", func(ctx context.Context, q *ringqueue.Queue[int]) error {
//		n, err := q.Get(ctx)
//		if err != nil {
//			return err
//		}
//		return q.Put(ctx, 2*n)
//	})
//
//	func TestDouble(t *testing.T) {
//		shmtest.CheckLeaks(t)
//		shmtest.SetDir(t)
//		q, err := ringqueue.New[int](nil)
//		if err != nil {
//			t.Fatal(err)
//		}
//		defer q.Close()
//		if err := q.Put(t.Context(), 21); err != nil {
//			t.Fatal(err)
//		}
//		p := shmtest.Start(t, double, q, nil) // the test's end kills it, if it lives
//		shmtest.Wait(t, p)                    // and fails the test, if double does
//		if n, err := q.Get(t.Context()); n != 42 {
//			t.Errorf("got %d, %v", n, err)
//		}
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
// waited for on Linux. Goroutines are found by go.uber.org/goleak, which therefore gets
// into the programs of tests that use this package, and into no others.
package shmtest
