//go:build unix

package pool_test

import (
	"context"
	"fmt"
	"net"
	"net/rpc"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/shmkit/shmkit/pool"
	"github.com/shmkit/shmkit/process"
	"github.com/shmkit/shmkit/shm"
	"github.com/shmkit/shmkit/shmtest"
)

// BenchmarkGo submits tasks that do nothing one by one, up to 1000 ahead of
// their results.
func BenchmarkGo(b *testing.B) {
	for workers := range 3 {
		b.Run(fmt.Sprintf("workers=%d", workers+1), func(b *testing.B) {
			p := newPool(b, pool.Options{Workers: workers + 1})
			ctx := context.Background()
			const ahead = 1000
			var window [ahead]*pool.Future[int]
			b.ReportAllocs()
			b.ResetTimer()
			for i := range b.N + ahead {
				if f := window[i%ahead]; f != nil {
					if _, err := f.Get(ctx); err != nil {
						b.Fatal(err)
					}
					window[i%ahead] = nil
				}
				if i < b.N {
					window[i%ahead] = square.Go(ctx, p, i)
				}
			}
			perSecond(b, b.N)
		})
	}
}

// BenchmarkApply is the round trip of one task that does nothing.
func BenchmarkApply(b *testing.B) {
	for _, policy := range []shm.WaitPolicy{shm.Adaptive, shm.Spin, shm.Block} {
		b.Run(policy.String(), func(b *testing.B) {
			p := newPool(b, pool.Options{Workers: 1, Wait: policy})
			ctx := context.Background()
			b.ReportAllocs()
			b.ResetTimer()
			for i := range b.N {
				if _, err := square.Apply(ctx, p, i); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkMap maps a million ints.
func BenchmarkMap(b *testing.B) {
	p := newPool(b, pool.Options{Workers: 2})
	as := numbers(1_000_000)
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		if _, err := square.Map(context.Background(), p, as); err != nil {
			b.Fatal(err)
		}
	}
	perSecond(b, b.N*len(as))
}

// BenchmarkImapUnordered is the same one by one, as an iterator.
func BenchmarkImapUnordered(b *testing.B) {
	p := newPool(b, pool.Options{Workers: 2})
	b.ReportAllocs()
	b.ResetTimer()
	for r := range square.ImapUnordered(context.Background(), p, slices.Values(numbers(b.N)), pool.LookAhead(1000)) {
		if r.Err != nil {
			b.Fatal(r.Err)
		}
	}
	perSecond(b, b.N)
}

// BenchmarkEcho carries arguments and results of a megabyte.
func BenchmarkEcho(b *testing.B) {
	p := newPool(b, pool.Options{Workers: 1})
	arg := make([]byte, 1<<20-64)
	b.SetBytes(2 * int64(len(arg)))
	b.ResetTimer()
	for range b.N {
		if _, err := echo.Apply(context.Background(), p, arg); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkNew is the time from New to the first result, and to the end.
func BenchmarkNew(b *testing.B) {
	for range b.N {
		p := newPool(b, pool.Options{Workers: 2})
		if _, err := square.Apply(context.Background(), p, 1); err != nil {
			b.Fatal(err)
		}
		p.Close()
		join(b, p)
	}
}

// BenchmarkDeath is the time from SIGKILL of a worker to its task's error, and
// to the first result of its replacement.
func BenchmarkDeath(b *testing.B) {
	p := newPool(b, pool.Options{Workers: 1})
	var errs, results []time.Duration
	for range b.N {
		f := stubborn.Go(context.Background(), p, struct{}{})
		victim := 0
		shmtest.Until(b, "the task runs", func() bool { // and not the one before, whose worker has not got round to say so
			w := p.Stats().Workers[0]
			victim = w.PID
			return w.State == "running" && w.Func == "stubborn"
		})
		start := time.Now()
		kill(b, victim)
		<-f.Done()
		errs = append(errs, time.Since(start))
		if _, err := square.Apply(context.Background(), p, 1); err != nil {
			b.Fatal(err)
		}
		results = append(results, time.Since(start))
	}
	slices.Sort(errs)
	slices.Sort(results)
	b.ReportMetric(float64(errs[len(errs)/2].Microseconds()), "µs-to-error")
	b.ReportMetric(float64(errs[len(errs)-1].Microseconds()), "µs-to-error-max")
	b.ReportMetric(float64(results[len(results)/2].Microseconds()), "µs-to-replacement")
}

// Squares is what a pool is compared with: the same function by net/rpc.
type Squares struct{}

func (Squares) Square(x int, y *int) error { *y = x * x; return nil }

var rpcServer = process.Register("rpc server", func(ctx context.Context, path string) error {
	l, err := net.Listen("unix", path)
	if err != nil {
		return err
	}
	context.AfterFunc(ctx, func() { l.Close() })
	s := rpc.NewServer()
	if err := s.Register(Squares{}); err != nil {
		return err
	}
	s.Accept(l)
	return nil
})

// BenchmarkRPC is net/rpc over a Unix socket to a child process.
func BenchmarkRPC(b *testing.B) {
	path := filepath.Join(b.TempDir(), "socket")
	server, err := rpcServer.Start(context.Background(), path, nil)
	if err != nil {
		b.Fatal(err)
	}
	var c *rpc.Client
	shmtest.Until(b, "the server listens", func() bool {
		c, err = rpc.Dial("unix", path)
		return err == nil
	})
	defer func() {
		c.Close()
		server.Kill()
		<-server.Done()
	}()
	b.Run("call", func(b *testing.B) {
		b.ReportAllocs()
		for i := range b.N {
			var y int
			if err := c.Call("Squares.Square", i, &y); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("ahead", func(b *testing.B) {
		const ahead = 1000
		var window [ahead]*rpc.Call
		b.ReportAllocs()
		for i := range b.N + ahead {
			if call := window[i%ahead]; call != nil {
				if <-call.Done; call.Error != nil {
					b.Fatal(call.Error)
				}
				window[i%ahead] = nil
			}
			if i < b.N {
				window[i%ahead] = c.Go("Squares.Square", i, new(int), make(chan *rpc.Call, 1))
			}
		}
		perSecond(b, b.N)
	})
}

func perSecond(b *testing.B, n int) {
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "items/s")
}
