//go:build unix && faultpoints

package pool_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/shmkit/shmkit/internal/fault"
	"github.com/shmkit/shmkit/pool"
	"github.com/shmkit/shmkit/ringqueue"
	"github.com/shmkit/shmkit/shm"
	"github.com/shmkit/shmkit/shmtest"
)

// stepEnv tells the workers at which step to die: "pool.take 3 /path", the third
// time that it comes to it. The one that removes the file dies there, writing
// the step's name into path.step; later ones live. With 0 for the number it
// writes the names of all its steps there, and lives.
const stepEnv = "POOL_TEST_STEP"

func armFaults() {
	setting := os.Getenv(stepEnv)
	if setting == "" || os.Getenv("SHMKIT_PROCESS") == "" {
		return
	}
	var name, path string
	var k int64
	if _, err := fmt.Sscan(setting, &name, &k, &path); err != nil || os.Remove(path) != nil {
		return
	}
	out, err := os.Create(path + ".step")
	if err != nil {
		return
	}
	var seen sync.Map
	var n atomic.Int64
	fault.SetHook(func(step string) {
		if k == 0 {
			if _, old := seen.LoadOrStore(step, true); !old {
				fmt.Fprintln(out, step)
			}
		} else if step == name && n.Add(1) == k {
			fmt.Fprintln(out, step)
			syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
	})
}

// TestStepKiller has a worker die at each step of its life that stores to
// shared memory, from attaching to the pool to going home. Whatever the step,
// each item has its result; or, without retries, at most one that ran has the
// worker's death instead.
func TestStepKiller(t *testing.T) {
	for retries := range 2 {
		t.Run(fmt.Sprintf("retries=%d", retries), func(t *testing.T) {
			steps := dieAt(t, "none", 0, retries)
			deaths := make(map[string]int)
			for _, step := range steps {
				for k := 1; len(dieAt(t, step, k, retries)) > 0; k++ {
					if t.Failed() {
						t.Fatalf("died when at %s for the %dth time", step, k)
					}
					deaths[step]++
				}
			}
			t.Log(deaths)
			for _, want := range []string{"pool.ready", "pool.take", "pool.take.time", "pool.progress", "pool.flushed", "pool.hold", "pool.ended"} {
				if deaths[want] == 0 {
					t.Errorf("nobody died at %s", want)
				}
			}
		})
	}
}

// dieAt uses a pool whose first worker dies when it comes to the point for the
// kth time, and returns the lines that it wrote.
func dieAt(t *testing.T, point string, k, retries int) []string {
	path := marker(t)
	t.Setenv(stepEnv, fmt.Sprintf("%s %d %s", point, k, path))
	// One entry: what an earlier task has left behind meets the next one.
	p := newPool(t, pool.Options{Workers: 1, Retries: retries, MaxTasks: 1})
	deaths := 0
	lost := func(err error) bool {
		if errors.Is(err, pool.ErrWorkerDied) {
			deaths++
			return true
		}
		return false
	}
	// Chunks of which two results fit in the scratch.
	log := filepath.Join(t.TempDir(), "log")
	var steps []step
	for _, name := range strings.Split("abcdefg", "") {
		steps = append(steps, step{Log: log, Name: name, Size: 30 << 10})
	}
	var want string
	for r := range doStep.ImapUnordered(patience(t), p, slices.Values(steps), pool.Chunk(3)) {
		// A lost one must have run, too: else it would have been run by another.
		if !lost(r.Err) && (r.Err != nil || len(r.Value) != 30<<10+1 || string(r.Value[:1]) != steps[r.Index].Name) {
			t.Errorf("item %d: %.10q, %v", r.Index, r.Value, r.Err)
		}
		want += steps[r.Index].Name
	}
	ran := readLines(t, log)
	if retries == 1 {
		ran = slices.Compact(ran) // the last one before the death, and the first one after it
	}
	if got := strings.Join(ran, ""); got != want || want != "abcdefg" {
		t.Errorf("results of %s, what ran: %s", want, got)
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
	return readLines(t, path+".step")
}

// TestResultBeforeDeath has a worker die just after it has put a result, which
// the collector has not taken yet: the death must not overtake it.
func TestResultBeforeDeath(t *testing.T) {
	dir := shmtest.Dir(t)
	// A worker's only pass of pool.ended is behind its first result.
	t.Setenv(stepEnv, "pool.ended 1 "+marker(t))
	p := newPool(t, pool.Options{Workers: 1, Dir: dir, Name: "late"})
	i, err := shm.Inspect(filepath.Join(dir, "late.results"))
	if err != nil {
		t.Fatal(err)
	}
	defer i.Close()

	open := make(chan struct{})
	fault.SetHook(func(step string) {
		if step == "ring.sole.borrow" { // of the collector
			<-open
		}
	})
	defer fault.SetHook(nil)
	f := square.Go(context.Background(), p, 6)
	shmtest.Until(t, "result and marker are queued", func() bool {
		r, err := ringqueue.Inspect(i)
		if err != nil {
			t.Fatal(err)
		}
		return r.Ready == 2
	})
	close(open)
	if y, err := f.Get(patience(t)); y != 36 || err != nil {
		t.Errorf("%d, %v", y, err)
	}
}
