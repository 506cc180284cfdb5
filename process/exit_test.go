//go:build unix

package process_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/shmkit/shmkit/process"
	"github.com/shmkit/shmkit/shmtest"
)

func TestExitError(t *testing.T) {
	e := exitError(t, wait(t, mustStart(t, fail, "no such luck", &process.Options{Name: "gambler", Stdout: io.Discard, Stderr: io.Discard})))
	if e.Code != 1 || e.Err != "no such luck" || e.Name != "gambler" || e.Signal != 0 || e.Crash != "" || e.OOM {
		t.Errorf("got %+v", e)
	}
	if !strings.Contains(e.StderrTail, "gambler") || !strings.Contains(e.StderrTail, "no such luck") {
		t.Errorf("standard error: %q", e.StderrTail)
	}
	if !strings.Contains(e.Error(), "gambler") || !strings.Contains(e.Error(), "exit code 1: no such luck") {
		t.Errorf("text: %v", e)
	}
	if e.Rusage.User+e.Rusage.System <= 0 || e.Rusage.MaxRSS < 1<<20 || e.Rusage.MaxRSS > 1<<34 {
		t.Errorf("rusage %+v", e.Rusage)
	}
}

func TestLongError(t *testing.T) {
	text := strings.Repeat("e", 1<<20)
	e := exitError(t, wait(t, mustStart(t, fail, text, &process.Options{Stdout: io.Discard, Stderr: io.Discard})))
	if e.Err != text[:64<<10] {
		t.Errorf("%d bytes", len(e.Err))
	}
}

func TestCrash(t *testing.T) {
	for how, want := range map[string]string{
		"panic":           "panic: at the disco",
		"nil":             "panic: assignment to entry in nil map",
		"fatal":           "fatal error: sync: unlock of unlocked mutex",
		"other goroutine": "panic: elsewhere",
		"panic in goexit": "panic: on the way out",
	} {
		t.Run(how, func(t *testing.T) {
			e := exitError(t, wait(t, mustStart(t, crash, how, quiet)))
			if e.Code != 2 || e.Err != "" {
				t.Errorf("exit code %d, error %q", e.Code, e.Err)
			}
			if !strings.HasPrefix(e.Crash, want) || !strings.Contains(e.Crash, "main_test.go:") {
				t.Errorf("crash text %q", e.Crash)
			}
			if !strings.HasPrefix(e.StderrTail, "last words\n"+want) {
				t.Errorf("standard error %q", e.StderrTail)
			}
			if !strings.Contains(e.Error(), want) {
				t.Errorf("error %v", e)
			}
		})
	}
}

func TestGoexit(t *testing.T) {
	e := exitError(t, wait(t, mustStart(t, crash, "goexit", quiet)))
	if e.Code != 1 || !strings.Contains(e.Err, "runtime.Goexit") || e.Crash != "" {
		t.Errorf("got %+v", e)
	}
}

// A SIGKILL that nobody here sent is not by itself a sign of lack of memory.
func TestKilledByItself(t *testing.T) {
	if process.OOMKills() < 0 {
		t.Log("the kernel does not count out-of-memory kills here")
	}
	e := exitError(t, wait(t, mustStart(t, crash, "abort", quiet)))
	if e.Code != -9 || e.Signal != syscall.SIGKILL || e.OOM || e.StderrTail != "last words\n" {
		t.Errorf("got %+v", e)
	}
	if !strings.Contains(e.Error(), "signal 9 (killed)") {
		t.Errorf("text: %v", e)
	}
}

func TestGracefulEnds(t *testing.T) {
	for say, want := range map[string]int{"": 0, "error": -15, "cause": -15, "other": 1} {
		t.Run("say "+say, func(t *testing.T) {
			p, out := lines(t, polite, say, &process.Options{Grace: time.Minute, Stderr: io.Discard})
			expectLine(t, out, "running")
			p.Terminate()
			p.Terminate()
			expectLine(t, out, process.ErrTerminated.Error())
			expectCode(t, p, want)
			if say != "" {
				if e := exitError(t, p.Wait(context.Background())); e.Err == "" {
					t.Errorf("the error's text is missing: %+v", e)
				}
			}
		})
	}
}

// The last step of Terminate: the child has no ear for SIGTERM either.
func TestTerminateKills(t *testing.T) {
	t.Parallel() // it takes a KillGrace
	p, out := lines(t, stubborn, struct{}{}, &process.Options{Grace: time.Millisecond, KillGrace: 2 * time.Second})
	expectLine(t, out, "running")
	p.Terminate()
	expectLine(t, out, "terminated") // it has seen the signal
	expectCode(t, p, -9)
}

// Each step of Terminate has a grace of its own.
func TestGraces(t *testing.T) {
	p, out := lines(t, stubborn, struct{}{}, hurry)
	expectLine(t, out, "running")
	p.Terminate()
	expectLine(t, out, "terminated") // without the default Grace's 2 s
	select {
	case <-p.Done():
		t.Error("killed before its KillGrace")
	case <-time.After(50 * time.Millisecond): // many a Grace
	}
	p.Kill()
	expectCode(t, p, -9)

	p, out = lines(t, deafOnce, struct{}{}, &process.Options{Grace: time.Hour, KillGrace: time.Nanosecond})
	expectLine(t, out, "running")
	p.Terminate()
	expectLine(t, out, "once")
	if !p.Alive() {
		t.Error("ended before its Grace")
	}
}

func TestInterrupt(t *testing.T) {
	p, out := lines(t, polite, "error", &process.Options{Grace: time.Minute})
	expectLine(t, out, "running")
	if err := p.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	expectLine(t, out, process.ErrInterrupted.Error())
	expectCode(t, p, -2)

	p, out = lines(t, deafOnce, struct{}{}, nil) // ignores its context: the second SIGINT kills
	expectLine(t, out, "running")
	p.Signal(os.Interrupt)
	expectLine(t, out, "once")
	shmtest.Until(t, "death by the second SIGINT", func() bool {
		p.Signal(os.Interrupt)
		return !p.Alive()
	})
	expectCode(t, p, -2)
}

// SIGINT is caught from the function's first instruction on.
func TestInterruptAtOnce(t *testing.T) {
	for range 20 {
		expectCode(t, mustStart(t, interruptMyself, struct{}{}, nil), 0)
	}
}

var interruptMyself = process.Register("interrupt myself", func(ctx context.Context, _ struct{}) error {
	syscall.Kill(os.Getpid(), syscall.SIGINT)
	<-ctx.Done()
	if err := context.Cause(ctx); err != process.ErrInterrupted {
		return fmt.Errorf("cancelled for %v", err)
	}
	return nil
})

func TestIgnoredInterrupt(t *testing.T) {
	expectCode(t, mustStart(t, nohup, struct{}{}, nil), 0)
}

// A signal that the parent ignores still ends its child.
func TestIgnoredSignal(t *testing.T) {
	expectCode(t, mustStart(t, ignoring, struct{}{}, nil), 0)
}

func TestOwnGroup(t *testing.T) {
	p, got := askTell(t, testArgs{}, &process.Options{OwnGroup: true})
	if got.Pgid != p.PID() {
		t.Errorf("group %d of process %d", got.Pgid, p.PID())
	}
	if _, got := askTell(t, testArgs{}, nil); got.Pgid != syscall.Getpgrp() {
		t.Errorf("group %d, want the parent's %d", got.Pgid, syscall.Getpgrp())
	}

	// Kill takes the programs along that the child has started.
	p, out := lines(t, startSleep, struct{}{}, &process.Options{OwnGroup: true})
	expectLine(t, out, "running")
	p.Kill()
	expectCode(t, p, -9)
	if out.Scan() { // end of file: nobody holds the pipe any more
		t.Errorf("read %q", out.Text())
	}
}

func TestAfterTheEnd(t *testing.T) {
	p := mustStart(t, idle, struct{}{}, nil)
	if err := wait(t, p); err != nil {
		t.Fatal(err)
	}
	if err := p.Signal(syscall.SIGTERM); !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("Signal: %v", err)
	}
	if err := errors.Join(p.Terminate(), p.Kill()); err != nil {
		t.Errorf("Terminate and Kill: %v", err)
	}
	done, cancel := context.WithCancel(context.Background())
	cancel()
	if err := p.Wait(done); err != nil {
		t.Errorf("Wait with a context that is done: %v", err)
	}
}

// The kernel reaps the child: its end is seen, its exit code is not.
func TestReapedByOthers(t *testing.T) {
	e := exitError(t, wait(t, mustStart(t, reaped, struct{}{}, quiet)))
	if !strings.Contains(e.Err, "exit status is unknown") {
		t.Errorf("got %+v", e)
	}
}
