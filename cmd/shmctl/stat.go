package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/shmkit/shmkit/internal/cli"
	"github.com/shmkit/shmkit/manager"
	"github.com/shmkit/shmkit/pool"
	"github.com/shmkit/shmkit/ringqueue"
	"github.com/shmkit/shmkit/shm"
)

func (a *app) statCommand() *cobra.Command {
	interval, lines := time.Second, 0
	cmd := &cobra.Command{
		Use:   "stat NAME",
		Short: "Print a line per interval: what has changed",
		Long: `stat prints a line after each interval: what a queue or a manager holds at its
end, what a pool's workers are doing, and how much the counters grew in between.
With -o json each line is one JSON value.

It changes nothing. It ends after --count lines, or with status 0 when it is
interrupted. Exit status: 1 if the segment is not valid or goes away.`,
		Example: `  shmctl stat jobs
  shmctl stat jobs --interval 100ms --count 50
  shmctl stat jobs -o json | jq -c '[.time, .queue.ready, .counters.gets / .seconds]'`,
		Args: exactly(1, "the name of one segment"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if interval <= 0 {
				return cli.Usagef("--interval %v is not positive", interval)
			}
			if lines < 0 {
				return cli.Usagef("--count %d is negative", lines)
			}
			return failed("stat", args[0], a.stat(cmd.Context(), args[0], interval, lines))
		},
	}
	cmd.Flags().DurationVar(&interval, "interval", interval, "`time` between lines")
	cmd.Flags().IntVar(&lines, "count", 0, "`lines` to print (default: until it is interrupted)")
	return cmd
}

func (a *app) stat(ctx context.Context, name string, interval time.Duration, lines int) error {
	last, err := a.look(name)
	if err != nil {
		return err
	}
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for n := 0; lines == 0 || n < lines; n++ {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil
		}
		now, err := a.look(name)
		switch {
		case isGone(err):
			return errRemoved
		case err != nil:
			return err
		case now.id != last.id:
			return errReplaced
		}
		s := now.after(last)
		if a.format == cli.JSON {
			err = cli.PrintJSONLine(a.out, s)
		} else {
			err = s.print(a, n == 0 && !a.noHeaders)
		}
		if err != nil {
			return err
		}
		last = now
	}
	return nil
}

// A snapshot is a segment at one time, with totals since its creation.
type snapshot struct {
	id [16]byte
	sample
}

// look opens the segment anew each time: so it notices when the file was
// removed, replaced or truncated.
func (a *app) look(name string) (*snapshot, error) {
	i, err := a.inspect(name)
	if err != nil {
		return nil, err
	}
	defer i.Close()
	s := new(snapshot)
	if err := guarded(func() error { return s.read(i) }); err != nil {
		return nil, err
	}
	return s, nil
}

func (s *snapshot) read(i *shm.Inspection) error {
	info := i.Info()
	s.id = info.ID
	s.sample = sample{
		Time:      time.Now(),
		Name:      info.Name,
		Kind:      info.Kind,
		Processes: info.Holders,
		Dead:      info.Dead,
		Counters:  make(map[string]uint64),
	}
	for _, c := range shm.Counters() {
		s.Counters[c.String()] = i.Total(c)
	}
	switch info.Kind {
	case ringqueue.Kind:
		r, err := ringqueue.Inspect(i)
		if err != nil {
			return err
		}
		s.Queue = &queueSample{r.Ready, r.Reserved, r.Borrowed, r.Used, r.Capacity}
	case pool.Kind:
		r, err := pool.Inspect(i)
		if err != nil {
			return err
		}
		s.Pool = &poolSample{r.Queued, r.Running, r.Submitted, r.Done, r.Failed, r.Retried, r.Restarts}
	case manager.Kind:
		t, err := surveyManager(i)
		if err != nil {
			return err
		}
		s.Manager = t.sample()
	}
	return nil
}

// after returns the sample of the interval between two looks.
func (s *snapshot) after(last *snapshot) *sample {
	d := s.sample
	d.Seconds = s.Time.Sub(last.Time).Seconds()
	d.Time = s.Time.UTC()
	d.Counters = make(map[string]uint64)
	for name, n := range s.Counters {
		d.Counters[name] = n - last.Counters[name]
	}
	if s.Pool != nil {
		p, q := *s.Pool, last.Pool
		p.Submitted -= q.Submitted
		p.Done -= q.Done
		p.Failed -= q.Failed
		p.Retried -= q.Retried
		p.Restarts -= q.Restarts
		d.Pool = &p
	}
	if s.Manager != nil {
		m, n := *s.Manager, last.Manager
		// An object that was removed has taken its counts with it.
		m.Evicted -= min(m.Evicted, n.Evicted)
		m.Expired -= min(m.Expired, n.Expired)
		d.Manager = &m
	}
	return &d
}

func (s *sample) print(a *app, headers bool) error {
	names := []string{"TIME", "PROCESSES>"}
	cells := []string{s.Time.Local().Format("15:04:05.000"), fmt.Sprint(s.Processes)}
	add := func(name, cell string) {
		names = append(names, name+">")
		cells = append(cells, cell)
	}
	counter := func(name string, c shm.Counter) { add(name, count(s.Counters[c.String()])) }
	if q := s.Queue; q != nil {
		add("READY", count(q.Ready))
		add("HELD", count(q.Reserved+q.Borrowed))
		add("USED", size(q.Used))
		counter("PUTS", shm.Puts)
		counter("GETS", shm.Gets)
		add("IN", size(s.Counters[shm.BytesIn.String()]))
		add("OUT", size(s.Counters[shm.BytesOut.String()]))
		counter("FULL", shm.FullWaits)
		counter("EMPTY", shm.EmptyWaits)
		counter("AGAIN", shm.Redelivered)
		counter("DEAD-LETTERS", shm.DeadLetters)
	}
	if p := s.Pool; p != nil {
		add("QUEUED", count(p.Queued))
		add("RUNNING", count(p.Running))
		add("SUBMITTED", count(p.Submitted))
		add("DONE", count(p.Done))
		add("FAILED", count(p.Failed))
		add("RETRIED", count(p.Retried))
		add("RESTARTS", count(p.Restarts))
	}
	if m := s.Manager; m != nil {
		add("OBJECTS", count(m.Objects))
		add("ENTRIES", count(m.Entries))
		add("USED", size(m.Used))
		add("EVICTED", count(m.Evicted))
		add("EXPIRED", count(m.Expired))
	}
	counter("RECOVERIES", shm.Recoveries)
	g := grid{columns: columns(names...)}
	for i, name := range names {
		// Lines are printed before the next one is known: room for what may come.
		const usual = 9
		g.columns[i].least = max(usual, len(name)-1)
	}
	g.add(cells...)
	return g.print(a.out, "", headers)
}

// errRemoved and errReplaced are returned when a segment goes away while it is
// watched.
var (
	errRemoved  = errors.New("the segment has been removed")
	errReplaced = errors.New("another segment has taken its name")
)
