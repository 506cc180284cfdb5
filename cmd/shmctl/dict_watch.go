package main

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/shmkit/shmkit/internal/cli"
	"github.com/shmkit/shmkit/manager"
)

func (a *app) dictWatchCommand() *cobra.Command {
	var f dictFlags
	interval, lines := 100*time.Millisecond, 0
	cmd := &cobra.Command{
		Use:   "watch MANAGER/DICT KEY",
		Short: "Print a line each time that a value has changed",
		Long: `watch prints the value of a key, and then a line each time that it is another
one. It looks every --interval: of changes in quick succession some are passed over,
but never the last one. That the same value is set again is not seen. With -o json
each line is one JSON value.

It changes nothing. It ends after --count lines, or with status 0 when it is
interrupted. Exit status: 1 if the dict can't be read or goes away.`,
		Example: `  shmctl dict watch app/config motd
  shmctl dict watch app/config motd --interval 10ms --count 2
  shmctl dict watch app/hits /index.html -o json | jq -c '[.time, .value]'`,
		Args: addressed(2, 2, "MANAGER/DICT and a key"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if interval <= 0 {
				return cli.Usagef("--interval %v is not positive", interval)
			}
			if lines < 0 {
				return cli.Usagef("--count %d is negative", lines)
			}
			return failed("dict watch", args[0], a.dictWatch(cmd.Context(), addressOf(args[0]), args[1], interval, lines, &f))
		},
	}
	f.addTo(cmd, false)
	cmd.Flags().DurationVar(&interval, "interval", interval, "`time` between two looks")
	cmd.Flags().IntVar(&lines, "count", 0, "`lines` to print (default: until it is interrupted)")
	return cmd
}

// A glimpse is what a look at a key has seen. The dict is told from a later one of its
// name by the segment's id and its own.
type glimpse struct {
	segment [16]byte
	dict    uint64
	ok      bool
	raw     manager.RawEntry
	entry   entry
}

func (a *app) dictWatch(ctx context.Context, d address, key string, interval time.Duration, lines int, f *dictFlags) error {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	var last *glimpse
	for n := 0; ; {
		now, err := a.glimpse(d, key, f)
		switch {
		case last != nil && isGone(err):
			return errRemoved
		case err != nil:
			return err
		case last != nil && (now.segment != last.segment || now.dict != last.dict):
			return errReplaced
		}
		if last == nil || now.ok != last.ok || !bytes.Equal(now.raw.Value, last.raw.Value) {
			s := sighting{Time: time.Now().UTC(), Present: now.ok, entry: now.entry}
			if err := s.print(a); err != nil {
				return err
			}
			if n++; n == lines {
				return nil
			}
		}
		last = now
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// glimpse opens the segment anew each time, as stat does.
func (a *app) glimpse(d address, key string, f *dictFlags) (*glimpse, error) {
	var g *glimpse
	err := a.through(d, f, func(w *window) error {
		k, err := makeKey(f, w.key, key)
		if err != nil {
			return err
		}
		g = &glimpse{segment: w.id, dict: w.view.Object().ID}
		g.raw, g.ok, err = w.view.Get(k)
		if g.ok {
			g.entry = entryOf(f, w.key, w.value, g.raw)
		} else {
			g.raw, g.entry = manager.RawEntry{}, absent(f, w.key, k)
		}
		return err
	})
	return g, err
}

func (s *sighting) print(a *app) error {
	if a.format == cli.JSON {
		return cli.PrintJSONLine(a.out, s)
	}
	text := s.valueText
	if !s.Present {
		text = "(no value)"
	}
	_, err := fmt.Fprintf(a.out, "%s  %s\n", s.Time.Local().Format("15:04:05.000"), cli.Printable(text))
	return err
}
