//go:build unix

package main

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/shmkit/shmkit/internal/cli"
	"github.com/shmkit/shmkit/internal/cli/clitest"
)

func names(l listing) []string {
	var out []string
	for _, s := range l.Segments {
		out = append(out, s.Name)
	}
	return out
}

// TestGC removes what a killed process left, and nothing else.
func TestGC(t *testing.T) {
	dir := clitest.UseDir(t, "shmctl-test-")
	victim := startChild(t, "victim")
	victim.do("queue orphan 4096")
	victim.do("block pixels 5000")
	victim.do("queue kept 4096 persistent")
	alive := startChild(t, "keeper")
	alive.do("queue held 4096")
	if err := os.WriteFile(filepath.Join(dir, "notes"), []byte("not ours"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := ok(t, "gc", "--dry-run"); got != "would remove 0 segments, 0 B\n" {
		t.Errorf("while all are held: %q", got)
	}
	victim.kill()
	want := []removed{{Name: "orphan", Kind: "queue"}, {Name: "pixels", Kind: "block"}}
	for _, dry := range []bool{true, false} {
		args := []string{"gc"}
		if dry {
			args = append(args, "--dry-run")
		}
		sizes := int64(0)
		got := decode[collection](t, args...)
		for i := range got.Removed {
			sizes += got.Removed[i].FileSize
			got.Removed[i].FileSize = 0
		}
		if !slices.Equal(got.Removed, want) || got.DryRun != dry || got.Dir != dir || got.Bytes != sizes || sizes < 5000 {
			t.Errorf("dry %v: %+v", dry, got)
		}
		left := []string{"held", "kept", "notes"}
		if dry {
			left = []string{"held", "kept", "notes", "orphan", "pixels"}
		}
		if got := names(decode[listing](t, "ls")); !slices.Equal(got, left) {
			t.Errorf("dry %v: left are %q", dry, got)
		}
	}
	if got := ok(t, "gc"); got != "removed 0 segments, 0 B\n" {
		t.Errorf("once more: %q", got)
	}
}

// TestRm removes a segment from under those who hold it, and goes on after a
// name that fails.
func TestRm(t *testing.T) {
	dir := clitest.UseDir(t, "shmctl-test-")
	c := startChild(t, "keeper")
	c.do("queue jobs 4096")
	c.do("queue results 4096 persistent")
	if err := os.WriteFile(filepath.Join(dir, "notes"), []byte("not ours"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := fails(t, cli.Failure, "rm nope: no such segment (", "rm", "jobs", "nope", "notes")
	if want := "removed jobs: queue of 200 KiB; 1 process goes on with its memory\nremoved notes\n"; r.out != want && os.Getpagesize() == 4096 {
		t.Errorf("got %q, want %q", r.out, want)
	}
	if got := names(decode[listing](t, "ls")); !slices.Equal(got, []string{"results"}) {
		t.Errorf("left are %q", got)
	}
	c.do("put - 1") // into "results", which is still there
	c.do("queue jobs 4096")
	fails(t, cli.Failure, "rm ../jobs: invalid name", "rm", "../jobs")
	got := decode[removal](t, "rm", "jobs", "results")
	if got.Dir != dir || len(got.Removed) != 2 || got.Removed[1].Name != "results" || got.Removed[1].Kind != "queue" || got.Removed[1].Holders != 1 || got.Removed[1].FileSize == 0 {
		t.Errorf("%+v", got)
	}
	if got := ok(t, "ls", "--no-headers"); got != "" {
		t.Errorf("left is %q", got)
	}
}

// TestRmEachFailure has a line for each name that can't be removed.
func TestRmEachFailure(t *testing.T) {
	clitest.UseDir(t, "shmctl-test-")
	r := shmctl("rm", "a", "b", "-o", "json")
	if r.status != cli.Failure || r.err != "shmctl: rm a: no such segment (shmctl ls shows what is there)\nshmctl: rm b: no such segment (shmctl ls shows what is there)\n" {
		t.Errorf("status %d, %q", r.status, r.err)
	}
}
