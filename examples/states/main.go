// Command states sends a child through every state that a process can have, and
// prints each change as it sees it.
//
//	go run ./examples/states
//
// To be ready (that is, to have work and no processor) takes somebody who has it:
// the child may run on one processor only, with a low priority, and is joined
// there by another that wants it, too.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/shmkit/shmkit/process"
)

// traveller waits for a byte on its standard input, computes until there is
// another, and so on. It ends with its input.
var traveller = process.Register("traveller", func(context.Context, struct{}) error {
	b := make([]byte, 1)
	for {
		if _, err := os.Stdin.Read(b); err != nil {
			return nil
		}
		var rest atomic.Bool
		go func() {
			os.Stdin.Read(b)
			rest.Store(true)
		}()
		for !rest.Load() {
		}
	}
})

// hog computes until it is told to stop.
var hog = process.Register("hog", func(ctx context.Context, _ struct{}) error {
	for ctx.Err() == nil {
	}
	return nil
})

func main() {
	process.Main() // in a child: runs its function, and does not return
	if runtime.GOOS != "linux" {
		log.Fatal("only Linux tells what state a process is in")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	if err := run(ctx); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context) error {
	j := watch(ctx, "traveller")
	in, orders, err := os.Pipe()
	if err != nil {
		return err
	}
	defer orders.Close()
	where := []int{0}
	t, err := traveller.Start(ctx, struct{}{}, &process.Options{Name: "traveller", Stdin: in, CPUs: where, Nice: 15})
	in.Close()
	if err != nil {
		return err
	}
	defer t.Kill()

	var h *process.Process
	for _, step := range []struct {
		why  string
		act  func() error
		want process.State
	}{
		{"it has been started", func() error { return nil }, process.Created},
		{"it waits for orders", func() error { return nil }, process.Blocked},
		{"it computes", func() error { return order(orders) }, process.Running},
		{"another one has the processor", func() (err error) {
			h, err = hog.Start(ctx, struct{}{}, &process.Options{CPUs: where})
			return err
		}, process.Ready},
		{"the other one has ended", func() error { return end(ctx, h) }, process.Running},
		{"it was sent SIGSTOP", func() error { return stop(t) }, process.Stopped},
		{"it was sent SIGCONT", func() error { return proceed(t) }, process.Running},
		{"it waits for orders again", func() error { return order(orders) }, process.Blocked},
		{"its input, and so it, has ended", orders.Close, process.Zombie},
		{"it has been waited for", func() error { return nil }, process.Exited},
	} {
		if err := step.act(); err != nil {
			return err
		}
		if err := j.until(ctx, step.want, step.why); err != nil {
			return err
		}
	}
	return t.Wait(ctx)
}

// order has the traveller begin to compute, or stop that.
func order(w *os.File) error {
	_, err := w.WriteString("x")
	return err
}

func end(ctx context.Context, p *process.Process) error {
	if err := p.Terminate(); err != nil {
		return err
	}
	return p.Wait(ctx)
}

// A journey is what is seen of a child.
type journey struct {
	begin   time.Time
	changes chan process.Change
}

// watch watches children from now on, and picks the one of the name.
func watch(ctx context.Context, name string) *journey {
	j := &journey{time.Now(), make(chan process.Change, 100)}
	changes := process.Watch(ctx, 0)
	go func() {
		for c := range changes {
			if c.Process.Name() == name {
				j.changes <- c
			}
		}
	}()
	return j
}

// until prints the changes until one to the wanted state, which has a reason.
func (j *journey) until(ctx context.Context, want process.State, why string) error {
	for {
		select {
		case c := <-j.changes:
			reason := ""
			if c.State == want {
				reason = why
			}
			fmt.Printf("%5d ms  %-8v %s\n", c.At.Sub(j.begin).Milliseconds(), c.State, reason)
			if c.State == want {
				return nil
			}
		case <-ctx.Done():
			return fmt.Errorf("waiting until it is %v: %w", want, ctx.Err())
		}
	}
}
