package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/shmkit/shmkit/internal/cli"
)

// sum returns what both kinds of runs have in their summary.
func (s *scene) sum(mode, ended string) *summary {
	vs, n := s.verdict()
	sum := &summary{
		Mode:       mode,
		Seed:       s.Seed,
		Ended:      ended,
		Seconds:    time.Since(s.start).Seconds(),
		Violations: vs,
		Violated:   n,
		Members:    s.counts.figures(),
	}
	if n > 0 {
		sum.Ended = endedByViolation
	}
	if dir := s.evidenceDir(); dir != "" {
		sum.Evidence = &dir
	}
	return sum
}

func (r *queueRun) summary(ended string) *summary {
	s := r.sum("queue", ended)
	t := r.book.totals
	q := &queueFigures{
		PerSecond:     float64(r.ledger.taken(-1)) / s.Seconds,
		Put:           t.Put,
		PutInDoubt:    t.DoubtPut,
		Taken:         t.Taken,
		Acked:         t.Acked,
		Nacked:        t.Nacked,
		Redelivered:   t.Redelivered,
		LostInGet:     t.DoubtLost,
		LostInGetMost: r.book.mayLose,
		AckInDoubt:    t.DoubtAcked,
		Unnoted:       t.Unnoted,
		Pause:         r.pauses.figures(),
	}
	for i := range r.ledger.lines {
		q.RoleWaits += r.ledger.lines[i].roles.Load()
	}
	s.Queue = q
	return s
}

func (r *poolRun) summary(ended string) *summary {
	s := r.sum("pool", ended)
	f := &poolFigures{Outcomes: map[string]uint64{}, Pause: r.pauses.figures()}
	for _, side := range r.sides {
		fates, all := side.outcomes()
		f.Tasks += all
		for fate, n := range fates {
			f.Outcomes[fate] += n
		}
		stats := side.pool.Stats()
		f.Retried += stats.Retried
		f.Restarts += stats.Restarts
		f.SelfInflicted += side.deadly.Load()
	}
	f.PerSecond = float64(f.Tasks) / s.Seconds
	s.Members.Started += f.Restarts
	s.Pool = f
	return s
}

func (r *dictRun) summary(ended string) *summary {
	s := r.sum("dict", ended)
	d := &dictFigures{
		Operations: map[string]uint64{},
		Changes:    r.board.changes(-1),
		Entries:    r.report.Entries,
		Blocks:     r.report.Live,
		Bytes:      r.report.Bytes,
		Pause:      r.pauses.figures(),
	}
	all := uint64(0)
	for i, duty := range duties {
		for p := range r.board.places {
			n := r.board.places[p].duties[i].Load()
			d.Operations[duty.name] += n
			all += n
		}
	}
	d.PerSecond = float64(all) / s.Seconds
	s.Dict = d
	return s
}

// print prints the summary for people.
func (s *summary) print(a *app) error {
	var b strings.Builder
	heading := func(title string) { fmt.Fprintf(&b, "\n%s\n", strings.ToUpper(title)) }
	line := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "  %-20s  %s\n", name, fmt.Sprintf(format, args...))
	}
	fmt.Fprintf(&b, "%s\n", s.Command)
	heading("run")
	line("time", "%s, %s", span(s.Seconds), map[string]string{
		endedByTime:      "as asked for",
		endedByUser:      "then interrupted",
		endedByViolation: "until a violation",
	}[s.Ended])
	line("seed", "%d", s.Seed)
	line("processes", "%s started", count(s.Members.Started))
	line("killed", "%s", count(s.Members.Killed))
	if s.Members.StepKilled > 0 {
		line("killed in a step", "%s, at %d crash points", count(s.Members.StepKilled), len(s.Members.Steps))
	}
	line("stopped", "%s", count(s.Members.Stopped))
	if s.Queue != nil {
		s.Queue.print(heading, line)
	}
	if s.Pool != nil {
		s.Pool.print(heading, line)
	}
	if s.Dict != nil {
		s.Dict.print(heading, line)
	}
	if len(s.Members.Steps) > 0 {
		heading("deaths by crash point")
		for _, step := range sortedKeys(s.Members.Steps) {
			line(step, "%s", count(s.Members.Steps[step]))
		}
	}
	heading("verdict")
	line("violations", "%d", s.Violated)
	for _, v := range s.Violations {
		line(v.Kind, "%s", cli.Printable(v.Text))
	}
	if n := s.Violated - len(s.Violations); n > 0 {
		line("", "and %d more", n)
	}
	if s.Evidence != nil {
		line("evidence", "%s", *s.Evidence)
	}
	_, err := fmt.Fprint(a.out, b.String())
	return err
}

func (q *queueFigures) print(heading func(string), line func(name, format string, args ...any)) {
	heading("records")
	line("put", "%s, and %s that their producers were killed in", count(q.Put), count(q.PutInDoubt))
	line("taken", "%s by gets", count(q.Taken))
	line("acked", "%s", count(q.Acked))
	line("given back", "%s", count(q.Nacked))
	line("delivered again", "%s", count(q.Redelivered))
	line("throughput", "%s a second", count(uint64(q.PerSecond)))
	heading("left in doubt by kills")
	line("lost in a get", "%s, at most %s", count(q.LostInGet), count(q.LostInGetMost))
	line("lost in an ack", "%s", count(q.AckInDoubt))
	line("taken, not noted", "%s, and delivered again", count(q.Unnoted))
	if q.RoleWaits > 0 {
		line("role still taken", "%s times, for a moment", count(q.RoleWaits))
	}
	q.Pause.print(heading, line, "record taken by another")
}

func (p *poolFigures) print(heading func(string), line func(name, format string, args ...any)) {
	heading("tasks")
	line("ended", "%s", count(p.Tasks))
	for _, fate := range []string{fateResult, fateError, fatePanic, fateDeath} {
		line(fate, "%s", count(p.Outcomes[fate]))
	}
	line("run again", "%s", count(p.Retried))
	line("ended a worker", "%s", count(p.SelfInflicted))
	line("throughput", "%s a second", count(uint64(p.PerSecond)))
	line("workers replaced", "%s", count(p.Restarts))
	p.Pause.print(heading, line, "task that ended")
}

func (d *dictFigures) print(heading func(string), line func(name, format string, args ...any)) {
	heading("operations")
	for _, name := range sortedKeys(d.Operations) {
		line(name, "%s", count(d.Operations[name]))
	}
	line("throughput", "%s a second", count(uint64(d.PerSecond)))
	line("calls with changes", "%s", count(d.Changes))
	heading("left at the end")
	line("entries", "%s", count(uint64(d.Entries)))
	line("blocks", "%s with %s bytes", count(uint64(d.Blocks)), count(uint64(d.Bytes)))
	d.Pause.print(heading, line, "change by another")
}

func (p *pauseFigures) print(heading func(string), line func(name, format string, args ...any), what string) {
	heading("from a death to the next " + what)
	line("measured", "%s", count(p.Count))
	line("median", "%.1f ms", p.Median)
	line("99 %", "%.1f ms", p.P99)
	line("longest pause", "%.1f ms", p.Worst)
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
