//go:build unix && faultpoints

package pool_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/shmkit/shmkit/internal/fault"
	"github.com/shmkit/shmkit/pool"
)

// stepEnv tells workers at which step to die: "17:/path". The one that removes
// the file dies there, writing the step's name into path.step; later ones live.
const stepEnv = "POOL_TEST_STEP"

func armFaults() {
	setting := os.Getenv(stepEnv)
	if setting == "" || os.Getenv("SHMKIT_PROCESS") == "" {
		return
	}
	var k int64
	var path string
	if _, err := fmt.Sscanf(setting, "%d:%s", &k, &path); err != nil || os.Remove(path) != nil {
		return
	}
	var n atomic.Int64
	fault.SetHook(func(step string) {
		if n.Add(1) == k {
			os.WriteFile(path+".step", []byte(step), 0o600)
			syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
	})
}

// TestStepKiller has a worker die at each step of its life that stores to
// shared memory, from attaching to the pool to going home. Whatever the step,
// each item has its result; or, without retries, at most one has the worker's
// death instead.
func TestStepKiller(t *testing.T) {
	for retries := range 2 {
		t.Run(fmt.Sprintf("retries=%d", retries), func(t *testing.T) {
			seen := make(map[string]int)
			for k := 1; ; k++ {
				step := dieAt(t, k, retries)
				if t.Failed() {
					t.Fatalf("died at step %d, %s", k, step)
				}
				if step == "" {
					break
				}
				seen[step]++
			}
			t.Log(seen)
			for _, want := range []string{"pool.ready", "pool.take", "pool.take.time", "pool.progress", "pool.flushed", "pool.hold", "pool.ended"} {
				if seen[want] == 0 {
					t.Errorf("nobody died at %s", want)
				}
			}
		})
	}
}

// dieAt uses a pool whose first worker dies at step k of its life, and returns
// that step's name; "" if the worker takes fewer.
func dieAt(t *testing.T, k, retries int) string {
	path := marker(t)
	t.Setenv(stepEnv, fmt.Sprintf("%d:%s", k, path))
	p := newPool(t, pool.Options{Workers: 1, Retries: retries})
	deaths := 0
	lost := func(err error) bool {
		if errors.Is(err, pool.ErrWorkerDied) {
			deaths++
			return true
		}
		return false
	}
	for r := range square.ImapUnordered(patience(t), p, slices.Values(numbers(7)), pool.Chunk(3)) {
		if !lost(r.Err) && (r.Value != r.Index*r.Index || r.Err != nil) {
			t.Errorf("%+v", r)
		}
	}
	f := misbehave.Go(context.Background(), p, "panic")
	if b, err := echo.Apply(patience(t), p, make([]byte, 1000)); !lost(err) && (len(b) != 1000 || err != nil) {
		t.Errorf("%d bytes, %v", len(b), err)
	}
	if _, err := f.Get(patience(t)); !lost(err) && (err == nil || !strings.Contains(err.Error(), "disco")) {
		t.Error(err)
	}
	p.Close()
	join(t, p)
	s := p.Stats()
	if deaths > 1-retries || s.Done+s.Failed != 9 || s.Submitted != 9 || s.Restarts > 1 || s.Retried > uint64(retries) {
		t.Errorf("%d deaths, %+v", deaths, s)
	}
	step, err := os.ReadFile(path + ".step")
	if err != nil {
		return ""
	}
	return string(step)
}
