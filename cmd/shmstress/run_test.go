//go:build unix

package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/shmkit/shmkit/shm"
)

// wantClean fails unless a run has ended well, and returns its summary.
func wantClean(t *testing.T, r result) summary {
	t.Helper()
	s := decode(t, r.out)
	if r.status != exitOK || s.Violated != 0 || s.Evidence != nil {
		t.Errorf("status %d, %s", r.status, r.out)
		if s.Evidence != nil {
			showEvidence(t, *s.Evidence)
		}
	}
	return s
}

// showEvidence logs the texts of the evidence, which goes with the test's
// directory.
func showEvidence(t *testing.T, dir string) {
	files, err := filepath.Glob(filepath.Join(dir, "*.txt"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s:\n%.20000s", filepath.Base(f), b)
	}
}

// wantNothingLeft fails if there is anything in the directory.
func wantNothingLeft(t *testing.T, dir string) {
	t.Helper()
	for _, name := range entries(t, dir) {
		t.Errorf("left behind: %s", name)
	}
}

// entries returns the names in the directory, but for the library's own.
func entries(t *testing.T, dir string) []string {
	t.Helper()
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range files {
		if !strings.HasPrefix(f.Name(), ".") {
			names = append(names, f.Name())
		}
	}
	return names
}

func TestQueue(t *testing.T) {
	for name, args := range map[string]string{
		"mixed":     "-duration 2s -kill-rate 30 -stop-rate 20",
		"exclusive": "-duration 1s -kill-rate 30 -stop-rate 10 -single-producer -single-consumer -capacity 16K -sizes 16-100,4K",
		"gets":      "-duration 1s -kill-rate 30 -stop-rate 0 -delivery get -max-items 50 -wait block -producers 2",
	} {
		t.Run(name, func(t *testing.T) {
			dir := useDir(t)
			s := wantClean(t, shmstress(context.Background(), append(strings.Fields("queue -o json "+args), "-dir", dir)...))
			q := s.Queue
			switch {
			case s.Mode != "queue" || s.Ended != endedByTime || s.Pool != nil || q == nil:
				t.Fatalf("%+v", s)
			case s.Members.Killed == 0 || s.Members.Started < s.Members.Killed || q.Pause.Count == 0 || q.Pause.Worst < q.Pause.Median:
				t.Errorf("members %+v, pauses %+v", s.Members, q.Pause)
			case q.Put == 0 || q.Taken+q.Acked == 0 || q.LostInGet > q.LostInGetMost:
				t.Errorf("%+v", q)
			case name != "gets" && (s.Members.Stopped == 0 || q.Acked == 0 || q.Nacked == 0 || q.Redelivered == 0):
				t.Errorf("%+v", q)
			}
			wantNothingLeft(t, dir)
		})
	}
}

func TestPool(t *testing.T) {
	dir := useDir(t)
	s := wantClean(t, shmstress(context.Background(), strings.Fields("pool -o json -duration 2s -kill-rate 20 -stop-rate 10 -crash-rate 4 -workers 3")...))
	p := s.Pool
	if s.Mode != "pool" || s.Queue != nil || p == nil {
		t.Fatalf("%+v", s)
	}
	if p.Tasks == 0 || p.Restarts == 0 || p.SelfInflicted == 0 || s.Members.Killed == 0 || s.Members.Started != 6+p.Restarts {
		t.Errorf("%+v, %+v", s.Members, p)
	}
	for _, fate := range []string{fateResult, fateError, fatePanic, fateDeath} {
		if p.Outcomes[fate] == 0 {
			t.Errorf("no %q in %v", fate, p.Outcomes)
		}
	}
	wantNothingLeft(t, dir)
}

// TestEndedByUser ends runs early, which is no failure.
func TestEndedByUser(t *testing.T) {
	for _, mode := range []string{"queue", "pool"} {
		dir := useDir(t)
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan result, 1)
		go func() { done <- shmstress(ctx, mode, "-duration", "1h", "-o", "json", "-dir", dir) }()
		until(t, "members have joined", func() bool { return holders(t, dir) > 4 })
		cancel()
		if s := wantClean(t, <-done); s.Ended != endedByUser {
			t.Errorf("%s: ended by %s", mode, s.Ended)
		}
		wantNothingLeft(t, dir)
	}
}

// TestSystemFails expects one line of error, and nothing left, where a run can't
// be made.
func TestSystemFails(t *testing.T) {
	dir := useDir(t)
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, mode := range []string{"queue", "pool"} {
		r := shmstress(context.Background(), mode, "-dir", file)
		if r.status != exitFailure || r.out != "" || !strings.HasPrefix(r.err, "shmstress: "+mode+": ") || strings.Count(r.err, "\n") != 1 {
			t.Errorf("%s: status %d, %q, %q", mode, r.status, r.out, r.err)
		}
	}
}

// holders returns how many processes hold the segment in the directory that most
// do.
func holders(t testing.TB, dir string) int {
	t.Helper()
	infos, err := shm.Dir(dir).List()
	if err != nil {
		t.Fatal(err)
	}
	most := 0
	for _, i := range infos {
		most = max(most, i.Holders)
	}
	return most
}

// until polls for a condition that another process brings about.
func until(t testing.TB, what string, cond func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	deadline := time.After(30 * time.Second)
	for !cond() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("waited in vain until %s", what)
		}
	}
}
