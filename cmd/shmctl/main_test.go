//go:build unix

package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"go.uber.org/goleak"

	"github.com/shmkit/shmkit/internal/cli"
	"github.com/shmkit/shmkit/process"
	"github.com/shmkit/shmkit/shm"
)

func TestMain(m *testing.M) {
	process.Main() // workers of the pools that children make
	if os.Getenv(childEnv) != "" {
		serve(os.Stdin, os.Stdout)
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// A result is what a command line came to.
type result struct {
	status   int
	out, err string
}

// shmctl runs a command line in this process.
func shmctl(args ...string) result {
	var out, errs bytes.Buffer
	status := run(context.Background(), args, &out, &errs)
	return result{status, out.String(), errs.String()}
}

// ok runs a command line that must succeed, and returns its output.
func ok(t testing.TB, args ...string) string {
	t.Helper()
	r := shmctl(args...)
	if r.status != cli.OK || r.err != "" {
		t.Fatalf("shmctl %s: status %d, %s", strings.Join(args, " "), r.status, r.err)
	}
	return r.out
}

// decode runs a command line that must succeed, and decodes its JSON.
func decode[T any](t testing.TB, args ...string) T {
	t.Helper()
	var v T
	d := json.NewDecoder(strings.NewReader(ok(t, append(args, "-o", "json")...)))
	d.DisallowUnknownFields()
	if err := d.Decode(&v); err != nil {
		t.Fatalf("shmctl %s: %v", strings.Join(args, " "), err)
	}
	return v
}

// fails runs a command line that must end with the status and one line of error
// that contains the text.
func fails(t testing.TB, status int, text string, args ...string) result {
	t.Helper()
	r := shmctl(args...)
	if r.status != status || !isErrorLine(r.err) || !strings.Contains(r.err, text) {
		t.Errorf("shmctl %s: status %d, %q; want %d, %q", strings.Join(args, " "), r.status, r.err, status, text)
	}
	return r
}

// isErrorLine tells whether s is one line of the form that errors have.
func isErrorLine(s string) bool {
	return strings.HasPrefix(s, "shmctl: ") && strings.HasSuffix(s, "\n") && strings.Count(s, "\n") == 1
}

// childEnv makes a process of the test binary a child, which does what it is
// told by lines.
const childEnv = "SHMCTL_TEST_CHILD"

// A child is a process that uses segments.
type child struct {
	t   testing.TB
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

// startChild starts a process with the command line as its own.
func startChild(t testing.TB, commandLine ...string) *child {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Args = commandLine
	cmd.Env = append(os.Environ(), childEnv+"=1")
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

// do tells the child something and waits until it is done.
func (c *child) do(format string, args ...any) {
	c.t.Helper()
	line := fmt.Sprintf(format, args...)
	if _, err := fmt.Fprintln(c.in, line); err != nil {
		c.t.Fatal(err)
	}
	answer, err := c.out.ReadString('\n')
	if err != nil || answer != "ok\n" {
		c.t.Fatalf("child: %s: %q, %v", line, answer, err)
	}
}

func (c *child) pid() int { return c.cmd.Process.Pid }

// kill ends the process, however it stands, and reaps it.
func (c *child) kill() {
	c.cmd.Process.Kill()
	c.cmd.Wait()
}

// stop stops the process and waits until it stands.
func (c *child) stop() {
	c.t.Helper()
	if err := c.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		c.t.Fatal(err)
	}
	var ws syscall.WaitStatus
	if _, err := syscall.Wait4(c.pid(), &ws, syscall.WUNTRACED, nil); err != nil || !ws.Stopped() {
		c.t.Fatalf("stopping: %v, %v", ws, err)
	}
}

// stopped is the state of a stopped process as shmctl can know it here.
func stopped() string {
	if runtime.GOOS == "linux" {
		return stateStopped
	}
	return stateAlive
}

// slotOfPID returns the slot of a process.
func slotOfPID(t testing.TB, d details, pid int) slot {
	t.Helper()
	for _, s := range d.Table {
		if s.PID == pid {
			return s
		}
	}
	t.Fatalf("no slot of process %d in %+v", pid, d.Table)
	return slot{}
}

// total returns a counter's total in the segment of that name.
func total(t testing.TB, dir, name string, c shm.Counter) uint64 {
	t.Helper()
	i, err := shm.Inspect(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	defer i.Close()
	return i.Total(c)
}
