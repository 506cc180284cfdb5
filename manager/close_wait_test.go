package manager_test

import (
	"context"
	"errors"
	"testing"

	"github.com/shmkit/shmkit/manager"
)

// TestCloseBesideWait: who waits through a handle that is closed keeps the object, and takes
// nothing of one that is made afterwards.
func TestCloseBesideWait(t *testing.T) {
	m := open(t, nil)
	s, err := manager.NewSemaphore(m, "", 0)
	must(t, err)
	ctx, cancel := context.WithCancel(bg)
	done := make(chan error, 1)
	go func() { done <- s.Acquire(ctx) }()
	until(t, "it waits", func() bool { return manager.Waiting(s) == 1 })
	must(t, s.Close())
	for range 20 {
		if n, err := m.Collect(); n != 0 || err != nil {
			t.Fatalf("%d objects collected, one of which is waited for: %v", n, err)
		}
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if err := s.Acquire(bg); !errors.Is(err, manager.ErrClosed) {
		t.Error(err)
	}
	remain(t, m, 0)
}
