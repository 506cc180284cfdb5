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

func TestStateFromLooks(t *testing.T) {
	const ms = time.Millisecond
	at := func(after time.Duration, threads string, ran ...time.Duration) process.Look {
		for len(ran) < len(threads) {
			ran = append(ran, 0)
		}
		return process.Look{After: after, Threads: threads, Ran: ran}
	}
	for _, tt := range []struct {
		what  string
		looks []process.Look
		want  process.State
	}{
		{"asleep", []process.Look{at(0, "S")}, process.Blocked},
		{"waits for a device", []process.Look{at(0, "SDI")}, process.Blocked},
		{"runs", []process.Look{at(0, "SSR", 0, 0, 5), at(time.Second, "SSR", 0, 0, 6)}, process.Running},
		{"runnable at the only look", []process.Look{at(0, "R")}, process.Running},
		{"waits", []process.Look{at(0, "RSS"), at(20*ms, "RSS")}, process.Ready},
		{"does not wait for long yet", []process.Look{at(0, "RSS"), at(19*ms, "RSS")}, process.Running},
		{"waits, and is looked at often", []process.Look{at(0, "R"), at(7*ms, "R"), at(14*ms, "R"), at(21*ms, "R")}, process.Ready},
		{"has run and waits again", []process.Look{at(0, "R"), at(15*ms, "R", 1), at(30*ms, "R", 1)}, process.Running},
		{"was asleep a moment ago", []process.Look{at(0, "S"), at(time.Second, "R")}, process.Running},
		{"waits, another thread has run", []process.Look{at(0, "RS"), at(time.Second, "RS", 0, 3)}, process.Ready},
		{"one waits, one runs", []process.Look{at(0, "RR"), at(time.Second, "RR", 0, 3)}, process.Running},
		{"times are unknown", []process.Look{at(0, "R", -1), at(time.Second, "R", -1)}, process.Running},
		{"stopped", []process.Look{at(0, "TTT")}, process.Stopped},
		{"traced", []process.Look{at(0, "tSS")}, process.Stopped},
		{"not all have stopped yet", []process.Look{at(0, "TRT")}, process.Running},
		{"zombie", []process.Look{at(0, "Z")}, process.Zombie},
		{"dead", []process.Look{at(0, "X")}, process.Zombie},
		{"its first thread has ended", []process.Look{at(0, "ZSS")}, process.Blocked},
		{"its first thread has ended, it is stopped", []process.Look{at(0, "ZTT")}, process.Stopped},
		{"its first thread has ended, another runs", []process.Look{at(0, "ZR")}, process.Running},
		{"gone", []process.Look{at(0, "")}, process.Exited},
	} {
		if got := process.StateAfter(tt.looks...); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.what, got, tt.want)
		}
	}
}

func TestStateNames(t *testing.T) {
	if got := fmt.Sprint(process.Created, process.Ready, process.Running, process.Blocked, process.Stopped, process.Zombie, process.Exited, process.State(9)); got != "created ready running blocked stopped zombie exited unknown" {
		t.Error(got)
	}
}
