//go:build unix

package pool_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/shmkit/shmkit/codec"
	"github.com/shmkit/shmkit/pool"
)

// TestConformance has the rows of Python's behaviour that the pool reproduces,
// or does better, by their numbers.
func TestConformance(t *testing.T) {
	ctx := context.Background()

	t.Run("O01_apply", func(t *testing.T) {
		p := newPool(t, pool.Options{Workers: 2})
		if y, err := square.Apply(patience(t), p, 7); y != 49 || err != nil {
			t.Fatalf("square of 7: %d, %v", y, err)
		}
		if s, err := upper.Apply(patience(t), p, "spam"); s != "SPAM" || err != nil {
			t.Fatalf("upper: %q, %v", s, err)
		}
	})

	t.Run("O02_map", func(t *testing.T) {
		p := newPool(t, pool.Options{Workers: 3})
		for _, tt := range []struct {
			n    int
			opts []pool.Option
		}{{10, nil}, {100, []pool.Option{pool.Chunk(20)}}, {100, []pool.Option{pool.Chunk(1000)}}, {1, nil}} {
			got, err := square.Map(patience(t), p, numbers(tt.n), tt.opts...)
			if err != nil || !slices.Equal(got, squares(tt.n)) {
				t.Errorf("map of %d: %v, %v", tt.n, got, err)
			}
		}
	})

	t.Run("O06_map_chunksize", func(t *testing.T) {
		p := newPool(t, pool.Options{Workers: 1})
		if got, err := square.Map(patience(t), p, nil, pool.Chunk(1)); len(got) != 0 || got == nil || err != nil {
			t.Fatalf("map of nothing: %v, %v", got, err)
		}
	})

	t.Run("O08_async", func(t *testing.T) {
		p := newPool(t, pool.Options{Workers: 1})
		path := marker(t)
		f := hold.Go(ctx, p, path)
		untilState(t, p, 1, "running")
		select {
		case <-f.Done():
			t.Fatal("done while it runs")
		default:
		}
		remove(t, path)
		if got, err := f.Get(patience(t)); got != p.Stats().Workers[0].PID || err != nil {
			t.Fatalf("got %d, %v", got, err)
		}
		<-f.Done()
	})

	t.Run("O09_async_timeout", func(t *testing.T) {
		p := newPool(t, pool.Options{Workers: 1})
		path := marker(t)
		f := hold.Go(ctx, p, path)
		short, cancel := context.WithTimeout(ctx, 10*time.Millisecond)
		defer cancel()
		if _, err := f.Get(short); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("Get: %v", err)
		}
		remove(t, path)
		if _, err := f.Get(patience(t)); err != nil {
			t.Fatalf("the task did not go on: %v", err)
		}
		if _, err := f.Get(short); err != nil {
			t.Fatalf("a result that is there, asked for too late: %v", err)
		}
	})

	t.Run("O11_imap_unordered", func(t *testing.T) {
		p := newPool(t, pool.Options{Workers: 2})
		for _, chunk := range []int{1, 100} {
			got := make([]int, 1000)
			n := 0
			for r := range square.ImapUnordered(patience(t), p, slices.Values(numbers(1000)), pool.Chunk(chunk)) {
				if r.Err != nil {
					t.Fatal(r.Err)
				}
				got[r.Index] = r.Value
				n++
			}
			if n != 1000 || !slices.Equal(got, squares(1000)) {
				t.Errorf("chunk %d: %d results: %v", chunk, n, got)
			}
		}
	})

	t.Run("O12_make_pool", func(t *testing.T) {
		for _, o := range []pool.Options{{Workers: -1}, {Workers: 241}, {Retries: -1}, {MaxTasks: -1}, {Capacity: -1}, {Grace: -1}} {
			if p, err := pool.New(&o); err == nil {
				p.Terminate()
				t.Errorf("%+v is accepted", o)
			}
		}
		p := newPool(t, pool.Options{Workers: 3})
		seen := make(map[int]bool)
		for _, pid := range untilState(t, p, 3, "idle") {
			seen[pid] = true
		}
		if len(seen) != 3 {
			t.Fatalf("processes %v", seen)
		}
	})

	t.Run("O13_terminate", func(t *testing.T) {
		p := newPool(t, pool.Options{Workers: 2})
		var futures []*pool.Future[int]
		for range 10000 {
			futures = append(futures, stubborn.Go(ctx, p, struct{}{}))
		}
		untilState(t, p, 2, "running")
		start := time.Now()
		p.Terminate()
		for _, f := range futures {
			if _, err := f.Get(patience(t)); !errors.Is(err, pool.ErrTerminated) {
				t.Fatalf("unfinished task: %v", err)
			}
		}
		join(t, p)
		if d := time.Since(start); d > 10*time.Second {
			t.Errorf("took %v", d)
		}
	})

	t.Run("O14_empty_iterable", func(t *testing.T) {
		p := newPool(t, pool.Options{Workers: 1})
		for _, as := range [][]int{nil, {}} {
			if got, err := square.Map(patience(t), p, as); len(got) != 0 || got == nil || err != nil {
				t.Errorf("map: %v, %v", got, err)
			}
			for r := range square.ImapUnordered(patience(t), p, slices.Values(as)) {
				t.Errorf("imap: %+v", r)
			}
		}
	})

	t.Run("O19_map_no_failfast", func(t *testing.T) {
		p := newPool(t, pool.Options{Workers: 2})
		_, err := misbehave.Map(patience(t), p, []string{"panic", "a", "panic", "b"}, pool.Chunk(2))
		var m *pool.MapError
		if !errors.As(err, &m) || m.Failed != 2 || m.Index != 0 {
			t.Fatalf("%v", err)
		}
		p.Close()
		join(t, p)
	})

	t.Run("O23_unencodable_result", func(t *testing.T) {
		p := newPool(t, pool.Options{Workers: 1})
		before, err := pid.Apply(patience(t), p, struct{}{})
		if err != nil {
			t.Fatal(err)
		}
		for range 20 {
			if _, err := unsendable.Apply(patience(t), p, struct{}{}); !errors.Is(err, pool.ErrResult) {
				t.Fatalf("result that can't be encoded: %v", err)
			}
		}
		if after, err := pid.Apply(patience(t), p, struct{}{}); after != before || err != nil {
			t.Fatalf("worker was %d, is %d, %v", before, after, err)
		}
	})

	t.Run("O30_large_pool", func(t *testing.T) {
		if testing.Short() {
			t.Skip("many processes")
		}
		p := newPool(t, pool.Options{Workers: manyWorkers})
		ys, err := square.Map(patience(t), p, numbers(1000))
		sum := 0
		for _, y := range ys {
			sum += y
		}
		if sum != 332833500 || err != nil {
			t.Fatalf("%d, %v", sum, err)
		}
		p.Close()
		join(t, p)
	})

	t.Run("X06_exit", func(t *testing.T) {
		p := newPool(t, pool.Options{Workers: 1})
		_, err := misbehave.Apply(patience(t), p, "exit 3")
		var w *pool.WorkerError
		if !errors.Is(err, pool.ErrWorkerDied) || !errors.As(err, &w) || w.ExitCode != 3 || w.Func != "misbehave" || w.Attempt != 1 {
			t.Fatalf("%+v", err)
		}
		if y, err := square.Apply(patience(t), p, 3); y != 9 || err != nil {
			t.Fatalf("afterwards: %d, %v", y, err)
		}
	})

	t.Run("X07_kill_idle", func(t *testing.T) {
		for _, n := range []int{1, 4} {
			p := newPool(t, pool.Options{Workers: n})
			for _, pid := range untilState(t, p, n, "idle") {
				kill(t, pid)
			}
			for i := range 2 * n {
				if y, err := square.Apply(patience(t), p, i); y != i*i || err != nil {
					t.Fatalf("pool of %d: %d, %v", n, y, err)
				}
			}
		}
	})

	t.Run("X12_get_after_terminate", func(t *testing.T) {
		p := newPool(t, pool.Options{Workers: 1})
		running := stubborn.Go(ctx, p, struct{}{})
		queued := square.Go(ctx, p, 1)
		untilState(t, p, 1, "running")
		p.Terminate()
		late := square.Go(ctx, p, 2)
		for _, get := range []func(context.Context) (int, error){running.Get, queued.Get, late.Get} {
			if _, err := get(patience(t)); !errors.Is(err, pool.ErrTerminated) {
				t.Errorf("Get: %v", err)
			}
		}
	})

	t.Run("X17_join_before_get", func(t *testing.T) {
		p := newPool(t, pool.Options{Workers: 1})
		f := grow.Go(ctx, p, 1_000_000)
		p.Close()
		join(t, p)
		if b, err := f.Get(ctx); len(b) != 1_000_000 || err != nil {
			t.Fatalf("%d bytes, %v", len(b), err)
		}
	})

	t.Run("X18_unencodable", func(t *testing.T) {
		p := newPool(t, pool.Options{Workers: 1})
		if _, err := anything.Go(ctx, p, func() {}).Get(patience(t)); !errors.Is(err, codec.ErrEncode) {
			t.Fatalf("argument that can't be encoded: %v", err)
		}
		if s := p.Stats(); s.Submitted != 0 || s.Queued != 0 {
			t.Errorf("queued nevertheless: %+v", s)
		}
		if got, err := anything.Apply(patience(t), p, "x"); got != "x" || err != nil {
			t.Fatalf("afterwards: %v, %v", got, err)
		}
	})

	t.Run("X20_only_the_culprit", func(t *testing.T) {
		for name, opts := range map[string][]pool.Option{"chunk of 1": {pool.Chunk(1)}, "chunk of 4": {pool.Chunk(4)}, "one chunk": {pool.Chunk(9)}} {
			p := newPool(t, pool.Options{Workers: 3})
			as := []string{"a", "b", "c", "d", "e", "exit 3", "g", "h", "i"}
			got, err := misbehave.Map(patience(t), p, as, opts...)
			var m *pool.MapError
			if !errors.As(err, &m) || m.Failed != 1 || m.Index != 5 || !errors.Is(err, pool.ErrWorkerDied) {
				t.Fatalf("%s: %v", name, err)
			}
			want := slices.Clone(as)
			want[5] = ""
			if !slices.Equal(got, want) {
				t.Errorf("%s: results %q", name, got)
			}
			if y, err := square.Apply(patience(t), p, 3); y != 9 || err != nil {
				t.Fatalf("%s: afterwards: %d, %v", name, y, err)
			}
		}
	})

	t.Run("X23_chunk_0", func(t *testing.T) {
		p := newPool(t, pool.Options{Workers: 1})
		for _, n := range []int{0, -1} {
			if got, err := square.Map(patience(t), p, []int{1, 2}, pool.Chunk(n)); err == nil || got != nil {
				t.Errorf("chunk %d: %v, %v", n, got, err)
			}
			for _, o := range []pool.Option{pool.Chunk(n), pool.LookAhead(n)} {
				var errs []error
				for r := range square.ImapUnordered(patience(t), p, slices.Values([]int{1, 2}), o) {
					errs = append(errs, r.Err)
				}
				if len(errs) != 1 || errs[0] == nil || !strings.Contains(errs[0].Error(), fmt.Sprint(n)) {
					t.Errorf("imap with %d: %v", n, errs)
				}
			}
		}
	})
}

func numbers(n int) []int {
	s := make([]int, n)
	for i := range s {
		s[i] = i
	}
	return s
}

func squares(n int) []int {
	s := numbers(n)
	for i := range s {
		s[i] *= i
	}
	return s
}
