//go:build unix

package main

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/shmkit/shmkit/internal/cli"
	"github.com/shmkit/shmkit/internal/cli/clitest"
	"github.com/shmkit/shmkit/manager"
	"github.com/shmkit/shmkit/pool"
	"github.com/shmkit/shmkit/ringqueue"
	"github.com/shmkit/shmkit/shm"
)

// wantClean fails unless a run has ended well, and returns its summary.
func wantClean(t *testing.T, r result) summary {
	t.Helper()
	s := decode(t, r.out)
	if r.status != cli.OK || s.Violated != 0 || s.Evidence != nil {
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

// runUntil runs a command line until something has happened, and ends it.
func runUntil(t *testing.T, what string, happened func() bool, line string) result {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	done := make(chan result, 1)
	go func() { done <- shmstress(ctx, strings.Fields(line+" -duration 1h -o json")...) }()
	clitest.Until(t, what, func() bool { return len(done) > 0 || happened() })
	cancel()
	return <-done
}

// figures returns what f says of the segments of the kind, in the order of
// their names.
func figures(t *testing.T, dir, kind string, f func(*shm.Inspection) uint64) []uint64 {
	t.Helper()
	infos, err := shm.Dir(dir).List()
	if err != nil {
		t.Fatal(err)
	}
	var ns []uint64
	for _, info := range infos {
		if info.Kind != kind {
			continue
		}
		if i, err := shm.Inspect(info.Path); err == nil {
			ns = append(ns, f(i))
			i.Close()
		}
	}
	return ns
}

func TestQueue(t *testing.T) {
	for name, args := range map[string]string{
		"mixed":     "-kill-rate 30 -stop-rate 20",
		"large":     "-kill-rate 30 -stop-rate 10 -capacity 4K -sizes 16-100,1K-200K",
		"exclusive": "-kill-rate 30 -stop-rate 10 -single-producer -single-consumer -capacity 16K -sizes 16-100,4K",
		"gets":      "-kill-rate 30 -stop-rate 0 -delivery get -max-items 50 -wait block -producers 2",
	} {
		t.Run(name, func(t *testing.T) {
			dir := clitest.UseDir(t, "shmstress-test-")
			s := wantClean(t, runUntil(t, "20 members have died, and 20000 records have passed", func() bool {
				dead := figures(t, dir, ringqueue.Kind, func(i *shm.Inspection) uint64 { return i.Total(shm.Recoveries) })
				passed := figures(t, dir, ringqueue.Kind, func(i *shm.Inspection) uint64 { return i.Total(shm.Gets) })
				return len(dead) == 1 && dead[0] >= 20 && len(passed) == 1 && passed[0] > 20000
			}, "queue "+args))
			q := s.Queue
			switch {
			case s.Mode != "queue" || s.Ended != endedByUser || s.Pool != nil || q == nil:
				t.Fatalf("%+v", s)
			case s.Members.Killed < 20 || s.Members.Started < s.Members.Killed || q.Pause.Count == 0 || q.Pause.Worst < q.Pause.Median:
				t.Errorf("members %+v, pauses %+v", s.Members, q.Pause)
			case q.Put == 0 || q.Taken+q.Acked < 20000 || q.LostInGet > q.LostInGetMost:
				t.Errorf("%+v", q)
			case name != "gets" && (q.Acked == 0 || q.Nacked == 0 || q.Redelivered == 0):
				t.Errorf("%+v", q)
			}
			wantNothingLeft(t, dir)
		})
	}
}

func TestDict(t *testing.T) {
	for name, args := range map[string]string{
		"mixed":    "-kill-rate 30 -stop-rate 20",
		"one line": "-kill-rate 30 -stop-rate 5 -keys 1 -processes 6 -sizes 16-100",
	} {
		t.Run(name, func(t *testing.T) {
			dir := clitest.UseDir(t, "shmstress-test-")
			s := wantClean(t, runUntil(t, "20 members have died", func() bool {
				dead := figures(t, dir, manager.Kind, func(i *shm.Inspection) uint64 { return i.Total(shm.Recoveries) })
				return len(dead) == 1 && dead[0] >= 20
			}, "dict "+args))
			d := s.Dict
			if s.Mode != "dict" || s.Queue != nil || s.Pool != nil || d == nil {
				t.Fatalf("%+v", s)
			}
			if s.Members.Killed < 20 || d.Pause.Count == 0 || d.Changes == 0 || d.Entries < stays+3*accounts || d.Blocks < d.Entries {
				t.Errorf("members %+v, %+v", s.Members, d)
			}
			for _, duty := range duties {
				if d.Operations[duty.name] == 0 {
					t.Errorf("no %s", duty.name)
				}
			}
			wantNothingLeft(t, dir)
		})
	}
}

func TestPool(t *testing.T) {
	dir := clitest.UseDir(t, "shmstress-test-")
	s := wantClean(t, runUntil(t, "workers of both pools have died, and 4000 tasks have ended in each", func() bool {
		enough := func(i *shm.Inspection) uint64 {
			if r, err := pool.Inspect(i); err == nil && r.Restarts > 5 && r.Done > 4000 {
				return 1
			}
			return 0
		}
		return slices.Equal(figures(t, dir, pool.Kind, enough), []uint64{1, 1})
	}, "pool -kill-rate 20 -stop-rate 10 -crash-rate 4 -workers 3"))
	p := s.Pool
	if s.Mode != "pool" || s.Queue != nil || p == nil {
		t.Fatalf("%+v", s)
	}
	if p.Tasks < 8000 || p.Restarts < 10 || p.SelfInflicted == 0 || s.Members.Killed == 0 || s.Members.Started != 6+p.Restarts {
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
		dir := clitest.UseDir(t, "shmstress-test-")
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan result, 1)
		go func() { done <- shmstress(ctx, mode, "-duration", "1h", "-o", "json", "-dir", dir) }()
		clitest.Until(t, "members have joined", func() bool { return holders(t, dir) > 4 })
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
	dir := clitest.UseDir(t, "shmstress-test-")
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, mode := range []string{"queue", "pool"} {
		r := shmstress(context.Background(), mode, "-dir", file)
		if r.status != cli.Failure || r.out != "" || !strings.HasPrefix(r.err, "shmstress: "+mode+": ") || strings.Count(r.err, "\n") != 1 {
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
