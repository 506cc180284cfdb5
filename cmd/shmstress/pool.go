package main

import (
	"github.com/spf13/cobra"

	"github.com/shmkit/shmkit/internal/cli"
	"github.com/shmkit/shmkit/shm"
)

const poolHelp = `pool starts two pools of worker processes, kills and stops the workers at random,
and gives both all kinds of tasks in all ways that there are: Go, Apply, Map and
ImapUnordered, alone and in chunks; tasks that compute, sleep, return errors,
panic, and end their worker by os.Exit, by a panic in another goroutine, or by
SIGKILL. One pool runs a task again whose worker died, the other does not. Workers
write into a block of shared memory which tasks they begin and end.

These are violations: a task with another outcome than its own, with none, or
with more than one; one that failed for a death that was not its worker's, or that
cost another task its outcome already; one that failed though the pool retries;
one that ran more often than it may; figures that do not fit; no task ending for
--hang-after; a pool that, after the storm, does not run as many tasks at a time as
it has workers, or does not end.`

const poolExamples = `  shmstress pool -workers 8 -kill-rate 10 -duration 30m
  shmstress pool -sizes 100K -crash-rate 0
  shmstress pool -o json | jq '.pool.outcomes'`

// poolConfig is what the command line says about a pool's run.
type poolConfig struct {
	common
	Workers   int // of each of the two pools
	Sizes     sizes
	CrashRate float64 // tasks a second that end their worker, in each pool
	Wait      shm.WaitPolicy
}

func (a *app) poolCommand() *cobra.Command {
	p := poolConfig{Sizes: sizes{{16, 256}, {16, 4096}}}
	policy := waitPolicy(shm.Adaptive)
	cmd := &cobra.Command{
		Use:     "pool [flags]",
		Short:   "Tasks on pools of worker processes",
		Long:    poolHelp,
		Example: poolExamples,
		Args:    noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := a.check(); err != nil {
				return err
			}
			p.common, p.Wait = a.common, shm.WaitPolicy(policy)
			if err := p.check(); err != nil {
				return err
			}
			status := newStatusLine(a.errs)
			s, err := runPool(cmd.Context(), p, status)
			status.clear()
			return a.finish(cmd, s, err)
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.IntVar(&p.Workers, "workers", 4, "worker `processes` of each of the two pools")
	flags.Var(&p.Sizes, "sizes", "`lengths` of arguments and results in bytes: a list of ranges, of which each\ntask picks one, and a length in it")
	flags.Float64Var(&p.CrashRate, "crash-rate", 2, "tasks a second that end their worker, in each pool; a `rate`")
	flags.Var(&policy, "wait", "`how` workers wait: adaptive, spin or block")
	return cmd
}

// largestArgument is what a pool's queues take by default.
const largestArgument = 1<<20 - 4096

func (p *poolConfig) check() error {
	switch {
	case p.Workers < 1 || p.Workers > 100:
		return cli.Usagef("--workers %d is not from 1 to 100", p.Workers)
	case p.CrashRate < 0:
		return cli.Usagef("--crash-rate %v is negative", p.CrashRate)
	case p.Sizes.largest() > largestArgument:
		return cli.Usagef("--sizes up to %s: at most %s", sizeText(p.Sizes.largest()), sizeText(largestArgument))
	}
	return nil
}
