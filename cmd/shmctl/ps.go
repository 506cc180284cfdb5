package main

import (
	"context"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/shmkit/shmkit/internal/cli"
)

func (a *app) psCommand() *cobra.Command {
	interval, lines, watch, all := time.Second, 0, false, false
	cmd := &cobra.Command{
		Use:   "ps",
		Short: "Show the tree of processes: state, what each waits for and holds",
		Long: `ps shows the processes that have a segment of the directory open, and their parents
and children as package process has started them, as a tree: state, processor time,
memory, and how many segments each has open; what its threads sleep for; and what it
holds that others may have to wait for: records that it is writing or reading,
exclusive roles, locks of dicts, a pool's task. A process that died and whose slot
nobody has cleaned up yet is "dead". With --all it shows every process that package
process has started for this user.

With --watch it shows them again after each interval, with the share of a
processor that each had in it; with -o json that is one JSON value a line.

What the system tells is seen for processes of shmctl's own user and PID
namespace, on Linux; the rest comes from the segments. What a process waits for
is seen by those who may trace it (see ptrace(2)).

It changes nothing. Exit status: 0, also when --watch is interrupted; 1 if the
directory can't be read.`,
		Example: `  shmctl ps
  shmctl ps --all
  shmctl ps --watch --interval 5s
  shmctl ps -o json | jq '.processes[] | select(.waits != []) | {pid, waits}'`,
		Args: exactly(0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if interval <= 0 {
				return cli.Usagef("--interval %v is not positive", interval)
			}
			if lines < 0 {
				return cli.Usagef("--count %d is negative", lines)
			}
			if !watch {
				lines = 1
			}
			return a.ps(cmd.Context(), all, watch, interval, lines)
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "also processes that have nothing to do with the directory")
	cmd.Flags().BoolVar(&watch, "watch", false, "show them again and again, until it is interrupted")
	cmd.Flags().DurationVar(&interval, "interval", interval, "`time` between two looks of --watch")
	cmd.Flags().IntVar(&lines, "count", 0, "`times` that --watch shows them (default: until it is interrupted)")
	return cmd
}

func (a *app) ps(ctx context.Context, all, watch bool, interval time.Duration, times int) error {
	dir, err := a.dir()
	if err != nil {
		return err
	}
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	var last *processList
	for n := 0; times == 0 || n < times; n++ {
		if n > 0 {
			select {
			case <-ticker.C:
			case <-ctx.Done():
				return nil
			}
		}
		l, err := processes(dir, all)
		if err != nil {
			return failed("ps", string(dir), err)
		}
		l.since(last)
		if err := a.showProcesses(l, watch, n == 0); err != nil {
			return err
		}
		last = l
	}
	return nil
}

func (a *app) showProcesses(l *processList, watch, first bool) error {
	if a.format == cli.JSON {
		if watch {
			return cli.PrintJSONLine(a.out, l)
		}
		return cli.PrintJSON(a.out, l)
	}
	if watch {
		between := "\n"
		if isTerminal(a.out) {
			between = "\x1b[H\x1b[2J" // to the corner, and clear
		} else if first {
			between = ""
		}
		if _, err := io.WriteString(a.out, between); err != nil {
			return err
		}
	}
	return l.print(a)
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	fi, err := f.Stat()
	return err == nil && fi.Mode()&os.ModeCharDevice != 0
}

// since makes the shares of processors those of the time since an earlier list.
func (l *processList) since(last *processList) {
	if last == nil {
		return
	}
	seconds := l.Time.Sub(last.Time).Seconds()
	before := make(map[int]*proc)
	for i := range last.Processes {
		p := &last.Processes[i]
		before[p.PID] = p
	}
	for i := range l.Processes {
		p := &l.Processes[i]
		if b := before[p.PID]; b != nil && b.started == p.started && p.Started != nil && seconds > 0 {
			p.CPUPercent = 100 * max(p.CPUSeconds-b.CPUSeconds, 0) / seconds
		}
	}
}
