package main

import (
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/shmkit/shmkit/internal/cli"
	"github.com/shmkit/shmkit/shm"
)

// app is what the commands share: the flags of all, and where output goes.
type app struct {
	out    io.Writer
	errs   io.Writer
	format cli.Format
	common common
}

const rootHelp = `shmstress kills and stops processes that use a queue, a pool or a dict, for as long
as you like, and accounts for every record, task and entry. It is how to see for
yourself that shmkit keeps its promise: any process may be killed at any
instruction, and nobody else hangs, loses what was committed, or sees a torn
value.

It makes segments of its own, starts its own processes, and leaves nothing
behind, but for the evidence of a violation. ^C ends a run early, with its
summary; a second one at once. While it runs, a status line is on standard error.

Flags may have one dash or two: -kill-rate 20, --kill-rate 20, --kill-rate=20.

The seed settles how long records are and what is in them, which operation each
process does next, and when which place is killed or stopped, and for how long.
Where in its work that finds a process is up to the machine: a run with the same
seed looks for the same things under the same conditions, and need not find them
at the same time.

Exit status: 0 no violation, 1 violations, or the run could not be made, 2 the
command line makes no sense.`

const rootExamples = `  shmstress queue                                        one minute
  shmstress queue -producers 4 -consumers 4 -kill-rate 20 -stop-rate 5 -duration 30m
  shmstress pool -workers 8 -kill-rate 10
  shmstress dict -processes 4 -kill-rate 20 -stop-rate 5
  go build -tags faultpoints ./cmd/shmstress && ./shmstress queue -step-kill-rate 20`

func newRoot(stdout, stderr io.Writer) *cobra.Command {
	a := &app{out: stdout, errs: stderr, format: cli.Table}
	root := &cobra.Command{
		Use:           "shmstress",
		Short:         "Torture shmkit's queues, pools and dicts, and account for everything",
		Long:          rootHelp,
		Example:       rootExamples,
		SilenceErrors: true, // run reports them
		SilenceUsage:  true,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			return cli.Usagef("no command %q", args[0])
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetOut(stdout)
	root.SetErr(stderr)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return cli.Usagef("%w", err) })
	root.CompletionOptions.DisableDefaultCmd = true
	flags := root.PersistentFlags()
	flags.SortFlags = false
	c := &a.common
	flags.DurationVar(&c.Duration, "duration", time.Minute, "how `long` it runs")
	flags.DurationVar(&c.HangAfter, "hang-after", 10*time.Second, "how `long` nothing may pass before that is a violation")
	flags.Float64Var(&c.KillRate, "kill-rate", 5, "SIGKILLs a second, over all members; a `rate` as 0.5")
	flags.Float64Var(&c.StopRate, "stop-rate", 2, "SIGSTOPs a second, over all members; each for 1 ms to 1 s; a `rate`")
	flags.Float64Var(&c.Faults.StepKills, "step-kill-rate", 0, "members a second that kill themselves between two steps of an operation;\na `rate`; needs a build with -tags faultpoints")
	flags.Float64Var(&c.Faults.DropWakes, "drop-wakes", 0, "`fraction` of wake-ups that are lost; needs a build with -tags faultpoints")
	flags.Uint64Var(&c.Seed, "seed", 0, "`number` that settles what is random (default: another each time)")
	flags.StringVar(&c.Dir, "dir", "", "`directory` of the segments, and of evidence (default $SHMKIT_DIR, else that of shm.DefaultDir)")
	flags.VarP(&a.format, "output", "o", "`format` of the summary: table or json")
	root.AddCommand(a.queueCommand(), a.poolCommand(), a.dictCommand())
	return root
}

// check completes and checks the flags of all commands.
func (a *app) check() error {
	c := &a.common
	if err := supported(); err != nil {
		return err
	}
	if c.Duration <= 0 {
		return cli.Usagef("--duration %v is not positive", c.Duration)
	}
	if c.HangAfter <= 0 {
		return cli.Usagef("--hang-after %v is not positive", c.HangAfter)
	}
	if c.KillRate < 0 || c.StopRate < 0 {
		return cli.Usagef("--kill-rate and --stop-rate can't be negative")
	}
	if err := c.Faults.check(); err != nil {
		return &cli.UsageError{Err: err}
	}
	for c.Seed == 0 {
		c.Seed = rand.Uint64N(1 << 32)
	}
	if c.Dir == "" {
		c.Dir = string(shm.DefaultDir())
	}
	return nil
}

// finish prints the summary of a run.
func (a *app) finish(cmd *cobra.Command, s *summary, err error) error {
	if err != nil {
		return err
	}
	s.Command = commandLine(cmd, s.Seed)
	if a.format == cli.JSON {
		err = cli.PrintJSON(a.out, s)
	} else {
		err = s.print(a)
	}
	if s.Violated > 0 {
		return errViolated
	}
	return err
}

// commandLine is the command line that makes the same run.
func commandLine(cmd *cobra.Command, seed uint64) string {
	var b strings.Builder
	b.WriteString(cmd.CommandPath())
	cmd.Flags().Visit(func(f *pflag.Flag) {
		switch f.Name {
		case "seed", "output":
		default:
			fmt.Fprintf(&b, " --%s=%s", f.Name, f.Value)
		}
	})
	fmt.Fprintf(&b, " --seed=%d", seed)
	return b.String()
}

// normalise gives long flags that are written with one dash their second one.
func normalise(root *cobra.Command, args []string) []string {
	long := map[string]bool{}
	learn := func(f *pflag.Flag) { long[f.Name] = true }
	root.PersistentFlags().VisitAll(learn)
	for _, c := range root.Commands() {
		c.Flags().VisitAll(learn)
	}
	long["help"] = true
	out := make([]string, len(args))
	for i, arg := range args {
		out[i] = arg
		if arg == "--" {
			copy(out[i:], args[i:])
			break
		}
		if name, ok := strings.CutPrefix(arg, "-"); ok && !strings.HasPrefix(name, "-") {
			if name, _, _ = strings.Cut(name, "="); long[name] {
				out[i] = "-" + arg
			}
		}
	}
	return out
}
