//go:build unix

package main

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/shmkit/shmkit/internal/cli"
	"github.com/shmkit/shmkit/internal/cli/clitest"
	"github.com/shmkit/shmkit/process"
	"github.com/shmkit/shmkit/ringqueue"
	"github.com/shmkit/shmkit/shm"
)

// TestSabotage does to a run's queue from outside what a broken library would
// do, and expects to be found out.
func TestSabotage(t *testing.T) {
	m := mint{seed: 7, sizes: sizes{{16, 256}, {16, 2048}}}
	for name, tt := range map[string]struct {
		sabotage func(t *testing.T, q *ringqueue.Queue[[]byte])
		want     []string // kinds of which there must be a violation
	}{
		"steal": {func(t *testing.T, q *ringqueue.Queue[[]byte]) {
			steal(t, q)
		}, []string{lost}},
		"damage": {func(t *testing.T, q *ringqueue.Queue[[]byte]) {
			b := steal(t, q)
			b[len(b)-1] ^= 1
			put(t, q, b)
		}, []string{torn}},
		"copy": {func(t *testing.T, q *ringqueue.Queue[[]byte]) {
			b := steal(t, q)
			put(t, q, b)
			put(t, q, b)
		}, []string{duplicate, reordered, late}},
		"forge": {func(t *testing.T, q *ringqueue.Queue[[]byte]) {
			id := recordID{seat: 1, life: 1, seq: 1 << 40}
			b := make([]byte, m.sizeOf(id))
			m.fill(b, id, plainRecord)
			put(t, q, b)
		}, []string{invented}},
		"resurrect": {func(t *testing.T, q *ringqueue.Queue[[]byte]) {
			id := recordID{seat: 1, life: 1, seq: 0}
			b := make([]byte, m.sizeOf(id))
			m.fill(b, id, abortedRecord)
			put(t, q, b)
		}, []string{aborted}},
		"abort a member": {func(t *testing.T, _ *ringqueue.Queue[[]byte]) {
			if err := process.Children()[0].Signal(syscall.SIGABRT); err != nil {
				t.Fatal(err)
			}
		}, []string{crashed}},
		"shut down": {func(t *testing.T, q *ringqueue.Queue[[]byte]) {
			if err := q.Shutdown(true); err != nil {
				t.Fatal(err)
			}
		}, []string{failedOp}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := clitest.UseDir(t, "shmstress-test-")
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			done := make(chan result, 1)
			go func() {
				done <- shmstress(ctx, strings.Fields("queue -duration 1h -kill-rate 0 -stop-rate 0 -o json -seed 7")...)
			}()
			clitest.Until(t, "members have joined", func() bool { return holders(t, dir) > 8 })
			q, err := ringqueue.Open[[]byte](queueName(t, dir), nil)
			if err != nil {
				t.Fatal(err)
			}
			tt.sabotage(t, q)
			if err := q.Close(); err != nil {
				t.Fatal(err)
			}
			if name == "steal" {
				cancel() // it is known at the end
			}
			r := <-done
			s := decode(t, r.out)
			found := slices.ContainsFunc(s.Violations, func(v violation) bool { return slices.Contains(tt.want, v.Kind) })
			if r.status != cli.Failure || !found || s.Evidence == nil {
				t.Fatalf("status %d, %s", r.status, r.out)
			}
			if name == "damage" {
				if files, err := filepath.Glob(filepath.Join(*s.Evidence, "torn-*.txt")); err != nil || len(files) == 0 {
					t.Errorf("the bytes are not in the evidence: %v", err)
				}
			}
		})
	}
}

// queueName returns the name of the run's queue.
func queueName(t *testing.T, dir string) string {
	t.Helper()
	infos, err := shm.Dir(dir).List()
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range infos {
		if i.Kind == ringqueue.Kind {
			return i.Name
		}
	}
	t.Fatal("no queue")
	return ""
}

func steal(t *testing.T, q *ringqueue.Queue[[]byte]) []byte {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	b, err := q.Get(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func put(t *testing.T, q *ringqueue.Queue[[]byte], b []byte) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := q.Put(ctx, b); err != nil {
		t.Fatal(err)
	}
}
