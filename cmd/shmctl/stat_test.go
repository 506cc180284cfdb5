//go:build unix

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/shmkit/shmkit/internal/cli"
	"github.com/shmkit/shmkit/internal/cli/clitest"
)

// A running stat is one whose lines are read while it runs.
type running struct {
	lines  *json.Decoder
	status chan int
	errs   *bytes.Buffer
}

// startStat starts stat -o json in this process and reads its first line: what
// happens from then on is in the next ones.
func startStat(t *testing.T, ctx context.Context, name string) *running {
	t.Helper()
	r, w := io.Pipe()
	s := &running{json.NewDecoder(r), make(chan int, 1), new(bytes.Buffer)}
	go func() {
		s.status <- run(ctx, []string{"stat", name, "--interval", "1ms", "-o", "json"}, w, s.errs)
		w.Close()
	}()
	t.Cleanup(func() { r.CloseWithError(io.ErrClosedPipe) })
	s.next(t)
	return s
}

func (s *running) next(t *testing.T) sample {
	t.Helper()
	var v sample
	if err := s.lines.Decode(&v); err != nil {
		t.Fatal(err)
	}
	return v
}

// end reads what is left and returns the exit status.
func (s *running) end() int {
	for s.lines.Decode(new(sample)) == nil {
	}
	return <-s.status
}

// TestStat adds up the deltas of a queue at work, and interrupts.
func TestStat(t *testing.T) {
	clitest.UseDir(t, "shmctl-test-")
	c := startChild(t, "worker")
	c.do("queue jobs 65536")
	c.do("put - 10") // before: not in the sum
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	s := startStat(t, ctx, "jobs")
	worked := make(chan struct{})
	go func() {
		defer close(worked)
		c.do("put - 100")
		c.do("get - 40")
	}()
	var puts, gets, in uint64
	for puts < 100 || gets < 40 {
		v := s.next(t)
		puts, gets, in = puts+v.Counters["puts"], gets+v.Counters["gets"], in+v.Counters["bytes-in"]
		if v.Queue == nil || v.Pool != nil || v.Kind != "queue" || v.Name != "jobs" || v.Processes != 1 || v.Seconds <= 0 || time.Since(v.Time) > time.Hour {
			t.Fatalf("%+v", v)
		}
	}
	<-worked
	if v := s.next(t); puts != 100 || gets != 40 || in != 12800 || v.Queue.Ready != 70 || v.Counters["puts"] != 0 {
		t.Errorf("%d puts, %d gets, %d bytes, then %+v", puts, gets, in, v)
	}
	cancel()
	if status := s.end(); status != cli.OK || s.errs.Len() > 0 {
		t.Errorf("interrupted: status %d, %q", status, s.errs)
	}
}

// TestStatOfWhatGoesAway ends when the segment is removed, replaced or cut.
func TestStatOfWhatGoesAway(t *testing.T) {
	dir := clitest.UseDir(t, "shmctl-test-")
	for _, test := range []struct {
		what, want string
		do         func()
	}{
		{"removed", "shmctl: stat jobs: the segment has been removed (", func() { ok(t, "rm", "jobs") }},
		{"replaced", "shmctl: stat jobs: another segment has taken its name (", func() {
			if err := os.Rename(dir+"/other", dir+"/jobs"); err != nil {
				t.Error(err)
			}
		}},
		{"cut", "shmctl: stat jobs: wrong size", func() {
			if err := os.Truncate(dir+"/jobs", 5000); err != nil {
				t.Error(err)
			}
		}},
	} {
		t.Run(test.what, func(t *testing.T) {
			c := startChild(t, "keeper")
			c.do("block jobs 100")
			c.do("block other 100")
			c.stop() // its own goroutines must not meet the cut
			s := startStat(t, context.Background(), "jobs")
			test.do()
			if status := s.end(); status != cli.Failure || !strings.HasPrefix(s.errs.String(), test.want) || !isErrorLine(s.errs.String()) {
				t.Errorf("status %d, %q", status, s.errs)
			}
			c.kill()
			shmctl("rm", "jobs", "other")
		})
	}
}

func TestStatTable(t *testing.T) {
	clitest.UseDir(t, "shmctl-test-")
	c := startChild(t, "worker")
	c.do("queue jobs 4096")
	c.do("put - 3")
	c.do("pool frames")
	for name, want := range map[string]string{"jobs": "READY", "frames": "RUNNING"} {
		lines := strings.Split(ok(t, "stat", name, "--interval", "1ms", "--count", "3"), "\n")
		if len(lines) != 5 || !strings.Contains(lines[0], want) || len(lines[1]) != len(lines[0]) || len(lines[3]) != len(lines[0]) {
			t.Errorf("%q", lines)
		}
	}
	if got := ok(t, "stat", "jobs", "--interval", "1ms", "--count", "1", "--no-headers"); strings.Contains(got, "READY") || strings.Count(got, "\n") != 1 {
		t.Errorf("%q", got)
	}
}
