//go:build unix

package pool_test

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/shmkit/shmkit/pool"
	"github.com/shmkit/shmkit/shm"
	"github.com/shmkit/shmkit/shmtest"
)

// TestInspect looks at a pool from outside, by its file.
func TestInspect(t *testing.T) {
	dir := shmtest.Dir(t)
	p := newPool(t, pool.Options{Workers: 2, Dir: dir, Name: "seen", MaxTasks: 100})
	path := marker(t)
	before := time.Now().Add(-time.Minute)
	var futures []*pool.Future[int]
	for range 3 {
		futures = append(futures, hold.Go(context.Background(), p, path))
	}
	untilState(t, p, 2, "running")

	i, err := shm.Inspect(filepath.Join(dir, "seen"))
	if err != nil {
		t.Fatal(err)
	}
	defer i.Close()
	r, err := pool.Inspect(i)
	if err != nil {
		t.Fatal(err)
	}
	if r.Running != 2 || r.Queued != 1 || len(r.Tasks) != 3 || r.MaxTasks != 100 || r.Submitted != 3 || !slices.Contains(r.Functions, "hold") {
		t.Errorf("%+v", r)
	}
	for _, task := range r.Tasks {
		if task.Func != "hold" || task.Items != 1 || task.Attempt != 1 || task.Queued.Before(before) || (task.Worker == 0) != task.Begun.IsZero() {
			t.Errorf("%+v", task)
		}
	}
	for _, w := range r.Workers {
		if w.Func != "hold" || w.State != "running" || w.Items != 1 || w.Ended != 0 || w.Since.Before(before) {
			t.Errorf("%+v", w)
		}
	}
	remove(t, path)
	for _, f := range futures {
		if _, err := f.Get(patience(t)); err != nil {
			t.Fatal(err)
		}
	}
	if r, err = pool.Inspect(i); err != nil || r.Done != 3 || len(r.Tasks) != 0 {
		t.Errorf("%+v, %v", r, err)
	}

	other, err := shm.Inspect(filepath.Join(dir, "seen.tasks"))
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if _, err := pool.Inspect(other); !errors.Is(err, shm.ErrKind) {
		t.Errorf("a queue inspected as a pool: %v", err)
	}
}
