package manager_test

import (
	"sync"
	"testing"
	"time"

	"github.com/shmkit/shmkit/manager"
)

// TestListBusy reads a long list, and changes a part of it, while others never cease to change it.
func TestListBusy(t *testing.T) {
	dir := tempDir(t)
	m, n := open(t, &manager.Options{Dir: dir}), open(t, &manager.Options{Dir: dir})
	mine, theirs := newList[int](t, m, "l"), newList[int](t, n, "l")
	must(t, mine.Append(make([]int, 100_000)...))
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			if err := theirs.Append(1); err != nil {
				t.Error(err)
				return
			}
			if _, _, err := theirs.PopLast(); err != nil {
				t.Error(err)
				return
			}
		}
	})
	for _, op := range []struct {
		name string
		do   func() error
	}{
		{"get", func() error { _, err := mine.Get(50_000); return err }},
		{"set", func() error { return mine.Set(50_000, 1) }},
		{"insert", func() error { return mine.Insert(50_000, 1) }},
		{"slice", func() error { _, err := mine.Slice(0, 10_000); return err }},
		{"snapshot", func() error { _, err := mine.Snapshot(); return err }},
		{"count", func() error { _, err := mine.Count(2); return err }},
	} {
		done := make(chan error, 1)
		start := time.Now()
		go func() { done <- op.do() }()
		select {
		case err := <-done:
			must(t, err)
			t.Log(op.name, time.Since(start))
		case <-time.After(20 * time.Second):
			t.Errorf("%s is not through after 20 s", op.name)
		}
	}
	close(stop)
	wg.Wait()
}
