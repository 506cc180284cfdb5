//go:build faultpoints

package explore

import (
	"fmt"
	"strings"
)

// A Violation is a state, or a step, that must not be, and the way there.
type Violation struct {
	What  string
	Steps []Step
}

// A Step is what an actor has done between two crash points.
type Step struct {
	Actor   string
	Point   string // where it stood; "load" before a load
	Op      string // the operation that it was in; "" if it was in none
	Dies    bool   // it has died there
	Loads   string // the word that it has loaded, and what it has seen
	Changes []Change
	format  func(region string, v uint64) string
}

// Error returns what is wrong, and the steps that led there, in a line each.
func (v *Violation) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, after", v.What)
	if len(v.Steps) == 0 {
		b.WriteString(" no step")
	}
	actor, op := 0, 0 // widths of the columns
	for _, s := range v.Steps {
		actor, op = max(actor, len(s.Actor)), max(op, len(s.Op))
	}
	for i, s := range v.Steps {
		fmt.Fprintf(&b, "\n%4d  %-*s  %-*s  %v", i+1, actor, s.Actor, op, s.Op, s)
	}
	return b.String()
}

// String returns what was done, without by whom.
func (s Step) String() string {
	what := s.Point
	if s.Loads != "" {
		what += " " + s.Loads
	}
	if s.Dies {
		what = "dies before " + what
	}
	for i, c := range s.Changes {
		if i == 0 {
			what += ": "
		} else {
			what += ", "
		}
		what += fmt.Sprintf("%s %s, then %s", c.Word(), s.format(c.Region, c.Old), s.format(c.Region, c.New))
	}
	return what
}

// violation takes the steps to a node again, and writes them down.
func (x *search[P]) violation(i int32, what string) error {
	v := &Violation{What: what}
	format := x.world.Format
	if format == nil {
		format = func(_ string, v uint64) string { return fmt.Sprintf("%#x", v) }
	}
	v.Steps = make([]Step, 0, len(x.path(i)))
	x.follow(i, func(c choice) {
		a := x.actors[c.actor]
		s := Step{Actor: a.Name, Point: a.step, Dies: c.dies, format: format}
		if a.Dead == nil && a.begun > 0 {
			s.Op = a.script[a.op]
		}
		if a.pending != nil {
			n, _ := loaded(a.pending)
			region, word := x.memory.name(a.pending)
			s.Loads = fmt.Sprintf("%s, %s", word, format(region, n))
		}
		v.Steps = append(v.Steps, s)
		x.trace = &v.Steps[len(v.Steps)-1]
	})
	x.trace = nil
	return v
}
