//go:build unix

package main

import (
	"context"
	"fmt"
	"io"
	"testing"
	"time"

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

func BenchmarkLsThousand(b *testing.B) {
	thousand(b)
	for b.Loop() {
		if run(context.Background(), []string{"ls"}, io.Discard, io.Discard) != exitOK {
			b.Fatal("failed")
		}
	}
}
