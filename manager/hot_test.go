package manager_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"

	"github.com/shmkit/shmkit/manager"
)

const hotCalls = 50000

// hot does each operation that needn't wait hotCalls times.
func hot(m *manager.Manager) error {
	d, err := manager.NewDict[string, [64]byte](m, "d")
	if err != nil {
		return err
	}
	n, err := manager.NewDict[int, int](m, "n")
	if err != nil {
		return err
	}
	var v [64]byte
	for i := 0; i < hotCalls && err == nil; i++ {
		key := hotKeys[i%len(hotKeys)]
		if err = d.Set(key, v); err == nil {
			_, err = d.GetInto(key, &v)
		}
		if err == nil {
			_, err = manager.Add(n, i%100, 1)
		}
		if err == nil {
			_, err = d.View(key, func([]byte) error { return nil })
		}
		if err == nil {
			_, err = d.CompareAndSwap(key, v, v)
		}
		if err == nil {
			_, err = d.Delete(key)
		}
	}
	return err
}

var hotKeys = func() (keys []string) {
	for i := range 1000 {
		keys = append(keys, fmt.Sprint("key ", i))
	}
	return keys
}()

// TestNoSystemCalls counts the system calls of a process that does nothing but
// operations that needn't wait or grow: what the Go runtime makes by itself, and nothing
// for each operation.
func TestNoSystemCalls(t *testing.T) {
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Skip("needs strace: apt-get install strace")
	}
	dir := tempDir(t)
	open(t, &manager.Options{Dir: dir})
	out := filepath.Join(t.TempDir(), "counts")
	cmd := exec.Command(strace, "-f", "-c", "-U", "calls,name", "-o", out, os.Args[0])
	cmd.Env = append(os.Environ(), "SHMKIT_TEST_OTHER=hot", "SHMKIT_TEST_WHERE="+dir)
	if b, err := cmd.CombinedOutput(); err != nil {
		if bytes.Contains(b, []byte("PTRACE")) || bytes.Contains(b, []byte("ptrace")) {
			t.Skipf("strace may not trace here: %s", b)
		}
		t.Fatalf("%v: %s", err, b)
	}
	counts, err := os.ReadFile(out)
	must(t, err)
	m := regexp.MustCompile(`(?m)^\s*(\d+)\s+total$`).FindSubmatch(counts)
	if m == nil {
		t.Fatalf("no total in\n%s", counts)
	}
	total, err := strconv.Atoi(string(m[1]))
	must(t, err)
	if total >= hotCalls {
		t.Errorf("%d system calls in 6×%d operations:\n%s", total, hotCalls, counts)
	}
	t.Logf("%d system calls in 6×%d operations", total, hotCalls)
}

// TestNoAllocations counts what operations on plain types and strings allocate.
func TestNoAllocations(t *testing.T) {
	m := open(t, nil)
	type point struct{ X, Y int64 }
	s, p := newDict[string, [64]byte](t, m, "s"), newDict[point, int](t, m, "p")
	var v [64]byte
	n := 0
	use := func([]byte) error { return nil }
	for name, f := range map[string]func(){
		"Set":      func() { s.Set("key", v); p.Set(point{1, 2}, 3) },
		"Get":      func() { s.Get("key"); p.Get(point{1, 2}) },
		"GetInto":  func() { s.GetInto("key", &v); p.GetInto(point{1, 2}, &n) },
		"View":     func() { s.View("key", use); p.View(point{1, 2}, use) },
		"Contains": func() { s.Contains("key"); p.Contains(point{1, 2}) },
		"Delete":   func() { s.Set("other", v); s.Delete("other") },
	} {
		f()
		if got := testing.AllocsPerRun(1000, f); got != 0 {
			t.Errorf("%s allocates %v times", name, got)
		}
	}
}
