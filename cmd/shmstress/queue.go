package main

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/shmkit/shmkit/internal/cli"
	"github.com/shmkit/shmkit/shm"
)

const queueHelp = `queue starts producers and consumers on one queue, kills and stops them at random,
and puts another one in the place of each that was killed. Producers put in all
ways that there are, consumers take in those that --delivery names. This process
is the referee: in a block of shared memory each member writes down what it is
about to do and what it has done, so that what a killed one had done is known.

These are violations: a record put for sure that never comes; one that comes
though nobody has given it back, or after it was acknowledged, or was never put,
or with a wrong byte, attempt number or place in its producer's order; lengths and
counters that do not fit; an operation that returns an error which it must
not, or does not return; nothing passing for --hang-after; a queue that is not as
good as new at the end. What a killed process was in the middle of is in doubt, and is
counted, but nothing else is.

With get, an item is gone when its consumer is killed before it could tell: as
many as the queue has counted as taken. With receive and lease nothing is lost.`

const queueExamples = `  shmstress queue -producers 4 -consumers 4 -kill-rate 20 -stop-rate 5 -duration 30m
  shmstress queue -single-producer -single-consumer -delivery lease
  shmstress queue -sizes 16-4096,64K -capacity 512K -max-items 100
  shmstress queue -sizes 16-4096,100K-4M -capacity 64K
  shmstress queue -o json | jq '.queue.pause'`

// largestRecord bounds what goes by reference.
const largestRecord = 64 << 20

func (a *app) queueCommand() *cobra.Command {
	q := queueConfig{
		Sizes:    sizes{{16, 256}, {16, 2048}},
		Capacity: 256 << 10,
		Delivery: deliverMixed,
	}
	policy := waitPolicy(shm.Adaptive)
	cmd := &cobra.Command{
		Use:     "queue [flags]",
		Short:   "Producers and consumers on one queue",
		Long:    queueHelp,
		Example: queueExamples,
		Args:    noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := a.check(); err != nil {
				return err
			}
			q.common, q.Wait = a.common, shm.WaitPolicy(policy)
			if err := q.check(cmd.Flags().Changed); err != nil {
				return err
			}
			status := newStatusLine(a.errs)
			s, err := runQueue(cmd.Context(), q, status)
			status.clear()
			return a.finish(cmd, s, err)
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.IntVar(&q.Producers, "producers", 4, "producer `processes`")
	flags.IntVar(&q.Consumers, "consumers", 4, "consumer `processes`")
	flags.Var(&q.Sizes, "sizes", "`lengths` of records in bytes: a list of ranges, of which each record picks\none, and a length in it; those beyond a quarter of the\ncapacity go by reference")
	flags.Var((*byteSize)(&q.Capacity), "capacity", "`bytes` of the ring")
	flags.IntVar(&q.MaxItems, "max-items", 0, "`most` items that are queued; 0: as many as fit")
	flags.BoolVar(&q.SingleProducer, "single-producer", false, "give the producers' side to one process: --producers is 1")
	flags.BoolVar(&q.SingleConsumer, "single-consumer", false, "give the consumers' side to one process: --consumers is 1")
	flags.Var(&policy, "wait", "`how` members wait: adaptive, spin or block")
	flags.IntVar(&q.Batch, "batch", 64, "`most` records of a PutMany or GetMany")
	flags.Var(&q.Delivery, "delivery", "`how` records are taken: get, receive, lease or mixed")
	return cmd
}

// check completes and checks what is asked for.
func (q *queueConfig) check(asked func(flag string) bool) error {
	if q.SingleProducer && !asked("producers") {
		q.Producers = 1
	}
	if q.SingleConsumer && !asked("consumers") {
		q.Consumers = 1
	}
	const most = 100 // of either, so that replacements find process slots
	switch {
	case q.Producers < 1 || q.Producers > most || q.Consumers < 1 || q.Consumers > most:
		return cli.Usagef("--producers %d and --consumers %d: from 1 to %d", q.Producers, q.Consumers, most)
	case q.SingleProducer && q.Producers > 1:
		return cli.Usagef("--single-producer allows no %d producers", q.Producers)
	case q.SingleConsumer && q.Consumers > 1:
		return cli.Usagef("--single-consumer allows no %d consumers", q.Consumers)
	case q.Batch < 1 || q.Batch > 1024:
		return cli.Usagef("--batch %d is not from 1 to 1024", q.Batch)
	case q.MaxItems < 0:
		return cli.Usagef("--max-items %d is negative", q.MaxItems)
	case q.Capacity < 4<<10 || q.Capacity > 512<<20:
		return cli.Usagef("--capacity %s is not from 4K to 512M", sizeText(q.Capacity))
	case q.Sizes.largest() > largestRecord:
		return cli.Usagef("--sizes up to %s: at most %s", sizeText(q.Sizes.largest()), sizeText(largestRecord))
	}
	return nil
}

func noArguments(_ *cobra.Command, args []string) error {
	if len(args) > 0 {
		return cli.Usagef("it takes no arguments, not %q", args[0])
	}
	return nil
}

// A waitPolicy is the flag for a shm.WaitPolicy.
type waitPolicy shm.WaitPolicy

func (w *waitPolicy) String() string { return shm.WaitPolicy(*w).String() }
func (w *waitPolicy) Type() string   { return "how" }

// Set implements the flag.
func (w *waitPolicy) Set(s string) error {
	for _, p := range []shm.WaitPolicy{shm.Adaptive, shm.Spin, shm.Block} {
		if s == p.String() {
			*w = waitPolicy(p)
			return nil
		}
	}
	return errors.New("neither adaptive, spin nor block")
}
