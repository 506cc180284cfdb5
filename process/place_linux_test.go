package process_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/shmkit/shmkit/process"
)

// place is where a child finds itself.
type place struct {
	Nice    []int // of all threads
	CPUs    []int
	NumCPU  int // of the runtime
	Usable  int // NumCPU of this package
	Procs   int
	Memory  int64
	Cgroups string
}

var look = process.Register("look", func(context.Context, struct{}) error {
	var at place
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return err
	}
	for _, thread := range threads {
		var tid int
		fmt.Sscan(thread.Name(), &tid)
		if n, err := unix.Getpriority(unix.PRIO_PROCESS, tid); err == nil { // it may have ended
			at.Nice = append(at.Nice, 20-n)
		}
	}
	at.CPUs = ownCPUs()
	at.NumCPU, at.Usable, at.Procs = runtime.NumCPU(), process.NumCPU(), runtime.GOMAXPROCS(0)
	at.Memory = debug.SetMemoryLimit(-1)
	b, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return err
	}
	at.Cgroups = string(b)
	return json.NewEncoder(os.Stdout).Encode(at)
})

func ownCPUs() []int {
	var set unix.CPUSet
	var all []int
	if unix.SchedGetaffinity(unix.Getpid(), &set) == nil {
		for n := range len(set) * 64 {
			if set.IsSet(n) {
				all = append(all, n)
			}
		}
	}
	return all
}

func placeOf(t *testing.T, o process.Options) (at place) {
	t.Helper()
	var out bytes.Buffer
	o.Stdout = &out
	expectCode(t, mustStart(t, look, struct{}{}, &o), 0)
	if err := json.Unmarshal(out.Bytes(), &at); err != nil {
		t.Fatal(err)
	}
	return at
}

func ownNice(t *testing.T) int {
	t.Helper()
	n, err := unix.Getpriority(unix.PRIO_PROCESS, os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	return 20 - n
}

// All threads of the child have the nice value, and none of ours.
func TestNice(t *testing.T) {
	before := ownNice(t)
	if before > 19-3 {
		t.Skip("there is no room left for a nice value")
	}
	for range 20 { // on whichever thread
		at := placeOf(t, process.Options{Nice: 3})
		if len(at.Nice) == 0 || slices.Min(at.Nice) != before+3 || slices.Max(at.Nice) != before+3 {
			t.Fatalf("nice values %d, want %d", at.Nice, before+3)
		}
	}
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		t.Fatal(err)
	}
	for _, thread := range threads {
		var tid int
		fmt.Sscan(thread.Name(), &tid)
		if n, err := unix.Getpriority(unix.PRIO_PROCESS, tid); err == nil && 20-n != before {
			t.Errorf("thread %d of the parent has nice value %d", tid, 20-n)
		}
	}
}

func TestCPUs(t *testing.T) {
	all := ownCPUs()
	last := all[len(all)-1]
	at := placeOf(t, process.Options{CPUs: []int{last}, Env: withoutProcs()})
	if !slices.Equal(at.CPUs, []int{last}) || at.NumCPU != 1 || at.Procs != 1 || at.Usable != 1 {
		t.Errorf("%+v, want processor %d only", at, last)
	}
	if now := ownCPUs(); !slices.Equal(now, all) {
		t.Errorf("the parent's processors are %d, were %d", now, all)
	}
	_, err := look.Start(context.Background(), struct{}{}, &process.Options{CPUs: []int{1023}})
	if !errors.Is(err, unix.EINVAL) || !strings.Contains(err.Error(), "processors [1023]") {
		t.Errorf("a processor that there is not: %v", err)
	}
}

// narrow is content with one processor from now on.
var narrow = process.Register("narrow", func(context.Context, struct{}) error {
	var set unix.CPUSet
	set.Set(ownCPUs()[0])
	if err := unix.SchedSetaffinity(os.Getpid(), &set); err != nil {
		return err
	}
	if n := process.NumCPU(); n != 1 {
		return fmt.Errorf("%d processors", n)
	}
	return nil
})

func TestNumCPUIsThatOfNow(t *testing.T) {
	expectCode(t, mustStart(t, narrow, struct{}{}, nil), 0)
}

// withoutProcs is the environment without GOMAXPROCS.
func withoutProcs() []string {
	return slices.DeleteFunc(os.Environ(), func(s string) bool { return strings.HasPrefix(s, "GOMAXPROCS=") })
}

func TestShare(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(6))
	for _, tt := range []struct {
		opts   process.Options
		procs  int
		limit  int64 // of this process
		memory int64
	}{
		{process.Options{Share: 0.25}, 2, math.MaxInt64, math.MaxInt64},
		{process.Options{Share: 0.25}, 2, 1 << 40, 1 << 38},
		{process.Options{Share: 1}, 6, 1 << 40, 1 << 40},
		{process.Options{Share: 0.5, Procs: 5, MemoryLimit: 1 << 35}, 5, 1 << 40, 1 << 35},
		{process.Options{Procs: 4, Env: withEnv("GOMAXPROCS=3", "GOMEMLIMIT=1GiB")}, 4, math.MaxInt64, 1 << 30},
	} {
		func() {
			defer debug.SetMemoryLimit(debug.SetMemoryLimit(tt.limit))
			if at := placeOf(t, tt.opts); at.Procs != tt.procs || at.Memory != tt.memory {
				t.Errorf("%+v of a limit of %d: %d processors, %d bytes; want %d, %d", tt.opts, tt.limit, at.Procs, at.Memory, tt.procs, tt.memory)
			}
		}()
	}
}

func TestCgroup(t *testing.T) {
	_, err := look.Start(context.Background(), struct{}{}, &process.Options{Cgroup: t.TempDir()})
	if !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("a directory that is no group: %v", err)
	}
	group := newCgroup(t)
	p, out := lines(t, deaf, struct{}{}, &process.Options{Cgroup: group})
	expectLine(t, out, "running")
	if b, err := os.ReadFile(filepath.Join(group, "cgroup.procs")); err != nil || strings.TrimSpace(string(b)) != fmt.Sprint(p.PID()) {
		t.Errorf("the group has %q, %v; want %d", b, err, p.PID())
	}
	p.Kill()
	expectCode(t, p, -9)
	if at := placeOf(t, process.Options{Cgroup: group, Nice: 1}); !strings.Contains(at.Cgroups, "/"+filepath.Base(group)+"\n") {
		t.Errorf("the child's groups: %s", at.Cgroups)
	}
}

// newCgroup makes a control group of version 2, where that is allowed.
func newCgroup(t *testing.T) string {
	t.Helper()
	for _, root := range []string{"/sys/fs/cgroup", "/sys/fs/cgroup/unified"} {
		var fs unix.Statfs_t
		if unix.Statfs(root, &fs) != nil || fs.Type != unix.CGROUP2_SUPER_MAGIC {
			continue
		}
		dir := filepath.Join(root, fmt.Sprint("shmkit-test-", os.Getpid()))
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Skipf("control groups can't be made here: %v", err)
		}
		t.Cleanup(func() {
			if err := os.Remove(dir); err != nil {
				t.Error(err)
			}
		})
		return dir
	}
	t.Skip("there are no control groups of version 2 here")
	return ""
}

func TestQuota(t *testing.T) {
	for text, want := range map[string]int{
		"max 100000": math.MaxInt, "50000 100000": 1, "100000 100000": 1, "150000 100000": 2, "-1 100000": math.MaxInt,
		"1": math.MaxInt, "": math.MaxInt, "x y": math.MaxInt, "1 0": math.MaxInt,
	} {
		if got := process.QuotaOf(strings.Fields(text)); got != want {
			t.Errorf("%q: %d, want %d", text, got, want)
		}
	}
}
