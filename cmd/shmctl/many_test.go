//go:build unix

package main

import (
	"context"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/shmkit/shmkit/internal/cli"
	"github.com/shmkit/shmkit/internal/cli/clitest"
	"github.com/shmkit/shmkit/ringqueue"
	"github.com/shmkit/shmkit/shm"
)

// thousand makes 1,000 segments, 100 of them queues with records, on disk,
// where they are not paid for with memory.
func thousand(t testing.TB) {
	t.Helper()
	t.Setenv("SHMKIT_DIR", t.TempDir())
	for n := range 900 {
		s, err := shm.Create(fmt.Sprintf("block-%d", n), 100, &shm.Options{Persistent: true})
		if err != nil {
			t.Fatal(err)
		}
		s.Close()
	}
	for n := range 100 {
		q, err := ringqueue.Create[Job](fmt.Sprintf("queue-%d", n), &ringqueue.Options{Capacity: 4096, Persistent: true})
		if err != nil {
			t.Fatal(err)
		}
		for range 10 {
			if err := q.TryPut(Job{}); err != nil {
				t.Fatal(err)
			}
		}
		q.Close()
	}
}

// TestThousand lists 1,000 segments, in a time that is bounded with a margin for
// slow and loaded machines. The benchmark measures.
func TestThousand(t *testing.T) {
	thousand(t)
	best := time.Hour
	for range 3 {
		start := time.Now()
		l := decode[listing](t, "ls")
		best = min(best, time.Since(start))
		if len(l.Segments) != 1000 || l.Segments[999].Depth == nil || *l.Segments[999].Depth != 10 {
			t.Fatalf("%d segments, the last %+v", len(l.Segments), l.Segments[len(l.Segments)-1])
		}
	}
	if best > 5*time.Second {
		t.Errorf("it took %v", best)
	}
}

// TestLsOfWhatGoes lists a directory in which a queue comes and goes: it is there
// or not, and never an error.
func TestLsOfWhatGoes(t *testing.T) {
	clitest.UseDir(t, "shmctl-test-")
	stop, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		for {
			select {
			case <-stop:
				ended <- nil
				return
			default:
			}
			q, err := ringqueue.Create[Job]("fleeting", &ringqueue.Options{Capacity: 4096})
			if err != nil {
				ended <- err
				return
			}
			q.Close()
		}
	}()
	seen := 0
	for range 500 {
		for _, s := range decode[listing](t, "ls").Segments {
			seen++
			if s.Error != nil {
				t.Errorf("%s: %s", s.Name, *s.Error)
			}
		}
	}
	close(stop)
	if err := <-ended; err != nil {
		t.Error(err)
	}
	t.Logf("seen %d times", seen)
}

func BenchmarkLsThousand(b *testing.B) {
	thousand(b)
	for b.Loop() {
		if run(context.Background(), []string{"ls"}, io.Discard, io.Discard) != cli.OK {
			b.Fatal("failed")
		}
	}
}
