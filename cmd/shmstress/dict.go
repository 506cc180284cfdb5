package main

import (
	"github.com/spf13/cobra"

	"github.com/shmkit/shmkit/internal/cli"
)

const dictHelp = `dict starts members that use the dicts of one manager, kills and stops them at
random, and puts another one in the place of each that was killed. In a block of
shared memory each member writes down what it is about to do and what it has
done, so that what a killed one had done is known.

Each member has keys of its own, which it sets and deletes in all ways that there
are, version after version; all read them in all ways that there are. All count
in the same counters, transfer between the same accounts in transactions, try to
be the first to claim a key, add to and iterate over one dict, put dicts into a
dict, and set keys that expire. They learn by Watch that the run is over.

These are violations: a value with a wrong byte, or of another key, or that is
older than one that was there for sure, or that nobody has set; an entry lost, or
back again; a sum that is not that of the additions; money made or lost, seen at
the end, in a snapshot or in a transaction; a claim that two have won; a key that
iteration does not return once; an entry beyond its time; a last value that a watch
does not see; memory that is lost or leaked at the end; an operation that returns an
error which it must not, or does not return.`

const dictExamples = `  shmstress dict -processes 4 -kill-rate 20 -stop-rate 5 -duration 30m
  shmstress dict -sizes 16-100 -keys 1000
  shmstress dict -o json | jq '.dict.operations'`

// dictConfig is what the command line says about a dict's run.
type dictConfig struct {
	common
	Processes int
	Keys      int // of each
	Sizes     sizes
}

func (a *app) dictCommand() *cobra.Command {
	d := dictConfig{Sizes: sizes{{16, 256}, {16, 256}, {16, 4096}, {16, 200 << 10}}}
	cmd := &cobra.Command{
		Use:     "dict [flags]",
		Short:   "Processes that share the dicts of a manager",
		Long:    dictHelp,
		Example: dictExamples,
		Args:    noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := a.check(); err != nil {
				return err
			}
			d.common = a.common
			if err := d.check(); err != nil {
				return err
			}
			status := newStatusLine(a.errs)
			s, err := runDict(cmd.Context(), d, status)
			status.clear()
			return a.finish(cmd, s, err)
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.IntVar(&d.Processes, "processes", 4, "member `processes`")
	flags.IntVar(&d.Keys, "keys", 50, "`keys` of each member's own")
	flags.Var(&d.Sizes, "sizes", "`lengths` of values in bytes: a list of ranges, of which each value picks\none, and a length in it")
	return cmd
}

// mostKeys bounds the keys of a run: the board has a line for each.
const mostKeys = 1 << 16

func (d *dictConfig) check() error {
	switch {
	case d.Processes < 1 || d.Processes > 100:
		return cli.Usagef("--processes %d is not from 1 to 100", d.Processes)
	case d.Keys < 1 || d.Keys*d.Processes > mostKeys:
		return cli.Usagef("--keys %d of %d processes: together from 1 to %d", d.Keys, d.Processes, mostKeys)
	case d.memory() > mostMemory:
		return cli.Usagef("--sizes up to %s for %d keys: more than %s together", sizeText(d.Sizes.largest()), d.Keys*d.Processes, sizeText(mostMemory))
	}
	return nil
}

// mostMemory is how many bytes all values may have together, if all are as long as can be.
const mostMemory = 1 << 30

func (d *dictConfig) memory() int { return d.Sizes.largest() * d.Keys * d.Processes }
