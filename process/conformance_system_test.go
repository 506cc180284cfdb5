//go:build unix

package process_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/shmkit/shmkit/process"
)

var descriptors = process.Register("descriptors", func(context.Context, struct{}) error {
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return err
	}
	fmt.Println(len(fds))
	return nil
})

func testDescriptorInflation(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("needs /proc")
	}
	count := func() string {
		p, out := lines(t, descriptors, struct{}{}, nil)
		out.Scan()
		expectCode(t, p, 0)
		return out.Text()
	}
	before := count()
	for range 10 {
		_, out := lines(t, deaf, struct{}{}, quiet)
		expectLine(t, out, "running")
	}
	if after := count(); before == "" || after != before {
		t.Errorf("a child has %q descriptors without siblings, %q with ten", before, after)
	}
}

// Goroutines are abandoned, as when main returns.
func testGoroutines(t *testing.T) {
	expectCode(t, mustStart(t, abandon, struct{}{}, nil), 0)
}

var abandon = process.Register("abandon", func(context.Context, struct{}) error {
	for range 10 {
		go func() { select {} }()
	}
	return nil
})

// closedStdio is a parent without standard streams.
var closedStdio = process.Register("closed stdio", func(ctx context.Context, how string) error {
	switch how {
	case "nil":
		os.Stdout, os.Stderr = nil, nil
	case "file":
		os.Stdout.Close()
		os.Stderr.Close()
	case "descriptor":
		syscall.Close(1)
		syscall.Close(2)
		syscall.Close(0)
	}
	p, err := nullStdio.Start(ctx, how, nil)
	if err != nil {
		return err
	}
	return p.Wait(ctx)
})

// nullStdio fails if its output goes anywhere.
var nullStdio = process.Register("null stdio", func(context.Context, string) error {
	want, err := os.Stat(os.DevNull)
	if err != nil {
		return err
	}
	for _, f := range []*os.File{os.Stdin, os.Stdout, os.Stderr} {
		if got, err := f.Stat(); err != nil || !os.SameFile(got, want) {
			return fmt.Errorf("%s is not the null device: %v, %v", f.Name(), got, err)
		}
	}
	return nil
})

func testClosedStdio(t *testing.T) {
	for _, how := range []string{"nil", "file", "descriptor"} {
		t.Run(how, func(t *testing.T) { expectCode(t, mustStart(t, closedStdio, how, nil), 0) })
	}
}

func testBreakStdio(t *testing.T) {
	expectCode(t, mustStart(t, breakStdio, struct{}{}, nil), 0)
}

func testStderrFlush(t *testing.T) {
	var errs bytes.Buffer
	expectCode(t, mustStart(t, crash, "nil", &process.Options{Stderr: &errs}), 2)
	for _, want := range []string{"last words", "assignment to entry in nil map", "goroutine 1 [running", "main_test.go:"} {
		if !strings.Contains(errs.String(), want) {
			t.Errorf("standard error lacks %q: %s", want, errs.String())
		}
	}
}

func testExitCodes(t *testing.T) {
	for _, code := range []int{0, 1, 8, 255} {
		expectCode(t, mustStart(t, exit, code, nil), code)
	}
	expectCode(t, mustStart(t, idle, struct{}{}, nil), 0)
	var errs bytes.Buffer
	p := mustStart(t, fail, "ignore this", &process.Options{Stdout: io.Discard, Stderr: &errs})
	expectCode(t, p, 1)
	if !strings.HasSuffix(errs.String(), ": ignore this\n") {
		t.Errorf("standard error %q", errs.String())
	}
}

func testDeferred(t *testing.T) {
	for text, code := range map[string]int{"": 0, "x": 1} {
		p, out := lines(t, fail, text, quiet)
		expectLine(t, out, "deferred")
		expectCode(t, p, code)
	}
}

func testFlags(t *testing.T) {
	t.Setenv("GOMAXPROCS", "3")
	t.Setenv("GODEBUG", "madvdontneed=1")
	_, got := askTell(t, testArgs{}, nil)
	if !reflect.DeepEqual(got.OSArgs, os.Args) {
		t.Errorf("arguments %q, want %q", got.OSArgs, os.Args)
	}
	if got.Procs != 3 || !slices.Contains(got.Env, "GODEBUG=madvdontneed=1") {
		t.Errorf("GOMAXPROCS %d, environment %q", got.Procs, got.Env)
	}
}

func testNoForkBomb(t *testing.T) {
	counted := func(t *testing.T) (setting string, runs func() int) {
		file := filepath.Join(t.TempDir(), "runs")
		return "PROCESS_TEST_COUNT=" + file, func() int {
			b, _ := os.ReadFile(file)
			return len(b)
		}
	}
	t.Run("no Main in parent", func(t *testing.T) {
		setting, runs := counted(t)
		cmd := exec.Command(os.Args[0])
		cmd.Env = withEnv(setting, modeEnv+"=no main")
		out, err := cmd.CombinedOutput()
		if want := "start idle: " + process.ErrNoMain.Error() + "\n"; err != nil || string(out) != want {
			t.Errorf("%v, output %q, want %q", err, out, want)
		}
		if n := runs(); n != 1 {
			t.Errorf("the program ran %d times", n)
		}
	})
	t.Run("no Main in child", func(t *testing.T) {
		setting, runs := counted(t)
		_, err := idle.Start(context.Background(), struct{}{}, &process.Options{
			Env: withEnv(setting, modeEnv+"=no main in child"), Stderr: io.Discard,
		})
		if !errors.Is(err, process.ErrHandshake) || !strings.Contains(err.Error(), "does main call process.Main") {
			t.Errorf("error %v", err)
		}
		if e := exitError(t, err); e.Code != 2 || !strings.Contains(e.StderrTail, "its main has not called process.Main") {
			t.Errorf("child: %+v", e)
		}
		if n := runs(); n != 1 {
			t.Errorf("the program ran %d times", n)
		}
	})
	for mode, want := range map[string]process.ExitError{
		"exit":        {Code: 0},
		"exit loudly": {Code: 5, StderrTail: "nothing to do here\n"},
		"panic":       {Code: 2, StderrTail: "panic: before Main\n"},
	} {
		t.Run(mode, func(t *testing.T) {
			_, err := idle.Start(context.Background(), struct{}{}, &process.Options{Env: withEnv(modeEnv + "=" + mode), Stderr: io.Discard})
			if !errors.Is(err, process.ErrHandshake) {
				t.Errorf("error %v", err)
			}
			if e := exitError(t, err); e.Code != want.Code || !strings.HasPrefix(e.StderrTail, want.StderrTail) {
				t.Errorf("child: %+v", e)
			}
		})
	}
	t.Run("marker without parent", func(t *testing.T) {
		for _, marker := range []string{"", "1", "v2:depth=1:crash=4:parent=1", "v2:depth=0:crash=4:parent=1", "v2:depth=1:crash=3:parent=1", "v2:depth=1:crash=4", "v999999999999999999999"} {
			cmd := exec.Command(os.Args[0])
			cmd.Env = withEnv("SHMKIT_PROCESS=" + marker)
			out, err := cmd.CombinedOutput()
			var e *exec.ExitError
			if !errors.As(err, &e) || e.ExitCode() != 2 || !strings.HasPrefix(string(out), "process: child ") {
				t.Errorf("marker %q: %v, output %q", marker, err, out)
			}
		}
	})
}

var stat = process.Register("stat", func(_ context.Context, fd int) error {
	var st syscall.Stat_t
	if err := syscall.Fstat(fd, &st); err != syscall.EBADF {
		return fmt.Errorf("descriptor %d: %v, want EBADF", fd, err)
	}
	return nil
})

func testCloseFD(t *testing.T) {
	fd := highDescriptor(t)
	expectCode(t, mustStart(t, stat, fd, nil), 0)
}

// The parent's own standard input plays no part.
func testBadStdin(t *testing.T) {
	stdin := os.Stdin
	defer func() { os.Stdin = stdin }()
	os.Stdin, _ = pipe(t)
	os.Stdin.Close()
	expectCode(t, mustStart(t, upper, struct{}{}, nil), 0)
	if p, err := upper.Start(context.Background(), struct{}{}, &process.Options{Stdin: os.Stdin}); err == nil {
		expectCode(t, p, 0) // what is asked for can't be had: nothing to read, or an error
	}
}

func testWaitSignals(t *testing.T) {
	signals := make(chan os.Signal, 100)
	signal.Notify(signals, syscall.SIGUSR1)
	defer signal.Stop(signals)
	in, hold := pipe(t)
	p := mustStart(t, upper, struct{}{}, &process.Options{Stdin: in})
	in.Close()
	waited := make(chan error, 1)
	go func() { waited <- p.Wait(context.Background()) }()
	for range 20 {
		syscall.Kill(os.Getpid(), syscall.SIGUSR1)
		<-signals
	}
	select {
	case err := <-waited:
		t.Errorf("Wait ended early: %v", err)
	default:
	}
	hold.Close()
	if err := <-waited; err != nil {
		t.Error(err)
	}
}
