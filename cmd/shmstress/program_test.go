//go:build unix

package main

import (
	"bytes"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/shmkit/shmkit/internal/cli/clitest"
	"github.com/shmkit/shmkit/shm"
)

// program starts the program as people do.
func program(t *testing.T, args ...string) (*exec.Cmd, *bytes.Buffer) {
	t.Helper()
	var out bytes.Buffer
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), programEnv+"=1")
	cmd.Stdout = &out
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill() })
	return cmd, &out
}

// TestInterrupt expects ^C to end a run with its summary.
func TestInterrupt(t *testing.T) {
	dir := clitest.UseDir(t, "shmstress-test-")
	cmd, out := program(t, "queue", "-duration", "1h", "-stop-rate", "20")
	clitest.Until(t, "members have joined", func() bool { return holders(t, dir) > 4 })
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil || !strings.Contains(out.String(), "then interrupted") {
		t.Errorf("%v: %s", err, out)
	}
	wantNothingLeft(t, dir)
}

// TestRefereeKilled kills the program itself: its members must end, also those that
// are stopped then, and nobody may hold its segments.
func TestRefereeKilled(t *testing.T) {
	for _, mode := range []string{"queue", "pool"} {
		dir := clitest.UseDir(t, "shmstress-test-")
		cmd, _ := program(t, mode, "-duration", "1h", "-stop-rate", "200", "-kill-rate", "0")
		clitest.Until(t, "members have joined", func() bool { return holders(t, dir) > 4 })
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		cmd.Wait()
		clitest.Until(t, mode+": nobody holds a segment", func() bool {
			if _, err := shm.Dir(dir).Sweep(); err != nil {
				t.Fatal(err)
			}
			return len(entries(t, dir)) == 0
		})
	}
}
