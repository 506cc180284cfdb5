//go:build unix

package ringqueue_test

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/shmkit/shmkit/shm"
)

// childEnv names the function of the table below that a re-executed test binary
// runs instead of the tests.
const childEnv = "RINGQUEUE_TEST_CHILD"

var children = map[string]func(args []string){
	"peer":        childPeer,
	"putBytes":    childPutBytes,
	"benchServe":  childBenchServe,
	"threads":     childThreads,
	"hold":        childHold,
	"putForever":  childPutForever,
	"takeForever": childTakeForever,
	"hotPath":     childHotPath,
	"linear":      childLinear,
	"scribble":    childScribble,
}

func TestMain(m *testing.M) {
	if name := os.Getenv(childEnv); name != "" {
		maps.Copy(children, envChildren)
		children[name](os.Args[1:])
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// must ends a child that can't go on.
func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "child:", err)
		os.Exit(1)
	}
}

// A child is another process of this test binary, spoken to by lines.
type child struct {
	t   testing.TB
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

func startChild(t testing.TB, name string, args ...string) *child {
	t.Helper()
	return startCommand(t, exec.Command(os.Args[0], args...), name)
}

func startCommand(t testing.TB, cmd *exec.Cmd, name string) *child {
	t.Helper()
	cmd.Env = append(os.Environ(), childEnv+"="+name)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	c := &child{t, cmd, in, bufio.NewReader(out)}
	t.Cleanup(c.kill)
	return c
}

func (c *child) say(format string, args ...any) {
	c.t.Helper()
	if _, err := fmt.Fprintf(c.in, format+"\n", args...); err != nil {
		c.t.Fatal(err)
	}
}

func (c *child) hear() string {
	c.t.Helper()
	line, err := c.out.ReadString('\n')
	if err != nil {
		c.t.Fatalf("child: %v", err)
	}
	return strings.TrimSuffix(line, "\n")
}

func (c *child) signal(s syscall.Signal) {
	c.t.Helper()
	if err := c.cmd.Process.Signal(s); err != nil {
		c.t.Fatal(err)
	}
}

// stop stops the process and waits until it stands.
func (c *child) stop() {
	c.t.Helper()
	c.signal(syscall.SIGSTOP)
	until(c.t, "the process stands", func() bool { return procState(c.cmd.Process.Pid) == "T" })
}

// kill ends the process, however it stands, and reaps it.
func (c *child) kill() {
	c.cmd.Process.Kill()
	c.cmd.Wait()
}

// wait lets the process end by itself.
func (c *child) wait() {
	c.t.Helper()
	c.in.Close()
	if err := c.cmd.Wait(); err != nil {
		c.t.Fatalf("child: %v", err)
	}
}

// procState returns the state letter of a process from /proc, "" if there is
// none.
func procState(pid int) string {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return ""
	}
	s := string(b)
	i := strings.LastIndexByte(s, ')')
	if i < 0 || i+2 >= len(s) {
		return ""
	}
	return s[i+2 : i+3]
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

// tempDir returns a fresh segment directory in shared memory where there is
// such, else among the temporary files.
func tempDir(t testing.TB) string {
	t.Helper()
	base := ""
	if st, err := os.Stat("/dev/shm"); err == nil && st.IsDir() {
		base = "/dev/shm"
	}
	dir, err := os.MkdirTemp(base, "ringqueue-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// noSegments checks that nothing is left in dir.
func noSegments(t testing.TB, dir string) {
	t.Helper()
	if _, err := shm.Dir(dir).Sweep(); err != nil {
		t.Fatal(err)
	}
	list, err := shm.Dir(dir).List()
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range list {
		t.Errorf("left behind: %s (%d holders)", i.Name, i.Holders)
	}
}
