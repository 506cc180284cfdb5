package main

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

func (l *processList) print(a *app) error {
	g := grid{columns: columns("PID>", "STATE", "CPU>", "TIME>", "MEMORY>", "AGE>", "OPEN>", "PROCESS", "WAITS FOR", "HOLDS")}
	level := make(map[int]int)
	for i := range l.Processes {
		p := &l.Processes[i]
		depth := 0
		if p.Parent != 0 {
			depth = level[p.Parent] + 1
		}
		level[p.PID] = depth
		cpu, spent, memory, old := none, none, none, none
		if p.Started != nil {
			cpu = fmt.Sprintf("%.0f %%", p.CPUPercent)
			spent = time.Duration(p.CPUSeconds * float64(time.Second)).Round(10 * time.Millisecond).String()
			memory = size(p.Memory)
			old = span(age(*p.Started))
		}
		pid := fmt.Sprint(p.PID)
		if !p.SamePIDs {
			pid += "*"
		}
		g.add(pid, p.State, cpu, spent, memory, old, fmt.Sprint(len(p.Uses)), branch(depth)+p.label(), p.waits(), p.holds())
	}
	return g.print(a.out, "", !a.noHeaders)
}

// branch is what stands before a process in a tree.
func branch(depth int) string {
	if depth == 0 {
		return ""
	}
	return strings.Repeat("   ", depth-1) + "└─ "
}

// label is how people know a process.
func (p *proc) label() string {
	const most = 40
	text := p.Command
	if p.Name != "" {
		text = p.Name
	}
	if p.Orphan {
		text += " (orphan)"
	}
	if utf8.RuneCountInString(text) > most {
		text = string([]rune(text)[:most-1]) + "…"
	}
	return text
}

func (p *proc) waits() string {
	var all []string
	for _, w := range p.Waits {
		all = append(all, w.Segment+": "+w.For)
	}
	return orNone(strings.Join(all, ", "))
}

func (p *proc) holds() string {
	var all []string
	for _, h := range p.Holds {
		var what []string
		for _, role := range h.Roles {
			what = append(what, "sole "+role)
		}
		if h.Reserved > 0 {
			what = append(what, "writes "+plural(h.Reserved, "record"))
		}
		if h.Borrowed > 0 {
			what = append(what, "reads "+plural(h.Borrowed, "record"))
		}
		if h.DictLocks > 0 {
			what = append(what, plural(h.DictLocks, "dict lock"))
		}
		if h.Task != "" {
			what = append(what, "runs "+h.Task)
		}
		all = append(all, h.Segment+": "+strings.Join(what, " + "))
	}
	return orNone(strings.Join(all, ", "))
}

func orNone(s string) string {
	if s == "" {
		return none
	}
	return s
}
