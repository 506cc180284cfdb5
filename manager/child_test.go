package manager_test

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"
)

func addChild(name string, f func(args []string)) bool {
	children[name] = f
	return true
}

// check ends a child that can't go on.
func check(err error) {
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
	out *bufio.Scanner

	//lint:ignore U1000 it is used with the tag faultpoints
	late chan string // a line that it may say some time, if somebody listens
}

func startChild(t testing.TB, name string, args ...string) *child {
	t.Helper()
	c := &child{t: t, cmd: exec.Command(os.Args[0], args...)}
	c.cmd.Env = append(os.Environ(), childEnv+"="+name)
	c.cmd.Stderr = os.Stderr
	var err error
	c.in, err = c.cmd.StdinPipe()
	must(t, err)
	out, err := c.cmd.StdoutPipe()
	must(t, err)
	c.out = bufio.NewScanner(out)
	must(t, c.cmd.Start())
	t.Cleanup(c.kill)
	return c
}

func (c *child) say(line string) {
	c.t.Helper()
	_, err := fmt.Fprintln(c.in, line)
	must(c.t, err)
}

// hear wants a line from the child that begins so.
func (c *child) hear(want string) string {
	c.t.Helper()
	if !c.out.Scan() {
		c.t.Fatalf("child has ended, %v; wanted %q", c.out.Err(), want)
	}
	if !strings.HasPrefix(c.out.Text(), want) {
		c.t.Fatalf("child says %q, wanted %q", c.out.Text(), want)
	}
	return c.out.Text()
}

// rest reads what the child says until it ends, and reaps it.
//
//lint:ignore U1000 it is used with the tag faultpoints
func (c *child) rest() (lines []string) {
	for c.out.Scan() {
		lines = append(lines, c.out.Text())
	}
	c.cmd.Wait()
	return lines
}

// kill ends the process, however it stands, and reaps it.
func (c *child) kill() {
	c.cmd.Process.Kill()
	c.cmd.Wait()
}

// until waits for a condition.
func until(t testing.TB, what string, cond func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !cond(); runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatalf("not within 30 s: %s", what)
		}
	}
}
