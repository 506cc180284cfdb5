//go:build unix

package pool_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/shmkit/shmkit/pool"
	"github.com/shmkit/shmkit/process"
	"github.com/shmkit/shmkit/shm"
	"github.com/shmkit/shmkit/shmtest"
)

func TestClose(t *testing.T) {
	p := newPool(t, pool.Options{Workers: 1})
	if err := p.Join(patience(t)); !errors.Is(err, pool.ErrRunning) {
		t.Errorf("Join before Close: %v", err)
	}
	path := marker(t)
	running := hold.Go(context.Background(), p, path)
	var queued []*pool.Future[int]
	for i := range 100 {
		queued = append(queued, square.Go(context.Background(), p, i))
	}
	p.Close()
	p.Close()
	if _, err := square.Apply(patience(t), p, 1); !errors.Is(err, pool.ErrClosed) {
		t.Errorf("Apply after Close: %v", err)
	}
	if _, err := square.Map(patience(t), p, []int{1, 2}); !errors.Is(err, pool.ErrClosed) {
		t.Errorf("Map after Close: %v", err)
	}
	short, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	if err := p.Join(short); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Join while a task runs: %v", err)
	}
	remove(t, path)
	join(t, p)
	for i, f := range queued {
		if y, err := f.Get(short); y != i*i || err != nil {
			t.Errorf("queued task %d: %d, %v", i, y, err)
		}
	}
	if _, err := running.Get(short); err != nil {
		t.Error(err)
	}
	if s := p.Stats(); s.Done != 101 || s.Queued != 0 || s.Running != 0 {
		t.Errorf("%+v", s)
	}
	p.Terminate()
	if _, err := running.Get(short); err != nil {
		t.Error(err)
	}
}

// TestCloseRetries closes a pool whose last task has to run again: the worker
// that runs it is started after Close.
func TestCloseRetries(t *testing.T) {
	p := newPool(t, pool.Options{Workers: 1, Retries: 1})
	path, victim := marker(t), marker(t)
	held := hold.Go(context.Background(), p, path)
	f := once.Go(context.Background(), p, victim)
	p.Close()
	remove(t, path)
	if _, err := held.Get(patience(t)); err != nil {
		t.Fatal(err)
	}
	if got, err := f.Get(patience(t)); got != "again" || err != nil {
		t.Fatalf("%q, %v", got, err)
	}
	join(t, p)
}

func TestMaxTasks(t *testing.T) {
	p := newPool(t, pool.Options{Workers: 1, MaxTasks: 2})
	path := marker(t)
	a := hold.Go(context.Background(), p, path)
	b := hold.Go(context.Background(), p, path)
	short, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	if _, err := square.Go(short, p, 1).Get(patience(t)); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("third of two tasks: %v", err)
	}
	c := make(chan error)
	go func() {
		_, err := square.Go(context.Background(), p, 1).Get(context.Background())
		c <- err
	}()
	remove(t, path)
	for _, f := range []*pool.Future[int]{a, b} {
		if _, err := f.Get(patience(t)); err != nil {
			t.Error(err)
		}
	}
	if err := <-c; err != nil {
		t.Error(err)
	}
}

// TestQueueFull submits more bytes than the queue holds: first while nobody
// takes them, with a deadline, then without.
func TestQueueFull(t *testing.T) {
	p := newPool(t, pool.Options{Workers: 1, Capacity: 64 << 10})
	path := marker(t)
	held := hold.Go(context.Background(), p, path)
	untilState(t, p, 1, "running")
	short, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	b := make([]byte, 10<<10)
	var futures []*pool.Future[[]byte]
	for range 10 {
		futures = append(futures, echo.Go(short, p, b))
	}
	remove(t, path)
	if _, err := held.Get(patience(t)); err != nil {
		t.Fatal(err)
	}
	full := 0
	for _, f := range futures {
		got, err := f.Get(patience(t))
		switch {
		case errors.Is(err, context.DeadlineExceeded):
			full++
		case err != nil || len(got) != len(b):
			t.Errorf("%d bytes, %v", len(got), err)
		}
	}
	if full < 4 || full == len(futures) {
		t.Errorf("%d of %d did not fit", full, len(futures))
	}
	got, err := echo.Map(patience(t), p, slices.Repeat([][]byte{b}, 50))
	if err != nil || len(got) != 50 {
		t.Fatalf("%d results, %v", len(got), err)
	}
}

func TestLargeRecords(t *testing.T) {
	p := newPool(t, pool.Options{Workers: 1})
	const most = 1<<20 - 28
	b := make([]byte, most+1)
	for i := range b {
		b[i] = byte(i * 7)
	}
	if got, err := echo.Apply(patience(t), p, b[:most]); !slices.Equal(got, b[:most]) || err != nil {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if _, err := echo.Apply(patience(t), p, b); !errors.Is(err, pool.ErrTooLarge) || !strings.Contains(err.Error(), strconv.Itoa(most)) {
		t.Errorf("argument: %v", err)
	}
	if _, err := grow.Apply(patience(t), p, most+1); !errors.Is(err, pool.ErrTooLarge) || !strings.Contains(err.Error(), strconv.Itoa(most)) {
		t.Errorf("result: %v", err)
	}
	got, err := echo.Map(patience(t), p, [][]byte{b[:5], b[:most], b, b[:100<<10], b[:6]}, pool.Chunk(5))
	var m *pool.MapError
	if !errors.As(err, &m) || m.Index != 2 || m.Failed != 1 || len(got[0]) != 5 || len(got[1]) != most || len(got[3]) != 100<<10 || len(got[4]) != 6 {
		t.Errorf("map: %v", err)
	}
}

func TestConcurrentGo(t *testing.T) {
	p := newPool(t, pool.Options{Workers: 2, MaxTasks: 50})
	var g sync.WaitGroup
	for k := range 20 {
		g.Go(func() {
			for i := range 100 {
				x := k*1000 + i
				if y, err := square.Apply(context.Background(), p, x); y != x*x || err != nil {
					t.Errorf("%d squared: %d, %v", x, y, err)
				}
			}
		})
	}
	g.Wait()
	if s := p.Stats(); s.Submitted != 2000 || s.Done != 2000 {
		t.Errorf("%+v", s)
	}
}

// TestTerminateWhileSubmitting terminates pools in the face of goroutines that
// submit, and wait for room.
func TestTerminateWhileSubmitting(t *testing.T) {
	for range 5 {
		p := newPool(t, pool.Options{Workers: 2, MaxTasks: 10})
		var g sync.WaitGroup
		for range 4 {
			g.Go(func() {
				for {
					f := square.Go(context.Background(), p, 3)
					if y, err := f.Get(context.Background()); errors.Is(err, pool.ErrTerminated) {
						return
					} else if y != 9 || err != nil {
						t.Errorf("%d, %v", y, err)
						return
					}
				}
			})
			g.Go(func() {
				for {
					f := square.Go(context.Background(), p, 3)
					if p.Stats().Done < 20 {
						continue
					}
					select {
					case <-f.Done():
						if _, err := f.Get(context.Background()); err != nil {
							return
						}
					default:
					}
				}
			})
		}
		shmtest.Until(t, "tasks are done", func() bool { return p.Stats().Done > 100 })
		p.Terminate()
		g.Wait()
		join(t, p)
	}
}

func TestOnDone(t *testing.T) {
	p := newPool(t, pool.Options{Workers: 1})
	path := marker(t)
	f := hold.Go(context.Background(), p, path)
	var calls atomic.Int32
	got := make(chan int, 10)
	f.OnDone(func(pid int, err error) {
		calls.Add(1)
		if err != nil {
			t.Error(err)
		}
		got <- pid
	})
	f.OnDone(func(int, error) { panic("in a callback") })
	remove(t, path)
	pid, err := f.Get(patience(t))
	if err != nil {
		t.Fatal(err)
	}
	if first := <-got; first != pid {
		t.Errorf("the callback got %d, Get %d", first, pid)
	}
	f.OnDone(func(pid int, _ error) { got <- pid })
	if second := <-got; second != pid {
		t.Errorf("the late callback got %d, Get %d", second, pid)
	}
	shmtest.Until(t, "the panic is counted", func() bool { return p.Stats().CallbackPanics == 1 })
	if n := calls.Load(); n != 1 {
		t.Errorf("%d calls", n)
	}
	if y, err := square.Apply(patience(t), p, 2); y != 4 || err != nil {
		t.Errorf("afterwards: %d, %v", y, err)
	}
}

func TestImapReadsLazily(t *testing.T) {
	p := newPool(t, pool.Options{Workers: 2})
	for _, ahead := range []int{1, 3, 7} {
		read, yielded := 0, 0
		endless := func(yield func(int) bool) {
			for yield(read) {
				read++
			}
		}
		for r := range square.ImapUnordered(patience(t), p, endless, pool.Chunk(3), pool.LookAhead(ahead)) {
			if r.Err != nil || r.Value != r.Index*r.Index {
				t.Fatalf("%+v", r)
			}
			yielded++
			// Counted when it is asked for the next: one less than were read.
			if read+1 > yielded-1+ahead {
				t.Fatalf("ahead %d: %d read, %d yielded", ahead, read+1, yielded)
			}
			if yielded == 100 {
				break
			}
		}
	}
	// Each item fails by itself.
	good := 0
	for r := range misbehave.ImapUnordered(patience(t), p, slices.Values([]string{"a", "panic", "b", "exit 3", "c"}), pool.Chunk(2)) {
		if (r.Err != nil) != (r.Index == 1 || r.Index == 3) {
			t.Errorf("%+v", r)
		}
		if r.Err == nil {
			good++
		}
	}
	if good != 3 {
		t.Errorf("%d results", good)
	}
}

func TestImapEnds(t *testing.T) {
	p := newPool(t, pool.Options{Workers: 1})
	ctx, cancel := context.WithCancel(context.Background())
	path := marker(t)
	n := 0
	endless := func(yield func(string) bool) {
		for {
			if n++; n == 4 {
				cancel()
			}
			if !yield(path) {
				return
			}
		}
	}
	var last pool.Result[int]
	for last = range hold.ImapUnordered(ctx, p, endless) {
	}
	if last.Index != -1 || !errors.Is(last.Err, context.Canceled) {
		t.Errorf("cancelled: %+v", last)
	}
	p.Terminate()
	for last = range hold.ImapUnordered(patience(t), p, endless) {
	}
	if last.Index != -1 || !errors.Is(last.Err, pool.ErrTerminated) {
		t.Errorf("terminated: %+v", last)
	}
}

// TestMapError has the second item fail before the first one.
func TestMapError(t *testing.T) {
	p := newPool(t, pool.Options{Workers: 2})
	path := marker(t)
	go func() {
		shmtest.Until(t, "the second has failed", func() bool { return p.Stats().Failed == 1 })
		remove(t, path)
	}()
	_, err := failAfter.Map(patience(t), p, []string{path, "/no such file"}, pool.Chunk(1))
	var m *pool.MapError
	if !errors.As(err, &m) || m.Index != 0 || m.Failed != 2 || !strings.Contains(err.Error(), "failed at last (and 1 more)") {
		t.Errorf("%v", err)
	}
}

func TestMapCancelled(t *testing.T) {
	p := newPool(t, pool.Options{Workers: 1})
	ctx, cancel := context.WithCancel(context.Background())
	path := marker(t)
	go func() {
		defer cancel()
		shmtest.Until(t, "it runs", func() bool { return len(pids(p, "running")) == 1 })
	}()
	if got, err := hold.Map(ctx, p, []string{path, path}); got != nil || !errors.Is(err, context.Canceled) {
		t.Errorf("%v, %v", got, err)
	}
}

// A parent is another process that has a pool.
type parentArgs struct {
	Dir  string
	File string // where it writes the process IDs of its workers
	Busy bool   // its workers run a task that never returns
	End  bool   // it returns without ending its pool
}

var parent = process.Register("pool parent", func(ctx context.Context, a parentArgs) error {
	p, err := pool.New(&pool.Options{Workers: 3, Dir: a.Dir, Grace: 50 * time.Millisecond})
	if err != nil {
		return err
	}
	want := "idle"
	if a.Busy {
		want = "running"
		for range 10 {
			stubborn.Go(ctx, p, struct{}{})
		}
	}
	for len(pids(p, want)) < 3 {
		time.Sleep(time.Millisecond)
	}
	var lines []string
	for _, pid := range pids(p, want) {
		lines = append(lines, strconv.Itoa(pid))
	}
	if err := os.WriteFile(a.File+".new", []byte(strings.Join(lines, "\n")), 0o600); err != nil {
		return err
	}
	if err := os.Rename(a.File+".new", a.File); err != nil {
		return err
	}
	if !a.End {
		<-ctx.Done()
	}
	return nil
})

// TestParentEnds kills a process that has a pool, and has one end without
// closing its pool: its workers end, and nothing is left that Sweep does not
// remove.
func TestParentEnds(t *testing.T) {
	for name, a := range map[string]parentArgs{
		"killed, idle": {}, "killed, busy": {Busy: true}, "ends, idle": {End: true}, "ends, busy": {Busy: true, End: true},
	} {
		t.Run(name, func(t *testing.T) {
			a.Dir = shmtest.Dir(t)
			a.File = filepath.Join(t.TempDir(), "pids")
			proc, err := parent.Start(patience(t), a, nil)
			if err != nil {
				t.Fatal(err)
			}
			var workers []int
			shmtest.Until(t, "the pool works", func() bool {
				b, err := os.ReadFile(a.File)
				if err != nil {
					return false
				}
				for _, line := range strings.Fields(string(b)) {
					pid, err := strconv.Atoi(line)
					if err != nil {
						t.Fatal(err)
					}
					workers = append(workers, pid)
				}
				return true
			})
			if a.End {
				if err := proc.Wait(patience(t)); err != nil {
					t.Fatalf("a program that leaves its pool alone: %v", err)
				}
			} else {
				proc.Kill()
				<-proc.Done()
			}
			for _, pid := range workers {
				shmtest.Until(t, "the workers are gone", func() bool { return gone(pid) })
			}
			untilUnheld(t, a.Dir)
			if _, err := shm.Dir(a.Dir).Sweep(); err != nil {
				t.Error(err)
			}
			noSegments(t, a.Dir)
		})
	}
}

// untilUnheld waits until nobody holds a segment in dir. (The first thread of a
// process can be gone while the last one still has its files.)
func untilUnheld(t testing.TB, dir string) {
	t.Helper()
	shmtest.Until(t, "nobody holds a segment", func() bool {
		list, err := shm.Dir(dir).List()
		if err != nil {
			t.Fatal(err)
		}
		return !slices.ContainsFunc(list, func(i shm.Info) bool { return i.Holders > 0 })
	})
}

// TestNewSweeps has a new pool remove what a killed one left.
func TestNewSweeps(t *testing.T) {
	dir := shmtest.Dir(t)
	file := filepath.Join(t.TempDir(), "pids")
	proc, err := parent.Start(patience(t), parentArgs{Dir: dir, File: file, Busy: true}, nil)
	if err != nil {
		t.Fatal(err)
	}
	shmtest.Until(t, "the pool works", func() bool { _, err := os.Stat(file); return err == nil })
	proc.Kill()
	<-proc.Done()
	untilUnheld(t, dir)
	p := newPool(t, pool.Options{Workers: 1, Dir: dir})
	list, err := shm.Dir(dir).List()
	if err != nil || len(list) != 3 {
		t.Errorf("%d segments, %v", len(list), err)
	}
	p.Close()
	join(t, p)
}

func TestNames(t *testing.T) {
	dir := shmtest.Dir(t)
	p := newPool(t, pool.Options{Workers: 1, Dir: dir, Name: "crunch"})
	if p.Name() != "crunch" {
		t.Errorf("named %q", p.Name())
	}
	if q, err := pool.New(&pool.Options{Workers: 1, Dir: dir, Name: "crunch"}); !errors.Is(err, shm.ErrExist) {
		t.Errorf("a second one of that name: %v, %v", q, err)
	}
	list, err := shm.Dir(dir).List()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, i := range list {
		names = append(names, i.Name)
	}
	if !slices.Equal(names, []string{"crunch", "crunch.results", "crunch.tasks"}) {
		t.Errorf("segments %q", names)
	}
}

// TestLeavesNothing compares descriptors before and after many pools.
func TestLeavesNothing(t *testing.T) {
	count := func() int {
		list, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Skip("no /proc/self/fd")
		}
		return len(list)
	}
	round := func() {
		p := newPool(t, pool.Options{Workers: 2, Stderr: new(strings.Builder)})
		if _, err := misbehave.Apply(patience(t), p, "exit 3"); err == nil {
			t.Error("no error")
		}
		if _, err := square.Map(patience(t), p, numbers(100)); err != nil {
			t.Error(err)
		}
		p.Close()
		join(t, p)
	}
	round() // what the runtime and the packages open once
	before := count()
	for range 5 {
		round()
	}
	if after := count(); after > before {
		t.Errorf("%d descriptors before, %d after", before, after)
	}
	if all := process.Children(); len(all) != 0 {
		t.Errorf("children left: %v", all)
	}
}
