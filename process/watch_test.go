//go:build linux

package process_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/shmkit/shmkit/process"
	"github.com/shmkit/shmkit/shmtest"
)

// stages blocks until it may read a byte, computes until it may read another,
// and so on, to the end of its input.
var stages = process.Register("stages", func(context.Context, struct{}) error {
	b := make([]byte, 1)
	for {
		if _, err := os.Stdin.Read(b); err != nil {
			return nil
		}
		var stop atomic.Bool
		go func() {
			os.Stdin.Read(b)
			stop.Store(true)
		}()
		for !stop.Load() {
		}
	}
})

// await takes changes until the state, which must come.
func await(t *testing.T, changes <-chan process.State, want process.State) {
	t.Helper()
	for deadline := time.After(time.Minute); ; {
		select {
		case s, ok := <-changes:
			if !ok {
				t.Fatalf("the watch has ended before %v", want)
			}
			if s == want {
				return
			}
		case <-deadline:
			t.Fatalf("never %v", want)
		}
	}
}

// follow sends what p.Watch yields, and closes the channel after that.
func follow(ctx context.Context, p *process.Process) <-chan process.State {
	changes := make(chan process.State, 1000)
	go func() {
		defer close(changes)
		for s := range p.Watch(ctx, 0) {
			changes <- s
		}
	}()
	return changes
}

func TestWatchOne(t *testing.T) {
	in, hold := pipe(t)
	p := mustStart(t, stages, struct{}{}, &process.Options{Stdin: in})
	in.Close()
	changes := follow(t.Context(), p)
	await(t, changes, process.Blocked)
	expectCode(t, mustStart(t, idle, struct{}{}, nil), 0) // another's end does not end the watch
	hold.WriteString("x")
	await(t, changes, process.Running)
	hold.WriteString("x")
	await(t, changes, process.Blocked)
	p.Signal(syscall.SIGSTOP)
	await(t, changes, process.Stopped)
	p.Signal(syscall.SIGCONT)
	await(t, changes, process.Blocked)
	hold.WriteString("x")
	await(t, changes, process.Running)
	hold.Close()
	if seesZombies {
		await(t, changes, process.Zombie)
	}
	await(t, changes, process.Exited)
	if s, more := <-changes; more {
		t.Errorf("%v after the end", s)
	}
	if code, ended := p.ExitCode(); code != 0 || !ended {
		t.Errorf("exit code %d, %v, when Exited has been seen", code, ended)
	}
	if got := slices.Collect(p.Watch(t.Context(), 0)); !slices.Equal(got, []process.State{process.Exited}) {
		t.Errorf("watching what has ended: %v", got)
	}
}

func TestWatchEnds(t *testing.T) {
	p, out := lines(t, deaf, struct{}{}, nil)
	expectLine(t, out, "running")
	ctx, cancel := context.WithCancel(t.Context())
	changes := follow(ctx, p)
	await(t, changes, process.Blocked)
	cancel()
	for range changes { // to its end, which comes
	}
	for range p.Watch(t.Context(), time.Hour) { // the present state is told without a wait
		break
	}
	for range process.Watch(ctx, 0) {
		t.Error("a change with a context that is done")
	}
	unused, cancel := context.WithCancel(t.Context())
	process.Watch(unused, 0)
	cancel()
	shmtest.Until(t, "no watcher is left", func() bool { return process.Watchers() == 0 })

	// What happens between the call and the loop is not lost.
	p.Kill()
	wait(t, p)
	p, out = lines(t, deaf, struct{}{}, nil)
	expectLine(t, out, "running")
	seq := p.Watch(t.Context(), 0)
	p.Kill()
	wait(t, p)
	got := slices.Collect(seq)
	if want := []process.State{process.Zombie, process.Exited}; !slices.Equal(got, want) && seesZombies {
		t.Errorf("after the end %v, want %v", got, want)
	}
}

// Every child's life has a beginning and an end, also of those too short to be
// looked at; and no state is told twice in a row.
func TestWatchAll(t *testing.T) {
	const n = 20
	old, _ := lines(t, deaf, struct{}{}, &process.Options{Name: "old"})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	lives := make(chan map[string][]process.State)
	changes := process.Watch(ctx, time.Millisecond) // from here on
	go func() {
		seen := make(map[string][]process.State)
		ended := 0
		for c := range changes {
			if (c.Process == old) != (c.Process.Name() == "old") {
				t.Errorf("%v is not %v", c.Process, old)
			}
			seen[c.Process.Name()] = append(seen[c.Process.Name()], c.State)
			if c.At.IsZero() || time.Since(c.At) > time.Minute {
				t.Errorf("%v at %v", c.State, c.At)
			}
			if c.State == process.Exited {
				if ended++; ended == n {
					break
				}
			}
		}
		lives <- seen
	}()
	for i := range n {
		var opts = &process.Options{Name: fmt.Sprint("young ", i)}
		if i%2 == 0 {
			expectCode(t, mustStart(t, idle, struct{}{}, opts), 0)
			continue
		}
		p, out := lines(t, deaf, struct{}{}, opts)
		expectLine(t, out, "running")
		p.Kill()
		expectCode(t, p, -9)
	}
	seen := <-lives
	if len(seen) != n+1 || len(seen["old"]) == 0 || seen["old"][0] == process.Exited {
		t.Errorf("seen %v", seen)
	}
	for name, states := range seen {
		for i := range states[1:] {
			if states[i] == states[i+1] {
				t.Errorf("%s: the same state twice: %v", name, states)
			}
		}
		end := len(states) - 1
		if name != "old" && (states[0] != process.Created || states[end] != process.Exited || seesZombies && states[end-1] != process.Zombie) {
			t.Errorf("%s: %v", name, states)
		}
	}
}
