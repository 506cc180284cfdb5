//go:build unix

package shmtest_test

import (
	"context"
	"testing"

	"github.com/shmkit/shmkit/process"
	"github.com/shmkit/shmkit/ringqueue"
	"github.com/shmkit/shmkit/shmtest"
)

// What follows stands in the package's documentation.

var double = process.Register("double", func(ctx context.Context, q *ringqueue.Queue[int]) error {
	n, err := q.Get(ctx)
	if err != nil {
		return err
	}
	return q.Put(ctx, 2*n)
})

func TestDouble(t *testing.T) {
	shmtest.CheckLeaks(t)
	shmtest.SetDir(t)
	q, err := ringqueue.New[int](nil)
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	if err := q.Put(t.Context(), 21); err != nil {
		t.Fatal(err)
	}
	p := shmtest.Start(t, double, q, nil) // the test's end kills it, if it lives
	shmtest.Wait(t, p)                    // and fails the test, if double does
	if n, err := q.Get(t.Context()); n != 42 {
		t.Errorf("got %d, %v", n, err)
	}
}
