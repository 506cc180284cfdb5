package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/shmkit/shmkit/internal/cli"
	"github.com/shmkit/shmkit/manager"
	"github.com/shmkit/shmkit/pool"
	"github.com/shmkit/shmkit/ringqueue"
	"github.com/shmkit/shmkit/shm"
)

// looks is how often fsck looks where it sees problems: so that a change that somebody
// is in the middle of is over by the next one. Problems name versions, so that one
// which is there each time is not another one of the same kind.
const looks = 3

func (a *app) fsckCommand() *cobra.Command {
	interval := 50 * time.Millisecond
	cmd := &cobra.Command{
		Use:   "fsck NAME",
		Short: "Check whether what is in a segment is sound",
		Long: `fsck checks what is in a segment. Of a manager everything: whether each block of
its memory is exactly one of free, referred to once, or retired; each key where it
is looked for; each count right; each name and reference that of an object. Of
queues and pools the numbers that all else rests on, and the records.

It reads the file only, while programs go on. What they are in the middle of looks
like a problem: so it looks three times, and reports what it has seen each time.
Of a process that is stopped in the middle of a change, or that was killed in it,
that is still some; a dead one's is repaired when a program next opens the segment.

It changes nothing. Exit status: 0 if there is no problem; 1 if there is one, or
the segment can't be read.`,
		Example: `  shmctl fsck app
  shmctl fsck app -o json | jq -r '.problems[]'
  shmctl ls -o json | jq -r '.segments[].name' | xargs -n1 shmctl fsck`,
		Args: exactly(1, "the name of one segment"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if interval <= 0 {
				return cli.Usagef("--interval %v is not positive", interval)
			}
			return failed("fsck", args[0], a.fsck(cmd.Context(), args[0], interval))
		},
	}
	cmd.Flags().DurationVar(&interval, "interval", interval, "`time` between two looks")
	return cmd
}

func (a *app) fsck(ctx context.Context, name string, interval time.Duration) error {
	c, err := a.checkAgain(ctx, name, interval)
	if err != nil {
		return err
	}
	if a.format == cli.JSON {
		err = cli.PrintJSON(a.out, c)
	} else {
		err = c.print(a)
	}
	if err == nil && !c.OK {
		err = fmt.Errorf("%s: %w", plural(len(c.Problems), "problem"), errProblems)
	}
	return err
}

// errProblems is returned when fsck has found some.
var errProblems = errors.New("what is in it is damaged, or left in the middle of a change")

// checkAgain looks until there are no problems that were there each time.
func (a *app) checkAgain(ctx context.Context, name string, interval time.Duration) (*checkup, error) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	var last *checkup
	for n := 1; ; n++ {
		c, err := a.check(name)
		switch {
		case last != nil && isGone(err):
			return nil, errRemoved
		case err != nil:
			return nil, err
		case last != nil && c.ID != last.ID:
			return nil, errReplaced
		}
		c.Looks = n
		if last != nil {
			c.Problems = slices.DeleteFunc(c.Problems, func(p string) bool { return !slices.Contains(last.Problems, p) })
		}
		if c.OK = len(c.Problems) == 0; c.OK || n == looks {
			return c, nil
		}
		last = c
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// check looks once.
func (a *app) check(name string) (*checkup, error) {
	i, err := a.inspect(name)
	if err != nil {
		return nil, err
	}
	defer i.Close()
	info := i.Info()
	c := &checkup{
		Name: info.Name, Path: info.Path, Kind: info.Kind, ID: info.IDText(),
		Processes: info.Holders, Dead: info.Dead, Problems: []string{},
	}
	err = guarded(func() error { return c.examine(i, &info) })
	if errors.Is(err, shm.ErrLayout) {
		return nil, err
	}
	if err != nil {
		c.Problems = append(c.Problems, *textOf(err))
	}
	return c, nil
}

// examine checks what the kind of segment has. An error is a problem.
func (c *checkup) examine(i *shm.Inspection, info *shm.Info) (err error) {
	switch info.Kind {
	case ringqueue.Kind:
		_, err = ringqueue.Inspect(i)
	case pool.Kind:
		_, err = pool.Inspect(i)
	case manager.Kind:
		var m *manager.Inspection
		if m, err = manager.Inspect(i); err != nil {
			return err
		}
		r := m.Fsck()
		c.Problems = append(c.Problems, r.Problems...)
		c.Manager = &memoryCheck{r.Objects, r.Entries, r.Chunks, r.Unused, r.Live, r.Free, r.Retired, r.Bytes}
	}
	return err
}

func (c *checkup) print(a *app) error {
	result := "sound"
	if !c.OK {
		result = plural(len(c.Problems), "problem")
	}
	holders := segment{Processes: c.Processes, Dead: c.Dead}
	facts := [][2]string{
		{"name", c.Name},
		{"kind", c.Kind},
		{"processes", holders.holders()},
		{"result", fmt.Sprintf("%s, in %s", result, plural(c.Looks, "look"))},
	}
	if m := c.Manager; m != nil {
		facts = append(facts,
			[2]string{"objects", fmt.Sprintf("%s, with %s", count(m.Objects), entries(m.Entries))},
			[2]string{"chunks", fmt.Sprintf("%s, %s of them hold nothing", count(m.Chunks), count(m.Unused))},
			[2]string{"blocks", fmt.Sprintf("%s live (%s), %s free, %s retired", count(m.Live), size(m.Bytes), count(m.Free), count(m.Retired))})
	}
	p := &page{app: a}
	p.pairs("", facts)
	if !c.OK {
		p.lines("problems", c.Problems)
		if notes := c.notes(); len(notes) > 0 {
			p.lines("note", notes)
		}
	}
	return p.err
}

// notes say what may look like damage and is none.
func (c *checkup) notes() (notes []string) {
	if c.Processes > 0 {
		notes = append(notes, plural(c.Processes, "process")+" may use it: one that is stopped in the middle of a change shows as a problem")
	}
	if c.Dead > 0 {
		notes = append(notes, "what dead processes left in the middle of a change is repaired when a program opens it")
	}
	return notes
}

// entries is a number of entries.
func entries(n int) string {
	if n == 1 {
		return "1 entry"
	}
	return count(n) + " entries"
}
