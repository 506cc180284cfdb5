//go:build linux

package process_test

import (
	"context"
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/shmkit/shmkit/process"
	"github.com/shmkit/shmkit/shmtest"
)

var spin = process.Register("spin", func(ctx context.Context, _ struct{}) error {
	fmt.Println("running")
	for ctx.Err() == nil {
	}
	return nil
})

func TestState(t *testing.T) {
	is := func(p *process.Process, want process.State) {
		t.Helper()
		shmtest.Until(t, want.String(), func() bool { return p.State() == want })
	}
	p, out := lines(t, deaf, struct{}{}, nil)
	expectLine(t, out, "running")
	is(p, process.Blocked)
	p.Signal(syscall.SIGSTOP)
	is(p, process.Stopped)
	if s, ok := process.StateOf(p.PID()); s != process.Stopped || !ok {
		t.Errorf("by its ID: %v, %v", s, ok)
	}
	if s, ok := process.StateOf(1 << 30); ok {
		t.Errorf("a process that there is not: %v", s)
	}
	p.Kill()
	wait(t, p)
	if s := p.State(); s != process.Exited {
		t.Errorf("state %v after the end", s)
	}

	p, out = lines(t, spin, struct{}{}, nil)
	expectLine(t, out, "running")
	is(p, process.Running)
	p.Terminate()
	expectCode(t, p, 0)
}

func TestStateFromSamples(t *testing.T) {
	const ms = time.Millisecond
	for _, tt := range []struct {
		threads              string
		ran, before, between time.Duration
		want                 process.State
	}{
		{"S", 5, 5, time.Second, process.Blocked},
		{"SDI", 5, 5, time.Second, process.Blocked},
		{"SSR", 6, 5, time.Second, process.Running},
		{"RSS", 5, 5, time.Second, process.Ready},
		{"RSS", 5, 5, 19 * ms, process.Running},
		{"TTT", 5, 5, time.Second, process.Stopped},
		{"tSS", 5, 5, time.Second, process.Stopped},
		{"TRT", 6, 5, time.Second, process.Running}, // not all have stopped yet
		{"Z", 5, 5, time.Second, process.Zombie},
		{"X", 5, 5, time.Second, process.Zombie},
		{"ZSS", 5, 5, time.Second, process.Blocked}, // the first thread has ended, the process has not
		{"ZTT", 5, 5, time.Second, process.Stopped},
		{"ZR", 6, 5, time.Second, process.Running},
		{"", 0, 0, 0, process.Exited},
	} {
		if got := process.StateOfSamples(tt.threads, tt.ran, tt.before, tt.between); got != tt.want {
			t.Errorf("threads %q, ran %v → %v in %v: %v, want %v", tt.threads, tt.before, tt.ran, tt.between, got, tt.want)
		}
	}
}

func TestStateNames(t *testing.T) {
	if got := fmt.Sprint(process.Created, process.Ready, process.Running, process.Blocked, process.Stopped, process.Zombie, process.Exited, process.State(9)); got != "created ready running blocked stopped zombie exited unknown" {
		t.Error(got)
	}
}
