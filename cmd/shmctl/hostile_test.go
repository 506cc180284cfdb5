//go:build unix

package main

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/shmkit/shmkit/internal/cli"
	"github.com/shmkit/shmkit/internal/cli/clitest"
	"github.com/shmkit/shmkit/shm"
)

// zoo fills the directory with segments and with what may stand between them.
// It returns the names of bad files with what is said about them.
func zoo(t *testing.T, dir string) map[string]string {
	t.Helper()
	c := startChild(t, "keeper")
	c.do("queue stuck 4096")
	c.do("put - 5")
	c.do("borrow")
	c.do("block pixels 5000 persistent")
	c.do("manager app 20")
	c.do("pool frames")
	clitest.Until(t, "both workers run", func() bool { return decode[details](t, "info", "frames").Pool.Running == 2 })
	c.stop()
	victim := startChild(t, "victim")
	victim.do("queue orphan 4096")
	victim.do("reserve - 7")
	victim.kill()

	good, err := os.ReadFile(filepath.Join(dir, "stuck"))
	if err != nil {
		t.Fatal(err)
	}
	put := func(name string, b []byte) {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	with := func(at int, b ...byte) []byte {
		out := append([]byte(nil), good...)
		copy(out[at:], b)
		return out
	}
	put("bad-empty", nil)
	put("bad-foreign", []byte("#!/bin/sh\necho hello\n"))
	put("bad-header", with(500, 1))
	put("bad-version", with(12, 99))
	put("bad-endian", with(8, 1, 2, 3, 4))
	put("bad-short", good[:headerSize+100])
	put("bad-head", good[:100])
	put("bad-name\x1b[31m", []byte("x"))
	if err := os.Symlink("stuck", filepath.Join(dir, "bad-link")); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "bad-dir"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "bad-fifo"), 0o600); err != nil {
		t.Fatal(err)
	}
	bad := map[string]string{
		"bad-empty":        "truncated to 0 bytes",
		"bad-foreign":      `wrong magic "#!/bin/s" (it is no segment`,
		"bad-header":       "corrupt segment",
		"bad-version":      "wrong format version",
		"bad-endian":       "wrong byte order",
		"bad-short":        "wrong size",
		"bad-head":         "truncated to 100 bytes",
		"bad-name\x1b[31m": "not a shmkit segment",
		"bad-link":         "a symbolic link",
		"bad-dir":          "a directory",
		"bad-fifo":         "a FIFO",
		"bad-missing":      "no such segment (shmctl ls shows what is there)",
	}
	if os.Geteuid() == 0 {
		put("bad-owner", good)
		if err := os.Chown(filepath.Join(dir, "bad-owner"), 65534, 65534); err != nil {
			t.Fatal(err)
		}
		bad["bad-owner"] = "wrong owner: user 65534, not 0 (run shmctl as its owner)"
	}
	return bad
}

// fingerprint describes everything in a directory that a write would change.
func fingerprint(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, e := range entries {
		fi, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "%q %v %d %v", e.Name(), fi.Mode(), fi.Size(), fi.ModTime().UnixNano())
		if fi.Mode().IsRegular() {
			content, err := os.ReadFile(filepath.Join(dir, e.Name()))
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(&b, " %x", sha256.Sum256(content))
		}
		b.WriteString("\n")
	}
	return b.String()
}

// TestReadOnly runs every command that may not change anything on everything
// there is, and compares the directory before and after.
func TestReadOnly(t *testing.T) {
	dir := clitest.UseDir(t, "shmctl-test-")
	bad := zoo(t, dir)
	names := []string{"stuck", "pixels", "orphan", "frames", "frames.tasks", "app"}
	before := fingerprint(t, dir)
	for _, format := range []string{"table", "json"} {
		ok(t, "ls", "-o", format)
		ok(t, "gc", "--dry-run", "-o", format)
		for _, name := range names {
			ok(t, "info", name, "-o", format)
			ok(t, "stat", name, "--count", "2", "--interval", "1ms", "-o", format)
			ok(t, "fsck", name, "-o", format)
		}
		ok(t, "dict", "get", "app/hits", "/page/0007", "-o", format)
		ok(t, "dict", "ls", "app/links", "-o", format)
		ok(t, "dict", "stat", "app/users", "-o", format)
		ok(t, "dict", "watch", "app/points", "7", "--count", "1", "-o", format)
		for name, want := range bad {
			fails(t, cli.Failure, want, "info", name, "-o", format)
			fails(t, cli.Failure, want, "stat", name, "-o", format)
			fails(t, cli.Failure, want, "fsck", name, "-o", format)
			fails(t, cli.Failure, want, "dict", "ls", name+"/x", "-o", format)
		}
	}
	if after := fingerprint(t, dir); after != before {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
}

// TestLsShowsBadFiles lists files that are no segments between those that are.
func TestLsShowsBadFiles(t *testing.T) {
	dir := clitest.UseDir(t, "shmctl-test-")
	bad := zoo(t, dir)
	delete(bad, "bad-missing")
	found := 0
	for _, s := range decode[listing](t, "ls").Segments {
		if _, is := bad[s.Name]; is != (s.Error != nil) {
			t.Errorf("%q: error %v", s.Name, s.Error)
		} else if is {
			found++
			// What is said after the reason is what to do.
			if why, _, _ := strings.Cut(bad[s.Name], " ("); !strings.Contains(*s.Error, why) || s.Created != nil || s.Depth != nil {
				t.Errorf("%+v: %s", s, *s.Error)
			}
		}
	}
	if found != len(bad) {
		t.Errorf("%d bad files listed, want %d", found, len(bad))
	}
	text := ok(t, "ls")
	if strings.ContainsRune(text, '\x1b') || !strings.Contains(text, "bad-name\ufffd[31m") {
		t.Errorf("the terminal is not safe from\n%q", text)
	}
}

// TestDamagedBody overwrites what stands behind the header: nothing may take
// shmctl down, and it says what is wrong on one line if it says so.
func TestDamagedBody(t *testing.T) {
	dir := clitest.UseDir(t, "shmctl-test-")
	c := startChild(t, "keeper")
	c.do("queue jobs 4096")
	c.do("put - 9")
	c.do("borrow")
	c.do("pool frames")
	c.stop()
	rng := rand.New(rand.NewPCG(1, 2))
	damaged := 0
	for _, name := range []string{"jobs", "frames"} {
		good, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		d := decode[details](t, "info", name)
		body := int(d.Map[2].Offset)
		for n := range 150 {
			b := append([]byte(nil), good...)
			for range 1 + rng.IntN(40) {
				// The slots in use, the structure's own header, or the words behind it.
				at := []int{headerSize + rng.IntN(slotSize), body + rng.IntN(64), body + rng.IntN(4800)}[rng.IntN(3)]
				binary.NativeEndian.PutUint64(b[at&^7:], rng.Uint64()>>rng.IntN(64))
			}
			if n == 0 {
				binary.NativeEndian.PutUint64(b[body:], 1<<40) // impossible geometry
			}
			if err := os.WriteFile(filepath.Join(dir, "copy"), b, 0o600); err != nil {
				t.Fatal(err)
			}
			for _, args := range [][]string{{"info", "copy"}, {"info", "copy", "-o", "json"}, {"stat", "copy", "--count", "1", "--interval", "1us"}, {"ls"}} {
				r := shmctl(args...)
				if r.status == cli.OK && r.err == "" {
					if n == 0 && args[0] != "ls" {
						t.Fatalf("%s: nothing noticed", args)
					}
					continue
				}
				damaged++
				if r.status != cli.Failure || !isErrorLine(r.err) || !strings.Contains(r.err, "corrupt segment") {
					t.Fatalf("%s: status %d, %q", args, r.status, r.err)
				}
				if args[0] == "info" && !strings.Contains(r.out, "corrupt segment") {
					t.Fatalf("info shows nothing else: %q", r.out)
				}
			}
		}
	}
	if damaged < 20 {
		t.Errorf("only %d commands noticed", damaged)
	}
}

// TestTruncatedWhileRead cuts the file off under a reader that has it mapped.
func TestTruncatedWhileRead(t *testing.T) {
	dir := clitest.UseDir(t, "shmctl-test-")
	c := startChild(t, "keeper")
	c.do("queue jobs 4096")
	c.stop()
	path := filepath.Join(dir, "jobs")
	i, err := shm.Inspect(path)
	if err != nil {
		t.Fatal(err)
	}
	defer i.Close()
	if err := os.Truncate(path, headerSize); err != nil {
		t.Fatal(err)
	}
	err = guarded(func() error {
		_, err := examine(i)
		return err
	})
	if !errors.Is(err, errFault) {
		t.Errorf("got %v", err)
	}
	c.kill()
}

// TestGuardLetsOtherPanicsThrough: a mistake in the program must not look like a
// damaged file.
func TestGuardLetsOtherPanicsThrough(t *testing.T) {
	defer func() {
		if p := recover(); p != "mistake" {
			t.Errorf("recovered %v", p)
		}
	}()
	_ = guarded(func() error { panic("mistake") })
	t.Error("went on")
}
