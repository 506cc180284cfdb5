//go:build unix

package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/shmkit/shmkit/internal/cli"
	"github.com/shmkit/shmkit/internal/cli/clitest"
	"github.com/shmkit/shmkit/pool"
	"github.com/shmkit/shmkit/process"
	"github.com/shmkit/shmkit/shm"
)

// TestHang stops all members behind the referee's back. It must say that nothing
// passes, keep the evidence, and leave nothing else.
func TestHang(t *testing.T) {
	for _, mode := range []string{"queue", "pool"} {
		t.Run(mode, func(t *testing.T) {
			dir := clitest.UseDir(t, "shmstress-test-")
			done := make(chan result, 1)
			args := "-duration 1h -kill-rate 0 -stop-rate 0 -crash-rate 0 -hang-after 500ms -o json -seed 7"
			if mode == "queue" {
				args = strings.Replace(args, "-crash-rate 0", "", 1)
			}
			go func() { done <- shmstress(context.Background(), append([]string{mode}, strings.Fields(args)...)...) }()
			clitest.Until(t, "members are at work", func() bool { return atWork(t, dir, mode) })
			for _, p := range process.Children() {
				if err := p.Signal(syscall.SIGSTOP); err != nil {
					t.Fatal(err)
				}
			}
			r := <-done
			s := decode(t, r.out)
			if r.status != cli.Failure || s.Ended != endedByViolation || s.Violated == 0 || s.Violations[0].Kind != hang || s.Evidence == nil {
				t.Fatalf("status %d, %s", r.status, r.out)
			}
			if want := "shmstress " + mode + " --duration=1h0m0s"; !strings.HasPrefix(s.Command, want) || !strings.HasSuffix(s.Command, " --seed=7") {
				t.Errorf("to run again: %s", s.Command)
			}
			wantEvidence(t, *s.Evidence, mode)
			if err := os.RemoveAll(*s.Evidence); err != nil {
				t.Fatal(err)
			}
			wantNothingLeft(t, dir)
		})
	}
}

// atWork tells whether all members have started, and work.
func atWork(t *testing.T, dir, mode string) bool {
	t.Helper()
	if mode == "queue" {
		return holders(t, dir) > 8
	}
	done := figures(t, dir, pool.Kind, func(i *shm.Inspection) uint64 {
		if r, err := pool.Inspect(i); err == nil {
			return r.Done
		}
		return 0
	})
	return len(done) == 2 && done[0] > 0 && done[1] > 0
}

// wantEvidence looks for what a hang must leave.
func wantEvidence(t *testing.T, dir, mode string) {
	t.Helper()
	want := map[string]string{ // pattern of the file's name: what is in it
		"violations.txt":         "hang",
		"stress-*.tasks.segment": "",
		"stress-*.sheet.segment": "",
		"pools.txt":              "State",
		"output.txt":             "goroutine",
	}
	if mode == "queue" {
		want = map[string]string{
			"violations.txt":          "hang",
			"stress-*.segment":        "",
			"stress-*.ledger.segment": "",
			"queue.txt":               "slot 1",
			"ledger.txt":              "life 1",
			"goroutines-0.txt":        "goroutine 1 ",
			"goroutines-7.txt":        "goroutine 1 ",
		}
	}
	for pattern, text := range want {
		files, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil || len(files) == 0 {
			t.Errorf("no %s in the evidence", pattern)
			continue
		}
		b, err := os.ReadFile(files[0])
		if err != nil || len(b) == 0 || !strings.Contains(string(b), text) {
			t.Errorf("%s: %v, no %q in %.300q", files[0], err, text, b)
		}
	}
}
