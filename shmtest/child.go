package shmtest

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/shmkit/shmkit/process"
)

// patience is how long what should take no time at all may take.
const patience = time.Minute

// Start starts f in a process of its own, and fails the test if it can't. At
// the test's end the process is killed if it lives. Its standard output and
// error are lines of the test's log, unless opts says otherwise. It returns
// when the function is about to run.
func Start[A any](t testing.TB, f *process.Func[A], args A, opts *process.Options) *process.Process {
	t.Helper()
	var o process.Options
	if opts != nil {
		o = *opts
	}
	logs := [2]logWriter{{t: t, name: f.Name()}, {t: t, name: f.Name()}} // each has lines of its own
	if o.Stdout == nil {
		o.Stdout = &logs[0]
	}
	if o.Stderr == nil {
		o.Stderr = &logs[1]
	}
	p, err := f.Start(context.Background(), args, &o)
	if err != nil {
		t.Fatalf("shmtest: %v", err)
	}
	t.Cleanup(func() {
		p.Kill()
		<-p.Done()
		logs[0].flush()
		logs[1].flush()
		p.Close()
	})
	return p
}

// Wait waits for the end of a process, for a minute at most. The test fails,
// and ends, if it ends with anything but exit code 0, with what it said last.
func Wait(t testing.TB, p *process.Process) {
	t.Helper()
	err := wait(t, p)
	var exit *process.ExitError
	if errors.As(err, &exit) && exit.Crash != "" {
		t.Fatalf("shmtest: %v\n%s", err, exit.Crash)
	}
	if err != nil {
		t.Fatalf("shmtest: %v", err)
	}
}

// WaitCode waits for the end of a process, for a minute at most. The test
// fails, and ends, if its exit code is not the given one: -9 for SIGKILL.
func WaitCode(t testing.TB, p *process.Process, code int) {
	t.Helper()
	err := wait(t, p)
	if got, _ := p.ExitCode(); got != code {
		t.Fatalf("shmtest: %v ended with code %d, want %d: %v", p, got, code, err)
	}
}

func wait(t testing.TB, p *process.Process) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	err := p.Wait(ctx)
	if p.Alive() {
		t.Fatalf("shmtest: %v", err)
	}
	return err
}

// Until waits for a condition that nothing announces, as what another
// process does, for a minute at most. It looks each millisecond.
func Until(t testing.TB, what string, cond func() bool) {
	t.Helper()
	until(t, what, patience, cond)
}

func until(t testing.TB, what string, patience time.Duration, cond func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); !cond(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("shmtest: waited in vain until %s", what)
		}
	}
}

// logWriter makes lines of a test's log.
type logWriter struct {
	t    testing.TB
	name string

	mu   sync.Mutex
	rest []byte
}

func (w *logWriter) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.rest = append(w.rest, b...)
	for {
		line, rest, ok := bytes.Cut(w.rest, []byte("\n"))
		if !ok {
			return len(b), nil
		}
		w.t.Logf("%s: %s", w.name, line)
		w.rest = rest
	}
}

// flush logs a last line without an end.
func (w *logWriter) flush() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.rest) > 0 {
		w.t.Logf("%s: %s", w.name, w.rest)
		w.rest = nil
	}
}
