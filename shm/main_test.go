package shm_test

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/shmkit/shmkit/shm"
)

// base holds all directories of a test run, so that a leaked mapping, file or
// descriptor is known by its path.
var base string

func TestMain(m *testing.M) {
	if dir := os.Getenv(agentEnv); dir != "" {
		slog.SetDefault(slog.New(slog.DiscardHandler))
		agent(dir)
		os.Exit(0)
	}
	os.Exit(run(m))
}

func run(m *testing.M) int {
	parent := os.TempDir()
	if fi, err := os.Stat("/dev/shm"); err == nil && fi.IsDir() {
		parent = "/dev/shm"
	}
	var err error
	if base, err = os.MkdirTemp(parent, "shmkit-test-"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(base)
	slog.SetDefault(slog.New(slog.DiscardHandler))

	code := m.Run()
	if code != 0 {
		return code
	}
	if err := goleak.Find(); err != nil {
		fmt.Fprintln(os.Stderr, "goroutines left:", err)
		code = 1
	}
	for _, where := range leaks() {
		fmt.Fprintln(os.Stderr, "left behind:", where)
		code = 1
	}
	return code
}

// leaks returns the descriptors and mappings of files below base.
func leaks() []string {
	if runtime.GOOS != "linux" {
		return nil
	}
	var found []string
	fds, _ := os.ReadDir("/proc/self/fd")
	for _, fd := range fds {
		if to, err := os.Readlink(filepath.Join("/proc/self/fd", fd.Name())); err == nil && strings.HasPrefix(to, base) {
			found = append(found, "descriptor of "+to)
		}
	}
	maps, _ := os.ReadFile("/proc/self/maps")
	for line := range strings.Lines(string(maps)) {
		if strings.Contains(line, base) {
			found = append(found, "mapping "+strings.TrimSpace(line))
		}
	}
	return found
}

// testDir returns a fresh directory that is gone after the test.
func testDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp(base, "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// must returns v, which was had without an error.
func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// eventually waits for a condition that another process brings about.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("in vain: waited for %s", what)
		}
		time.Sleep(time.Millisecond)
	}
}

// create opens a new segment that is closed with the test.
func create(t testing.TB, name string, size int64, o *shm.Options) *shm.Segment {
	t.Helper()
	s := must(shm.Create(name, size, o))(t)
	t.Cleanup(func() { s.Close() })
	return s
}

func open(t testing.TB, name string, o *shm.Options) *shm.Segment {
	t.Helper()
	s := must(shm.Open(name, o))(t)
	t.Cleanup(func() { s.Close() })
	return s
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// names returns what is in a directory, but for its lock.
func names(t testing.TB, dir string) []string {
	t.Helper()
	var list []string
	for _, e := range must(os.ReadDir(dir))(t) {
		if e.Name() != ".dir-lock" {
			list = append(list, e.Name())
		}
	}
	return list
}
