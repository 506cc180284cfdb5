//go:build unix

package shmtest_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/shmkit/shmkit/process"
	"github.com/shmkit/shmkit/shm"
	"github.com/shmkit/shmkit/shmtest"
)

// leakEnv makes the tests of this program leave something behind.
const leakEnv = "SHMTEST_TEST_LEAK"

func TestMain(m *testing.M) { shmtest.Main(m) }

var (
	greet = process.Register("greet", func(_ context.Context, name string) error {
		fmt.Println("hello", name)
		fmt.Fprint(os.Stderr, "no newline")
		return nil
	})
	fail = process.Register("fail", func(_ context.Context, how string) error {
		if how == "panic" {
			panic("at the disco")
		}
		return errors.New(how)
	})
	idle = process.Register("idle", func(ctx context.Context, _ struct{}) error {
		<-ctx.Done()
		return nil
	})
	where = process.Register("where", func(_ context.Context, want string) error {
		if got := string(shm.DefaultDir()); got != want {
			return fmt.Errorf("segments are in %s, want %s", got, want)
		}
		return nil
	})
)

// TestLeave leaves something behind, but only in a run of its own.
func TestLeave(t *testing.T) {
	switch os.Getenv(leakEnv) {
	case "goroutine":
		go func() { select {} }()
	case "descriptor":
		f, err := os.Open(os.DevNull)
		if err != nil {
			t.Fatal(err)
		}
		runtime.SetFinalizer(f, nil)
		kept = f
	case "process":
		if _, err := idle.Start(context.Background(), struct{}{}, nil); err != nil {
			t.Fatal(err)
		}
	case "zombie":
		if runtime.GOOS != "linux" {
			t.Fatal("no zombie")
		}
		if err := exec.Command("true").Start(); err != nil {
			t.Fatal(err)
		}
	case "segment":
		if _, err := shm.Create("left", 100, &shm.Options{Persistent: true}); err != nil {
			t.Fatal(err)
		}
	}
}

var kept *os.File

// TestMainFindsLeaks runs this program again with something left behind.
func TestMainFindsLeaks(t *testing.T) {
	cases := map[string]string{
		"nothing": "", "goroutine": "TestLeave", "descriptor": os.DevNull, "process": "process ", "segment": "segment left",
	}
	if runtime.GOOS == "linux" {
		cases["zombie"] = "a zombie"
	}
	for what, want := range cases {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			var errs bytes.Buffer
			cmd := exec.Command(os.Args[0], "-test.run=^TestLeave$")
			cmd.Env = append(os.Environ(), leakEnv+"="+what)
			cmd.Stderr = &errs
			err := cmd.Run()
			if want == "" {
				if err != nil || errs.Len() > 0 {
					t.Errorf("%v, %q", err, errs.String())
				}
				return
			}
			if code := cmd.ProcessState.ExitCode(); code != 1 || !strings.Contains(errs.String(), "shmtest: left behind: ") || !strings.Contains(errs.String(), want) {
				t.Errorf("exit code %d, %q", code, errs.String())
			}
		})
	}
}

// A fake is a test that notes what becomes of it.
type fake struct {
	testing.TB
	clean  []func()
	log    []string
	failed bool
}

func (f *fake) Helper()          {}
func (f *fake) Failed() bool     { return f.failed }
func (f *fake) Cleanup(g func()) { f.clean = append(f.clean, g) }
func (f *fake) Logf(format string, args ...any) {
	f.log = append(f.log, fmt.Sprintf(format, args...))
}
func (f *fake) Errorf(format string, args ...any) {
	f.failed = true
	f.Logf(format, args...)
}
func (f *fake) Fatalf(format string, args ...any) {
	f.Errorf(format, args...)
	runtime.Goexit()
}

// run runs a test to its end, clean-ups included.
func run(t *testing.T, test func(*fake)) *fake {
	f := &fake{TB: t}
	step := func(g func()) {
		done := make(chan struct{})
		go func() {
			defer close(done)
			g()
		}()
		<-done
	}
	step(func() { test(f) })
	for i := len(f.clean) - 1; i >= 0; i-- {
		step(f.clean[i])
	}
	return f
}

func (f *fake) expect(t *testing.T, failed bool, want string) {
	t.Helper()
	if log := strings.Join(f.log, "\n"); f.failed != failed || !strings.Contains(log, want) {
		t.Errorf("failed %v, %q; want %v, %q", f.failed, log, failed, want)
	}
}

func TestCheckLeaks(t *testing.T) {
	dir := shmtest.SetDir(t)
	run(t, func(f *fake) { shmtest.CheckLeaks(f) }).expect(t, false, "")

	var block *shm.Segment
	run(t, func(f *fake) {
		shmtest.CheckLeaks(f)
		var err error
		if block, err = shm.Create("kept", 100, nil); err != nil {
			f.Fatalf("%v", err)
		}
	}).expect(t, true, "left behind: segment kept")
	run(t, func(f *fake) { shmtest.CheckLeaks(f) }).expect(t, false, "") // it was there before
	block.Close()

	end := make(chan struct{})
	run(t, func(f *fake) {
		shmtest.CheckLeaks(f)
		go func() { <-end }()
	}).expect(t, true, "TestCheckLeaks")
	close(end)

	if f := run(t, func(f *fake) { // whatever a test that has failed leaves is no news
		shmtest.CheckLeaks(f)
		f.Errorf("for another reason")
		block, err := shm.Create("kept-again", 100, nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { block.Close() })
	}); len(f.log) != 1 {
		t.Errorf("%q", f.log)
	}

	run(t, func(f *fake) { // a child that the clean-up ends
		shmtest.CheckLeaks(f)
		shmtest.Start(f, idle, struct{}{}, nil)
	}).expect(t, false, "")
	if _, err := os.Stat(dir); err != nil {
		t.Error(err)
	}
}

func TestStart(t *testing.T) {
	run(t, func(f *fake) {
		p := shmtest.Start(f, greet, "world", nil)
		shmtest.Wait(f, p)
	}).expect(t, false, "greet: hello world")
	run(t, func(f *fake) { shmtest.Wait(f, shmtest.Start(f, greet, "world", nil)) }).expect(t, false, "greet: no newline")
	run(t, func(f *fake) { shmtest.Wait(f, shmtest.Start(f, fail, "no luck", nil)) }).expect(t, true, "exit code 1: no luck")
	run(t, func(f *fake) {
		shmtest.Wait(f, shmtest.Start(f, fail, "panic", &process.Options{Stderr: io.Discard, StderrTail: -1}))
	}).expect(t, true, "goroutine 1")
	run(t, func(f *fake) { shmtest.WaitCode(f, shmtest.Start(f, fail, "x", nil), 1) }).expect(t, false, "")
	run(t, func(f *fake) { shmtest.WaitCode(f, shmtest.Start(f, fail, "x", nil), 7) }).expect(t, true, "ended with code 1, want 7")
	run(t, func(f *fake) { shmtest.Start(f, idle, struct{}{}, &process.Options{Grace: -1}) }).expect(t, true, "negative Grace")

	var p *process.Process
	run(t, func(f *fake) { p = shmtest.Start(f, idle, struct{}{}, nil) }).expect(t, false, "")
	if code, ended := p.ExitCode(); !ended || code != -9 {
		t.Errorf("exit code %d, %v", code, ended)
	}
}

func TestDir(t *testing.T) {
	dir := shmtest.SetDir(t)
	shmtest.Wait(t, shmtest.Start(t, where, dir, nil))

	var inner string
	run(t, func(f *fake) {
		inner = shmtest.Dir(f)
		if err := os.WriteFile(filepath.Join(inner, "stays"), nil, 0o600); err != nil {
			f.Fatalf("%v", err)
		}
	}).expect(t, true, "left behind: segment stays")
	if _, err := os.Stat(inner); !errors.Is(err, os.ErrNotExist) || inner == dir {
		t.Errorf("%s: %v", inner, err)
	}
}

func TestUntil(t *testing.T) {
	n := 0
	run(t, func(f *fake) { shmtest.Until(f, "three", func() bool { n++; return n == 3 }) }).expect(t, false, "")
	run(t, func(f *fake) { shmtest.UntilFor(f, "never", 0, func() bool { return false }) }).expect(t, true, "in vain until never")
}
