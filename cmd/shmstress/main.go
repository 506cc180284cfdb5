package main

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/shmkit/shmkit/internal/cli"
	"github.com/shmkit/shmkit/process"
)

func main() {
	process.Main() // in a member it runs the member, and never returns
	// A reader that goes away is an error of the write, not a signal.
	signal.Ignore(syscall.SIGPIPE)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second ^C ends the program at once
	status := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(status)
}

// run carries out a command line and returns the exit status. When ctx is done
// it ends early, with a summary.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	root := newRoot(stdout, stderr)
	root.SetArgs(normalise(root, args))
	cmd, err := root.ExecuteContextC(ctx)
	switch {
	case err == nil || errors.Is(err, syscall.EPIPE):
		return cli.OK
	case errors.Is(err, errViolated):
		return cli.Failure
	}
	return report(stderr, cmd, err)
}
