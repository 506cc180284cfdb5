//go:build unix

package main

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/shmkit/shmkit/internal/cli"
	"github.com/shmkit/shmkit/internal/cli/clitest"
)

// TestFsckSound finds nothing wrong with any kind of segment.
func TestFsckSound(t *testing.T) {
	_, c := withManager(t, 500)
	c.do("queue jobs 4096")
	c.do("put - 9")
	c.do("borrow")
	c.do("block pixels 5000")
	k := decode[checkup](t, "fsck", "app")
	if !k.OK || k.Looks != 1 || k.Kind != "manager" || k.Name != "app" || k.Processes != 1 || len(k.Problems) != 0 {
		t.Errorf("%+v", k)
	}
	if m := k.Manager; m == nil || m.Objects != 5 || m.Entries != 2001 || m.Live < 2001 || m.Bytes < 2001*32 || m.Chunks == 0 {
		t.Errorf("%+v", m)
	}
	text := ok(t, "fsck", "app")
	for _, want := range []string{"result     sound, in 1 look\n", "objects    5, with 2,001 entries\n"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
	for _, name := range []string{"jobs", "pixels"} {
		if k := decode[checkup](t, "fsck", name); !k.OK || k.Manager != nil {
			t.Errorf("%+v", k)
		}
		if text := ok(t, "fsck", name); strings.Contains(text, "objects") {
			t.Errorf("%s", text)
		}
	}
	fails(t, cli.Failure, "fsck nope: no such segment (", "fsck", "nope")
}

// TestFsckBusy finds nothing wrong with a manager that is changed as fast as it goes:
// what is in the middle of a change at one look is not at the next, though others of its
// kind are.
func TestFsckBusy(t *testing.T) {
	_, c := withManager(t, 100)
	c.do("churn")
	// So long that the other process, stopped by nobody, does not wait for a processor
	// in the middle of the same change.
	const interval = "200ms"
	again := 0 // on a single processor it may never be
	for n := 0; again < 5 && n < 200; n++ {
		if decode[checkup](t, "fsck", "app", "--interval", interval).Looks > 1 {
			again++
		}
	}
}

// TestFsckDamaged names what is damaged, by three looks, and the rest of shmctl goes on.
func TestFsckDamaged(t *testing.T) {
	dir, c := withManager(t, 500)
	c.do("queue jobs 4096")
	c.stop()
	damage := func(name string, behind, fresh []byte) {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Contains(b, behind) {
			t.Fatalf("%q is not in %s", behind, name)
		}
		b = bytes.ReplaceAll(b, append(behind, b[bytes.Index(b, behind)+len(behind):][:len(fresh)]...), append(behind, fresh...))
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	damage("app", []byte("/page/0007\x00\x00\x00\x00\x00\x00"), []byte{8}) // a value: nobody can know
	ok(t, "fsck", "app")
	damage("app", []byte("links\x00\x00\x00"), binary.LittleEndian.AppendUint64(nil, 77))
	r := fails(t, cli.Failure, "fsck app: 1 problem: what is in it is damaged, or left in the middle of a change (programs that", "fsck", "app", "--interval", "1ms")
	for _, want := range []string{"result     1 problem, in 3 looks\n", "\nPROBLEMS\n  name \"links\": there is no object 77\n\nNOTE\n  1 process may use it: one that is stopped"} {
		if !strings.Contains(r.out, want) {
			t.Errorf("%q is not in\n%s", want, r.out)
		}
	}
	r = fails(t, cli.Failure, "fsck app: 1 problem", "fsck", "app", "--interval", "1ms", "-o", "json")
	if !strings.Contains(r.out, `"problems": [
    "name \"links\": there is no object 77"
  ],`) || !strings.Contains(r.out, `"ok": false`) {
		t.Errorf("%s", r.out)
	}
	fails(t, cli.Failure, "no such dict", "dict", "ls", "app/links")
	ok(t, "dict", "ls", "app/hits")

	i := decode[details](t, "info", "jobs").Map[2].Offset
	b, err := os.ReadFile(filepath.Join(dir, "jobs"))
	if err != nil {
		t.Fatal(err)
	}
	binary.LittleEndian.PutUint64(b[i:], 1<<40) // its capacity
	if err := os.WriteFile(filepath.Join(dir, "jobs"), b, 0o600); err != nil {
		t.Fatal(err)
	}
	r = fails(t, cli.Failure, "fsck jobs: 1 problem", "fsck", "jobs", "--interval", "1ms")
	if !strings.Contains(r.out, "corrupt segment") {
		t.Errorf("%s", r.out)
	}
	c.kill()
}

// TestFsckOfTheKilled: what a killed process has left, it was in the middle of nothing,
// is sound.
func TestFsckOfTheKilled(t *testing.T) {
	clitest.UseDir(t, "shmctl-test-")
	c := startChild(t, "victim")
	c.do("manager app 500 persistent")
	c.kill()
	if k := decode[checkup](t, "fsck", "app"); !k.OK || k.Dead != 1 || k.Processes != 0 {
		t.Errorf("%+v", k)
	}
	if text := ok(t, "fsck", "app"); !strings.Contains(text, "processes  0+1 dead\n") {
		t.Errorf("%s", text)
	}
}
