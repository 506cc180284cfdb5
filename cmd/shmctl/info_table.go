package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/shmkit/shmkit/internal/cli"
	"github.com/shmkit/shmkit/shm"
)

// print prints the details in sections, each with a heading.
func (d *details) print(a *app) error {
	p := &page{app: a}
	p.pairs("", d.facts())
	p.grid("layout", d.mapGrid())
	if len(d.Table) > 0 {
		p.grid("processes", d.slotGrid())
	}
	if d.Queue != nil {
		p.pairs("queue", d.Queue.facts())
		p.lines("who holds it up", d.Queue.culprits())
		if len(d.Queue.Held) > 0 {
			p.grid("held records, oldest first", d.Queue.heldGrid())
		}
	}
	if d.Pool != nil {
		p.pairs("pool", d.Pool.facts())
		p.grid("workers", d.Pool.workerGrid())
		if len(d.Pool.Tasks) > 0 {
			p.grid("unfinished tasks, oldest first", d.Pool.taskGrid())
		}
	}
	if d.Manager != nil {
		p.pairs("manager", d.Manager.facts())
		if len(d.Manager.Objects) > 0 {
			p.grid("objects", d.Manager.grid())
		}
	}
	p.pairs("counters", d.counts())
	return p.err
}

// A page prints sections until the first error.
type page struct {
	*app
	err error
}

func (p *page) heading(title string) {
	if title == "" || p.err != nil {
		return
	}
	_, p.err = fmt.Fprintf(p.out, "\n%s\n", strings.ToUpper(title))
}

func (p *page) grid(title string, g *grid) {
	p.heading(title)
	if p.err == nil {
		p.err = g.print(p.out, "  ", !p.noHeaders)
	}
}

// pairs prints names and what they are; a section without a title is not
// indented.
func (p *page) pairs(title string, facts [][2]string) {
	g := grid{columns: columns("", "")}
	for _, f := range facts {
		g.add(f[0], f[1])
	}
	p.heading(title)
	indent := "  "
	if title == "" {
		indent = ""
	}
	if p.err == nil {
		p.err = g.print(p.out, indent, false)
	}
}

func (p *page) lines(title string, lines []string) {
	p.heading(title)
	for _, line := range lines {
		if p.err == nil {
			_, p.err = fmt.Fprintf(p.out, "  %s\n", cli.Printable(line))
		}
	}
}

func (d *details) facts() [][2]string {
	lifetime := "until its last process leaves"
	if d.Persistent {
		lifetime = "persistent: until it is removed"
	}
	what := d.Type
	if what == "" {
		what = none
	}
	facts := [][2]string{
		{"name", d.Name},
		{"path", d.Path},
		{"kind", fmt.Sprintf("%s, layout %d", d.Kind, d.Layout)},
		{"type", what},
		{"size", exactSize(d.Size) + ", file " + exactSize(d.FileSize)},
		{"mode", d.Mode},
		{"lifetime", lifetime},
		{"created", d.createdText()},
		{"id", d.ID},
		{"processes", fmt.Sprintf("%s, in %d slots", d.holders(), d.Slots)},
	}
	if d.Error != nil {
		facts = append(facts, [2]string{"damaged", *d.Error})
	}
	return facts
}

func (d *details) createdText() string {
	if d.Created == nil {
		return none
	}
	return d.Created.Format(time.RFC3339) + ", " + since(d.Created)
}

func (d *details) mapGrid() *grid {
	g := &grid{columns: columns("OFFSET>", "SIZE>", "")}
	for _, r := range d.Map {
		g.add(fmt.Sprint(r.Offset), fmt.Sprint(r.Size), r.What)
	}
	return g
}

func (d *details) slotGrid() *grid {
	g := &grid{columns: columns("SLOT>", "PID>", "STATE", "ROLE", "JOINED>", "COMMAND")}
	for _, s := range d.Table {
		role := none
		if len(s.Roles) > 0 {
			role = strings.Join(s.Roles, ", ")
		}
		g.add(fmt.Sprint(s.Slot), s.pidText(), s.State, role, since(s.Joined), s.Command)
	}
	return g
}

// pidText is the PID; with a star if it is one of another PID namespace.
func (o *owner) pidText() string {
	switch {
	case o.PID == 0:
		return none
	case o.SamePIDs || o.PIDNamespace == 0:
		return fmt.Sprint(o.PID)
	}
	return fmt.Sprintf("%d*", o.PID)
}

// counts returns the counters that are not zero, in the file's order.
func (d *details) counts() [][2]string {
	var facts [][2]string
	for _, c := range shm.Counters() {
		n := d.Counters[c.String()]
		if n == 0 {
			continue
		}
		text := count(n)
		if c == shm.BytesIn || c == shm.BytesOut {
			text = exactSize(n)
		}
		facts = append(facts, [2]string{c.String(), text})
	}
	if len(facts) == 0 {
		facts = [][2]string{{"all", "0"}}
	}
	return facts
}

func (q *queue) facts() [][2]string {
	ready := count(q.Ready)
	if q.Again > 0 {
		ready += fmt.Sprintf(", %s of them delivered before", count(q.Again))
	}
	limit := "as many as fit"
	if q.MaxItems > 0 {
		limit = count(q.MaxItems)
	}
	attempts := "without limit"
	if q.MaxAttempts > 0 {
		attempts = "at most " + count(q.MaxAttempts)
	}
	facts := [][2]string{
		{"ready", ready},
		{"reserved", count(q.Reserved) + ", being written"},
		{"borrowed", count(q.Borrowed) + ", being read"},
		{"used", fmt.Sprintf("%s of %s, %d %%", size(q.Used), size(q.Capacity), q.Used*100/max(q.Capacity, 1))},
		{"items", limit},
		{"record", "at most " + exactSize(q.MaxRecord)},
		{"deliveries", attempts},
	}
	if q.Shutdown != "" {
		facts = append(facts, [2]string{"shut down", q.Shutdown})
	}
	return facts
}

// culprits says in words who holds the queue up.
func (q *queue) culprits() []string {
	var lines []string
	for _, h := range []*held{q.OldestReserved, q.OldestBorrowed} {
		if h == nil {
			continue
		}
		doing := "writes"
		if h.State == "borrowed" {
			doing = "reads"
		}
		who := fmt.Sprintf("slot %d", h.Owner.Slot)
		if h.Owner.PID != 0 {
			who = fmt.Sprintf("pid %d (%s, %s)", h.Owner.PID, h.Owner.State, h.Owner.Command)
			if !h.Owner.SamePIDs && h.Owner.PIDNamespace != 0 {
				who += fmt.Sprintf(" of PID namespace %d", h.Owner.PIDNamespace)
			}
		}
		lines = append(lines, fmt.Sprintf("%s %s a record of %s, with %s behind it:", who, doing, size(h.Bytes), plural(h.Behind, "record")),
			"    "+h.effect())
	}
	if lines == nil {
		lines = []string{"nobody: no record is being written or read"}
	}
	return lines
}

func (q *queue) heldGrid() *grid {
	g := &grid{columns: columns("STATE", "SIZE>", "DELIVERY>", "BEHIND>", "SLOT>", "PID>", "PROCESS", "COMMAND")}
	for _, h := range q.Held {
		delivery := none
		if h.State == "borrowed" {
			delivery = count(h.Attempt)
		}
		g.add(h.State, size(h.Bytes), delivery, count(h.Behind), fmt.Sprint(h.Owner.Slot), h.Owner.pidText(), h.Owner.State, h.Owner.Command)
	}
	return g
}

func (p *poolTable) facts() [][2]string {
	return [][2]string{
		{"submitted", count(p.Submitted)},
		{"done", count(p.Done)},
		{"failed", count(p.Failed)},
		{"retried", count(p.Retried)},
		{"restarts", count(p.Restarts)},
		{"tasks", fmt.Sprintf("%s running, %s queued, at most %s", count(p.Running), count(p.Queued), count(p.MaxTasks))},
		{"functions", strings.Join(p.Functions, ", ")},
	}
}

func (p *poolTable) workerGrid() *grid {
	g := &grid{columns: columns("WORKER>", "PID>", "STATE", "SINCE>", "RUNS", "ITEMS>", "TOTAL>")}
	for _, w := range p.Workers {
		runs, items := none, none
		if w.Func != "" {
			runs, items = w.Func, fmt.Sprintf("%d/%d", w.Ended, w.Items)
		}
		g.add(fmt.Sprint(w.Worker), fmt.Sprint(w.PID), w.State, since(w.Since), runs, items, count(w.Total))
	}
	return g
}

func (p *poolTable) taskGrid() *grid {
	const most = 20
	g := &grid{columns: columns("FUNCTION", "ITEMS>", "ATTEMPT>", "WORKER>", "QUEUED>", "BEGUN>")}
	for i, t := range p.Tasks {
		if i == most {
			g.add(fmt.Sprintf("… %d more", len(p.Tasks)-most))
			break
		}
		who := none
		if t.Worker != 0 {
			who = fmt.Sprint(t.Worker)
		}
		g.add(t.Func, fmt.Sprint(t.Items), fmt.Sprint(t.Attempt), who, since(&t.Queued), since(t.Begun))
	}
	return g
}
