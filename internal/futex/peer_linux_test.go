package futex_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/shmkit/shmkit/internal/futex"
	"github.com/shmkit/shmkit/internal/mem"
)

// runChild is what a child process does.
func runChild(name string, args []string) {
	switch name {
	case "take":
		childTake(args)
	case "threads":
		childThreads(args)
	case "seccomp":
		childSeccomp(args)
	case "dieWaking":
		childDieWaking(args)
	case "steps":
		childSteps(args)
	case "echo":
		childEcho(args)
	default:
		panic("no child " + name)
	}
}

// must ends a child that can't go on.
func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "child:", err)
		os.Exit(1)
	}
}

// number is the child's argument i.
func number(args []string, i int) int {
	n, err := strconv.Atoi(args[i])
	must(err)
	return n
}

// shared maps a T at the start of the file, which has a page.
func shared[T any](path string) (v *T, unmap func() error, err error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	m, err := mem.Map(int(f.Fd()), os.Getpagesize(), 0, true)
	if err != nil {
		return nil, nil, err
	}
	v, err = mem.At[T](m, 0)
	return v, func() error { return mem.Unmap(m) }, err
}

// newShared makes a file for a T, and maps it while the test runs.
func newShared[T any](t testing.TB) (v *T, path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "shared")
	if err := os.WriteFile(path, make([]byte, os.Getpagesize()), 0o600); err != nil {
		t.Fatal(err)
	}
	v, unmap, err := shared[T](path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unmap(); err != nil {
			t.Error(err)
		}
	})
	return v, path
}

// attach is newShared's other end.
func attach[T any](path string) *T {
	v, _, err := shared[T](path)
	must(err)
	return v
}

// A child is another process of this test binary, spoken to by lines.
type child struct {
	t   testing.TB
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

func startChild(t testing.TB, name string, args ...any) *child {
	t.Helper()
	words := strings.Fields(fmt.Sprintln(args...))
	c := &child{t: t, cmd: exec.Command(os.Args[0], words...)}
	c.cmd.Env = append(os.Environ(), childEnv+"="+name)
	c.cmd.Stderr = os.Stderr
	in, err := c.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	c.in, c.out = in, bufio.NewReader(out)
	t.Cleanup(c.kill)
	return c
}

func (c *child) say(line string) {
	c.t.Helper()
	if _, err := fmt.Fprintln(c.in, line); err != nil {
		c.t.Fatal(err)
	}
}

func (c *child) hear() string {
	c.t.Helper()
	line, err := c.out.ReadString('\n')
	if err != nil {
		c.t.Fatalf("child: %v", err)
	}
	return strings.TrimSpace(line)
}

// kill ends the process, however it stands, and reaps it.
func (c *child) kill() {
	c.cmd.Process.Kill()
	c.cmd.Wait()
}

// end lets the process end by itself.
func (c *child) end() {
	c.t.Helper()
	if err := c.cmd.Wait(); err != nil {
		c.t.Errorf("child: %v", err)
	}
}

// childTake takes items of the box by the policy, and says when it has one.
func childTake(args []string) {
	b := attach[box](args[0])
	g := futex.NewGate(&b.word, futex.Policy(number(args, 1)))
	g.SetSlice(forever)
	for range number(args, 2) {
		must(g.Wait(bg, take{box: b}))
		fmt.Println("took")
	}
}

// Processes take what another puts, and no wake-up is lost.
func TestProcesses(t *testing.T) {
	const children, each = 3, 300
	for name, p := range map[string]futex.Policy{"adaptive": futex.Adaptive, "spin": futex.Spin, "block": futex.Block} {
		t.Run(name, func(t *testing.T) {
			b, path := newShared[box](t)
			var wg sync.WaitGroup
			for range children {
				c := startChild(t, "take", path, uint8(p), each)
				wg.Go(func() {
					if _, err := io.Copy(io.Discard, c.out); err != nil {
						t.Error(err)
					}
					c.end()
				})
			}
			for i := range children * each {
				b.put(1)
				if i%7 == 0 {
					until(t, "all is taken", func() bool { return b.items.Load() == 0 })
				}
			}
			ended := make(chan struct{})
			go func() { wg.Wait(); close(ended) }()
			soon(t, "the children", ended)
		})
	}
}

// A waiter that is killed leaves the bit at most, and takes no wake-up along.
func TestKilledWaiter(t *testing.T) {
	b, path := newShared[box](t)
	victim := startChild(t, "take", path, uint8(futex.Block), 1)
	until(t, "the victim is armed", func() bool { return b.word.Load()&1 != 0 })
	survivor := startChild(t, "take", path, uint8(futex.Block), 2)
	until(t, "both sleep", func() bool { return asleep(victim) && asleep(survivor) })
	victim.kill()
	for range 2 {
		b.put(1)
		if got := survivor.hear(); got != "took" {
			t.Fatalf("child: %s", got)
		}
	}
	survivor.end()

	last := startChild(t, "take", path, uint8(futex.Block), 1)
	until(t, "it is armed", func() bool { return b.word.Load()&1 != 0 })
	last.kill()
	futex.Notify(&b.word)
	if w := b.word.Load(); w&1 != 0 {
		t.Errorf("after a notification the word is still %d", w)
	}
	if futex.Notify(&b.word) {
		t.Error("the killed waiter costs a second notification")
	}
	g := futex.NewGate(&b.word, futex.Block)
	g.SetSlice(forever)
	c := start(bg, g, take{box: b})
	until(t, "it waits", func() bool { return g.Waiting() == 1 })
	b.put(1)
	if err := soon(t, "the item", c); err != nil {
		t.Error(err)
	}
}

// asleep tells whether all threads of the process sleep.
func asleep(c *child) bool {
	stats, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", c.cmd.Process.Pid))
	if err != nil || len(stats) == 0 {
		return false
	}
	for _, path := range stats {
		stat, err := os.ReadFile(path)
		if err != nil {
			continue // the thread has ended
		}
		state := stat[bytes.LastIndexByte(stat, ')')+2]
		if state != 'S' {
			return false
		}
	}
	return true
}

// childThreads has n goroutines wait for an item each, and says how many threads
// that takes, and how many goroutines were served.
func childThreads(args []string) {
	n := number(args, 1)
	b := attach[box](args[0])
	g := futex.NewGate(&b.word, futex.Adaptive)
	g.SetSlice(forever)
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() { must(g.Wait(bg, take{box: b})) })
	}
	for g.Waiting() < n {
		runtime.Gosched()
	}
	fmt.Println(threads())
	wg.Wait()
	fmt.Println(threads())
}

func threads() int {
	tasks, err := os.ReadDir("/proc/self/task")
	must(err)
	return len(tasks)
}

func TestThreads(t *testing.T) {
	const goroutines, most = 20_000, 100
	b, path := newShared[box](t)
	c := startChild(t, "threads", path, goroutines)
	report := func(when string) {
		n, err := strconv.Atoi(c.hear())
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%d threads %s", n, when)
		if n >= most {
			t.Errorf("%d threads %s, want fewer than %d", n, when, most)
		}
	}
	report("while 20,000 goroutines wait")
	for range goroutines {
		b.put(1)
	}
	report("after they were served")
	c.end()
	if n := b.items.Load(); n != 0 {
		t.Errorf("%d items are left", n)
	}
}
