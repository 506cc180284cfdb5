package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/shmkit/shmkit/process"
)

func TestMain(m *testing.M) {
	process.Main()
	os.Exit(m.Run())
}

func write(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestWords(t *testing.T) {
	path := write(t, t.TempDir(), "f", "The cat, the CAT_1 — Ärger ärger 42\xff42\nend")
	c, err := countPieces([]piece{{path, 0, 1 << 20}})
	if err != nil {
		t.Fatal(err)
	}
	want := counts{Words: map[string]int{"the": 2, "cat": 1, "cat_1": 1, "ärger": 2, "42": 2, "end": 1}, Files: 1, Bytes: int64(len("The cat, the CAT_1 — Ärger ärger 42\xff42\nend"))}
	if !c.equal(want) {
		t.Fatalf("got %+v", c)
	}
}

// TestPieces cuts a file at every place: together the pieces are the file.
func TestPieces(t *testing.T) {
	dir := t.TempDir()
	for _, text := range []string{"one two\nthree\n\nfour five six\nseven", "no line at all", "\n\n\n", "ä ö\nü\n"} {
		path := write(t, dir, "f", text)
		size := int64(len(text))
		whole, err := countPieces([]piece{{path, 0, size}})
		if err != nil {
			t.Fatal(err)
		}
		for a := int64(0); a <= size; a++ {
			for b := a; b <= size; b++ {
				cut := []piece{{path, 0, a}, {path, a, b}, {path, b, size}}
				if a == 0 {
					cut = cut[1:] // a piece from 0 is the file's first
				}
				if b == 0 {
					cut = cut[1:]
				}
				got, err := countPieces(cut)
				if err != nil {
					t.Fatal(err)
				}
				if !got.equal(whole) {
					t.Fatalf("%q cut at %d and %d: %+v, want %+v", text, a, b, got, whole)
				}
			}
		}
	}
}

func TestEmptyAndBinary(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "empty", "")
	write(t, dir, "sub/binary", "words\x00words")
	write(t, dir, "sub/text", "words")
	tasks, files, size, err := find(dir)
	if err != nil || files != 3 || size != 16 {
		t.Fatalf("found %d files of %d bytes, %v", files, size, err)
	}
	c, err := countHere(context.Background(), tasks)
	if err != nil {
		t.Fatal(err)
	}
	if want := (counts{Words: map[string]int{"words": 1}, Files: 2, Binary: 1, Bytes: 5}); !c.equal(want) {
		t.Fatalf("got %+v", c)
	}
}

// TestKillAndVerify runs the program as a whole, on a tree with a file of
// several pieces, while workers are killed.
func TestKillAndVerify(t *testing.T) {
	dir := t.TempDir()
	rng := rand.New(rand.NewPCG(1, 1))
	for i := range 40 {
		var b strings.Builder
		lines := 1000
		if i == 0 {
			lines = 60000
		}
		for range lines {
			fmt.Fprintf(&b, "word%d and other%d\n", rng.IntN(5000), rng.IntN(50))
		}
		write(t, dir, fmt.Sprintf("%d/%d.txt", i%3, i), b.String())
	}
	t.Setenv("SHMKIT_DIR", filepath.Join(t.TempDir(), "segments"))
	var out bytes.Buffer
	if err := run(context.Background(), []string{"-workers", "2", "-kill", "3", "-verify", "-json", dir}, &out); err != nil {
		t.Fatal(err)
	}
	var r struct {
		Words, Killed int
		Restarts      int
		Equal         bool
		Top           []frequency
	}
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		t.Fatalf("%v in %s", err, out.Bytes())
	}
	if !r.Equal || r.Words != 3*(39*1000+60000) || len(r.Top) != 20 || r.Top[0].Word != "and" {
		t.Fatalf("got %+v", r)
	}
	if left, err := os.ReadDir(os.Getenv("SHMKIT_DIR")); err != nil || len(left) > 0 {
		t.Fatalf("left behind: %v, %v", left, err)
	}
	out.Reset()
	if err := run(context.Background(), []string{"-workers", "2", "-verify", dir}, &out); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "equal: the counts are those of one process") {
		t.Fatalf("no verdict in\n%s", out.String())
	}
}

func TestUsage(t *testing.T) {
	for _, args := range [][]string{{"-workers", "-1"}, {"-kill", "1", "-workers", "0"}, {"a", "b"}, {"-nonsense"}} {
		if err := run(context.Background(), args, new(bytes.Buffer)); !errors.Is(err, errUsage) {
			t.Errorf("%q: %v", args, err)
		}
	}
	if err := run(context.Background(), []string{filepath.Join(t.TempDir(), "none")}, new(bytes.Buffer)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a directory that is not there: %v", err)
	}
}

func TestCancelled(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "f", "words")
	t.Setenv("SHMKIT_DIR", filepath.Join(t.TempDir(), "segments"))
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for _, workers := range []string{"0", "1"} {
		if err := run(ctx, []string{"-workers", workers, dir}, new(bytes.Buffer)); !errors.Is(err, context.Canceled) {
			t.Errorf("%s workers: %v", workers, err)
		}
	}
}
