// Command startwait starts and waits for programs in four ways, in turns, and prints
// the median of each in nanoseconds. BenchmarkStartWait runs it: it is as small as a
// program that starts processes can be.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"time"

	"github.com/shmkit/shmkit/process"
)

var idle = process.Register("idle", func(context.Context, struct{}) error { return nil })

// exitEnv makes the program end where others call process.Main.
const exitEnv = "STARTWAIT_EXIT"

func main() {
	if os.Getenv(exitEnv) != "" {
		return
	}
	process.Main()
	if err := measure(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// measure takes the path of an empty program, and how often to run each way.
func measure(empty, rounds string) error {
	n, err := strconv.Atoi(rounds)
	if err != nil {
		return err
	}
	ctx := context.Background()
	start := func(o *process.Options) func() error {
		return func() error {
			p, err := idle.Start(ctx, struct{}{}, o)
			if err != nil {
				return err
			}
			return p.Wait(ctx)
		}
	}
	exits := append(os.Environ(), exitEnv+"=1")
	ways := []struct {
		name string
		once func() error
		took []time.Duration
	}{
		{name: "empty", once: func() error { return exec.Command(empty).Run() }},
		{name: "same", once: func() error {
			cmd := exec.Command(os.Args[0])
			cmd.Env = exits
			return cmd.Run()
		}},
		{name: "process", once: start(nil)},
		{name: "tail", once: start(&process.Options{Stderr: io.Discard, OwnGroup: true})},
	}
	for range n {
		for i := range ways {
			begin := time.Now()
			if err := ways[i].once(); err != nil {
				return err
			}
			ways[i].took = append(ways[i].took, time.Since(begin))
		}
	}
	for _, w := range ways {
		slices.Sort(w.took)
		fmt.Println(w.name, w.took[len(w.took)/2].Nanoseconds())
	}
	return nil
}
