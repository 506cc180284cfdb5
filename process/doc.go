// Package process runs functions of a Go program in processes of their own.
//
//	var crunch = process.Register("crunch", func(ctx context.Context, a Args) error {
//		… // runs in the child
//	})
//
//	func main() {
//		process.Main() // in a child, runs its function and never returns
//		p, err := crunch.Start(ctx, Args{…}, nil)
//		…
//		err = p.Wait(ctx) // nil, or an *ExitError
//	}
//
// # The model
//
// A Go program can't fork. So a child is the same executable started anew,
// with the same command line and an environment variable that [Main] looks
// for. On descriptor 3 it inherits one end of a socket pair: over it comes
// the name of the function and its arguments, encoded by package codec, and
// the child answers that it has understood them, which is when Start returns.
// Parent and child check that they are the same build with the same
// functions. Nothing else is shared: package variables have their initial
// values in the child, and what happened in main before does not happen there.
//
// A program that does not call Main can't start processes ([ErrNoMain]). A
// child whose main does not reach Main fails, and so does its Start; if the
// child itself tries to start processes instead, it panics. Nested processes
// are allowed to a depth of 8 ([Options].MaxDepth). So a mistake does not
// multiply.
//
// The function's end is the process's end. Deferred calls run when the
// function returns or panics, and not after os.Exit or a signal. Other
// goroutines of the child are abandoned, as they are when main returns.
// Flags are in os.Args, but nobody has parsed them. The default logger of
// package log/slog lets through in the child what it lets through in the parent.
//
// # States
//
// A child's life goes from [Created] over [Ready], [Running], [Blocked] and
// [Stopped], which are the kernel's, to [Zombie] and [Exited]. [Process.State]
// says where it is, [Watch] and [Process.Watch] tell each change.
//
// # Places
//
// [Options] say what a child has of the machine: a share of the parent's
// processors and memory, a nice value, certain processors, a control group. It
// has these from its first instruction on: they are the starting thread's, or
// the kernel's doing at the start, and so its runtime goes by them.
//
// # Signals
//
// By default a child is in its parent's process group, so ^C on the terminal
// reaches both: the parent as it likes, the child by cancelling its context
// ([ErrInterrupted]); a second ^C kills it. Signals that the parent ignores
// do not make a child immune to [Process.Terminate]: like any Go program it
// keeps ignoring SIGHUP and SIGINT only.
//
// # Crash safety
//
// The kernel closes a dead process's end of the socket pair, however it died:
// that is how a child learns of its parent's death, at once. Its context is
// cancelled ([ErrParentDied]); if its function has not returned within
// [Options].Grace the process ends itself. A child with Options.Daemon does
// not wait at all, and one with Options.Orphan goes on. A child that is
// stopped (SIGSTOP) does this when it is continued.
//
// A dead child is reaped at once by a goroutine that waits for it from its
// start, on Linux in the runtime's poller by a pidfd, so that waiting costs no
// thread. No PID is ever signalled after it may have become another's.
//
// A Go panic or fatal error of a child arrives as text in the [ExitError],
// through a pipe that is read after the child's death: a crashing child never
// waits for its parent, stopped or not. Neither do its control messages. Only
// what it writes to standard output and error waits, where these are made to
// pass through the parent; by default they don't.
//
// # Memory model
//
// What happens before Start in the parent is seen by the function through its
// arguments only. The closing of [Process.Done] is synchronized before any
// method's return that reports the end.
//
// # Limits
//
// Linux is complete. Other Unix systems lack the process states, the hint at
// lack of memory, the choice of processors and control groups, and need a
// thread for each child. On Windows, Start returns
// [errors.ErrUnsupported].
//
// A child learns of its parent's death from [Main] on: one that hangs before
// (in the initialisation of a package, say) stays.
//
// A parent that replaces itself by exec counts as dead, though its PID lives on.
package process
