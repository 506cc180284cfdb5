//go:build unix

package pool_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/shmkit/shmkit/pool"
	"github.com/shmkit/shmkit/shmtest"
)

func TestErrorReturned(t *testing.T) {
	p := newPool(t, pool.Options{Workers: 1})
	before := workerPID(t, p)
	for _, text := range []string{"no such luck", "", strings.Repeat("x", 100<<10)} {
		_, err := fail.Apply(patience(t), p, text)
		var r *pool.RemoteError
		if !errors.As(err, &r) || r.Func != "fail" || r.Err != nil || !strings.HasPrefix(text, r.Text) || len(r.Text) < min(len(text), 1000) {
			t.Errorf("%.30q arrived as %.200v", text, err)
		}
	}
	if after := workerPID(t, p); after != before {
		t.Errorf("worker was %d, is %d", before, after)
	}
}

func TestPanicKeepsWorker(t *testing.T) {
	p := newPool(t, pool.Options{Workers: 1})
	before := workerPID(t, p)
	for how, want := range map[string]string{"panic": "at the disco", "index": "runtime error: index out of range [5] with length 1"} {
		_, err := misbehave.Apply(patience(t), p, how)
		var e *pool.PanicError
		if !errors.As(err, &e) || e.Value != want || e.Func != "misbehave" || !strings.Contains(e.Stack, "main_test.go") {
			t.Errorf("%s: %+v", how, err)
		}
	}
	if after := workerPID(t, p); after != before {
		t.Errorf("worker was %d, is %d", before, after)
	}
	if s := p.Stats(); s.Restarts != 0 || s.Failed != 2 {
		t.Errorf("%+v", s)
	}
}

func TestWorkerErrorTells(t *testing.T) {
	p := newPool(t, pool.Options{Workers: 1, Stdout: new(strings.Builder), Stderr: new(strings.Builder)})
	for how, right := range map[string]func(*pool.WorkerError) bool{
		"exit 0":    func(e *pool.WorkerError) bool { return e.ExitCode == 0 && e.Signal == 0 },
		"exit 3":    func(e *pool.WorkerError) bool { return e.ExitCode == 3 && e.Signal == 0 },
		"kill":      func(e *pool.WorkerError) bool { return e.ExitCode == -9 && e.Signal == syscall.SIGKILL },
		"elsewhere": func(e *pool.WorkerError) bool { return e.ExitCode == 2 && strings.Contains(e.Crash, "in the night") },
		"goexit":    func(e *pool.WorkerError) bool { return e.ExitCode == 1 },
		"stderr":    func(e *pool.WorkerError) bool { return e.ExitCode == 4 && e.StderrTail == "last words\n" },
	} {
		before := workerPID(t, p)
		_, err := misbehave.Apply(patience(t), p, how)
		var e *pool.WorkerError
		if !errors.As(err, &e) || !right(e) || e.PID != before || e.Func != "misbehave" || e.Attempt != 1 {
			t.Errorf("%s in process %d: %+v", how, before, err)
		}
		if after := workerPID(t, p); after == before {
			t.Errorf("%s: process %d goes on", how, before)
		}
	}
}

// TestDeathConcernsItsTaskOnly kills one of two busy workers.
func TestDeathConcernsItsTaskOnly(t *testing.T) {
	p := newPool(t, pool.Options{Workers: 2})
	path := marker(t)
	var futures [2]*pool.Future[int]
	for i := range futures {
		futures[i] = hold.Go(context.Background(), p, path)
	}
	queued := square.Go(context.Background(), p, 5)
	victim := untilState(t, p, 2, "running")[0]

	start := time.Now()
	kill(t, victim)
	var survivor *pool.Future[int]
	var died error
	select {
	case <-futures[0].Done():
		_, died = futures[0].Get(context.Background())
		survivor = futures[1]
	case <-futures[1].Done():
		_, died = futures[1].Get(context.Background())
		survivor = futures[0]
	case <-patience(t).Done():
		t.Fatal("no future ended")
	}
	took := time.Since(start)
	var e *pool.WorkerError
	if !errors.As(died, &e) || e.PID != victim || e.Signal != syscall.SIGKILL {
		t.Fatalf("the task of worker %d: %v", victim, died)
	}
	t.Logf("error %v after the kill", took)
	if took > 5*time.Second {
		t.Errorf("took %v", took)
	}
	if y, err := queued.Get(patience(t)); y != 25 || err != nil {
		t.Errorf("the queued task: %d, %v", y, err)
	}
	remove(t, path)
	if pid, err := survivor.Get(patience(t)); pid == victim || err != nil {
		t.Errorf("the other task: %d, %v", pid, err)
	}
}

func TestRetries(t *testing.T) {
	p := newPool(t, pool.Options{Workers: 1, Retries: 2})
	if got, err := once.Apply(patience(t), p, marker(t)); got != "again" || err != nil {
		t.Fatalf("%q, %v", got, err)
	}
	if s := p.Stats(); s.Retried != 1 || s.Restarts != 1 || s.Failed != 0 || s.Done != 1 {
		t.Errorf("%+v", s)
	}
	_, err := misbehave.Apply(patience(t), p, "kill")
	var e *pool.WorkerError
	if !errors.As(err, &e) || e.Attempt != 3 {
		t.Errorf("a task that always kills its worker: %v", err)
	}
	if s := p.Stats(); s.Retried != 3 || s.Failed != 1 || s.Done != 1 {
		t.Errorf("%+v", s)
	}
	if _, err := fail.Apply(patience(t), p, "final"); err == nil || p.Stats().Retried != 3 {
		t.Errorf("an error is retried: %v", err)
	}
}

// step is an item of a chunk that writes down that it ran.
type step struct {
	Log  string // appended to: a line for each run
	Name string
	Kill string // if this file is there: remove it and die
	Size int    // of the result
}

var doStep = pool.Register("step", func(_ context.Context, s step) ([]byte, error) {
	f, err := os.OpenFile(s.Log, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if _, err := f.WriteString(s.Name + "\n"); err != nil {
		return nil, err
	}
	if s.Kill == "always" || s.Kill != "" && os.Remove(s.Kill) == nil {
		syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	}
	return []byte(s.Name + strings.Repeat(".", s.Size)), nil
})

// TestDeathInChunk has a worker die in the middle of a chunk: what it had done
// is not done again, what it had not begun is done by another, with results
// that fit in the scratch and such that do not.
func TestDeathInChunk(t *testing.T) {
	for name, size := range map[string]int{"small": 10, "flushed": 20 << 10, "larger than the scratch": 100 << 10} {
		for _, retries := range []int{0, 1} {
			t.Run(name, func(t *testing.T) {
				p := newPool(t, pool.Options{Workers: 2, Retries: retries})
				log := filepath.Join(t.TempDir(), "log")
				var steps []step
				var want []string
				for _, n := range strings.Split("abcdefghij", "") {
					steps = append(steps, step{Log: log, Name: n, Size: size})
					want = append(want, n+strings.Repeat(".", size))
				}
				steps[4].Kill = marker(t)
				steps[8].Kill = "always"
				got, err := doStep.Map(patience(t), p, steps, pool.Chunk(len(steps)))
				var m *pool.MapError
				if !errors.As(err, &m) || m.Failed != 2-retries || m.Index != 4+4*retries {
					t.Fatalf("%v", err)
				}
				for i := range want {
					if i == 8 || i == 4 && retries == 0 {
						want[i] = ""
					}
					if string(got[i]) != want[i] {
						t.Errorf("item %d: %.20q (%d bytes), want %.20q", i, got[i], len(got[i]), want[i])
					}
				}
				runs := readLines(t, log)
				slices.Sort(runs)
				if all := strings.Join(runs, ""); all != []string{"abcdefghij", "abcdeefghiij"}[retries] {
					t.Errorf("what ran: %s", all)
				}
			})
		}
	}
}

func readLines(t testing.TB, path string) []string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Fields(string(b))
}

// TestStartFails has workers that end before they are ready: at New, and when a
// worker is to be replaced.
func TestStartFails(t *testing.T) {
	t.Run("New", func(t *testing.T) {
		dir := shmtest.Dir(t)
		t.Setenv(crashEnv, "out of cheese")
		p, err := pool.New(&pool.Options{Workers: 3, Dir: dir, Stderr: new(strings.Builder)})
		if p != nil || !errors.Is(err, pool.ErrWorkerStart) || !strings.Contains(err.Error(), "out of cheese") {
			t.Fatalf("New: %v", err)
		}
		noSegments(t, dir)
	})
	t.Run("replacement", func(t *testing.T) {
		p := newPool(t, pool.Options{Workers: 1, Stderr: new(strings.Builder)})
		t.Setenv(crashEnv, "out of cheese")
		running := stubborn.Go(context.Background(), p, struct{}{})
		queued := square.Go(context.Background(), p, 1)
		kill(t, untilState(t, p, 1, "running")[0])
		if _, err := running.Get(patience(t)); !errors.Is(err, pool.ErrWorkerDied) {
			t.Errorf("the running task: %v", err)
		}
		if _, err := queued.Get(patience(t)); !errors.Is(err, pool.ErrWorkerStart) || !strings.Contains(err.Error(), "out of cheese") {
			t.Errorf("the queued task: %v", err)
		}
		if _, err := square.Apply(patience(t), p, 1); !errors.Is(err, pool.ErrWorkerStart) {
			t.Errorf("a later task: %v", err)
		}
		if err := p.Join(patience(t)); !errors.Is(err, pool.ErrWorkerStart) {
			t.Errorf("Join: %v", err)
		}
	})
}

// TestStorm kills workers all the time.
func TestStorm(t *testing.T) {
	n := 4000
	if testing.Short() {
		n = 500
	}
	p := newPool(t, pool.Options{Workers: 3, Retries: 50})
	stop := make(chan struct{})
	var killer sync.WaitGroup
	kills := 0
	killer.Go(func() {
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			case <-tick.C:
			}
			// Not those that start: on a slow machine none would ever be ready.
			if ready := append(pids(p, "idle"), pids(p, "running")...); len(ready) > 0 {
				if syscall.Kill(ready[i%len(ready)], syscall.SIGKILL) == nil {
					kills++
				}
			}
		}
	})
	// At least so long that some are hit.
	deadline := time.Now().Add(500 * time.Millisecond)
	for round := 0; round == 0 || time.Now().Before(deadline); round++ {
		futures := make([]*pool.Future[int], n)
		for i := range futures {
			futures[i] = grind.Go(context.Background(), p, i)
		}
		chunks, err := grind.Map(patience(t), p, numbers(n), pool.Chunk(50))
		if err != nil || !slices.Equal(chunks, squares(n)) {
			t.Fatalf("round %d: map: %v", round, err)
		}
		for i, f := range futures {
			if y, err := f.Get(patience(t)); y != i*i || err != nil {
				t.Fatalf("round %d: square of %d: %d, %v", round, i, y, err)
			}
		}
	}
	close(stop)
	killer.Wait()
	t.Logf("%d kills, %+v", kills, p.Stats())
	if y, err := square.Apply(patience(t), p, 12); y != 144 || err != nil {
		t.Fatalf("afterwards: %d, %v", y, err)
	}
	if s := p.Stats(); s.Failed != 0 || s.Submitted != s.Done || kills == 0 || s.Restarts == 0 {
		t.Errorf("%+v", s)
	}
	p.Close()
	join(t, p)
}

func workerPID(t testing.TB, p *pool.Pool) int {
	t.Helper()
	n, err := pid.Apply(patience(t), p, struct{}{})
	if err != nil {
		t.Fatal(err)
	}
	return n
}
