//go:build unix

package main

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strings"
	"syscall"
	"testing"

	"github.com/shmkit/shmkit/internal/cli"
	"github.com/shmkit/shmkit/internal/cli/clitest"
)

// TestProgram builds the program and runs it as people do.
func TestProgram(t *testing.T) {
	dir := clitest.UseDir(t, "shmctl-test-")
	bin := filepath.Join(t.TempDir(), "shmctl")
	build := exec.Command("go", "build", "-buildvcs=false", "-tags", tags(), "-o", bin, ".")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	c := startChild(t, "keeper")
	c.do("block pixels 100")

	t.Run("statuses", func(t *testing.T) {
		for line, want := range map[string]int{"ls": cli.OK, "info pixels": cli.OK, "info nope": cli.Failure, "ls -o yaml": cli.Usage} {
			var out, errs bytes.Buffer
			cmd := exec.Command(bin, strings.Fields(line)...)
			cmd.Stdout, cmd.Stderr = &out, &errs
			err := cmd.Run()
			if got := cmd.ProcessState.ExitCode(); got != want || (want == cli.OK) != (err == nil) || (want == cli.OK) != strings.Contains(out.String(), "pixels") || (want == cli.OK) == isErrorLine(errs.String()) {
				t.Errorf("%s: status %d, %q, %q", line, got, out.String(), errs.String())
			}
		}
	})

	t.Run("interrupted", func(t *testing.T) {
		for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
			var errs bytes.Buffer
			cmd := exec.Command(bin, "stat", "pixels", "--interval", "1ms", "--no-headers")
			cmd.Stderr = &errs
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			lines := bufio.NewReader(out)
			if _, err := lines.ReadString('\n'); err != nil {
				t.Fatal(err)
			}
			if err := cmd.Process.Signal(sig); err != nil {
				t.Fatal(err)
			}
			rest, err := io.ReadAll(lines)
			if err != nil || len(rest) > 0 && rest[len(rest)-1] != '\n' {
				t.Errorf("%v: half a line: %q, %v", sig, rest, err)
			}
			if err := cmd.Wait(); err != nil || errs.Len() > 0 {
				t.Errorf("%v: %v, %q", sig, err, errs.String())
			}
		}
	})

	t.Run("broken pipe", func(t *testing.T) {
		for _, line := range []string{"ls", "info pixels", "info pixels -o json", "stat pixels --interval 1ms", "stat pixels --interval 1ms -o json", "dict --help", "fsck pixels", "version", "--help"} {
			r, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			r.Close()
			var errs bytes.Buffer
			cmd := exec.Command(bin, strings.Fields(line)...)
			cmd.Stdout, cmd.Stderr = w, &errs
			if err := cmd.Run(); err != nil || errs.Len() > 0 {
				t.Errorf("%s: %v, %q", line, err, errs.String())
			}
			w.Close()
		}
	})

	// A program that is stopped with locks held keeps those waiting who change
	// something, but not those who look.
	t.Run("locked", func(t *testing.T) {
		c := startChild(t, "stopped")
		c.do("manager app 5")
		c.stop()
		lockAll(t, dir, "app")
		if got := ok(t, "dict", "get", "app/hits", "/page/0003"); got != "3\n" {
			t.Errorf("get: %q", got)
		}
		for _, line := range []string{"set app/hits x 1", "del app/hits /page/0003", "incr app/hits x"} {
			var errs bytes.Buffer
			cmd := exec.Command(bin, append([]string{"dict"}, strings.Fields(line+" --timeout 100ms")...)...)
			cmd.Stderr = &errs
			_ = cmd.Run()
			if cmd.ProcessState.ExitCode() != cli.Failure || !strings.Contains(errs.String(), "nothing after 100ms: it waits for a lock, and may happen or not (a process that is stopped") || !isErrorLine(errs.String()) {
				t.Errorf("%s: %v, %q", line, cmd.ProcessState, errs.String())
			}
		}
		var errs bytes.Buffer
		cmd := exec.Command(bin, "dict", "set", "app/hits", "x", "1", "--timeout", "1h")
		cmd.Stderr = &errs
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		clitest.Until(t, "it has opened the manager", func() bool { return decode[details](t, "info", "app").Processes == 2 })
		if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait()
		if cmd.ProcessState.ExitCode() != cli.Failure || !strings.Contains(errs.String(), "interrupted: it waits for a lock") {
			t.Errorf("%v, %q", cmd.ProcessState, errs.String())
		}
		c.kill()
	})

	t.Run("no room for the output", func(t *testing.T) {
		full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
		if errors.Is(err, os.ErrNotExist) {
			t.Skip("no /dev/full")
		}
		if err != nil {
			t.Fatal(err)
		}
		defer full.Close()
		for _, line := range []string{"ls", "info pixels -o json", "stat pixels --interval 1ms"} {
			var errs bytes.Buffer
			cmd := exec.Command(bin, strings.Fields(line)...)
			cmd.Stdout, cmd.Stderr = full, &errs
			_ = cmd.Run()
			if cmd.ProcessState.ExitCode() != cli.Failure || !strings.Contains(errs.String(), "no space left") || !isErrorLine(errs.String()) {
				t.Errorf("%s: %v, %q", line, cmd.ProcessState, errs.String())
			}
		}
	})
}

// lockAll makes the process of the first slot the holder of every lock of a manager.
func lockAll(t *testing.T, dir, name string) {
	t.Helper()
	at := decode[details](t, "info", name).Map[3].Offset // the stripes
	f, err := os.OpenFile(filepath.Join(dir, name), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for i := range int64(128) {
		if _, err := f.WriteAt(binary.NativeEndian.AppendUint32(nil, 1), at+i*256); err != nil {
			t.Fatal(err)
		}
	}
}

// tags returns the build tags of this test: the program must know the same
// segments.
func tags() string {
	info, _ := debug.ReadBuildInfo()
	for _, s := range info.Settings {
		if s.Key == "-tags" {
			return s.Value
		}
	}
	return ""
}
