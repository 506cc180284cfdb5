//go:build faultpoints

package explore

import (
	"fmt"
	"slices"
	"time"

	"github.com/shmkit/shmkit/internal/fault"
)

// A Report says how far a search has come.
type Report struct {
	States   int  // that are not the same
	Ends     int  // states in which everybody is through
	Deaths   int  // ways from one state to another that are a death
	Depth    int  // steps to the furthest state that was gone on from
	Complete bool // all states were seen; false: the search was stopped at its limit
	Time     time.Duration
}

func (r Report) String() string {
	how := "complete"
	if !r.Complete {
		how = "stopped at its limit"
	}
	return fmt.Sprintf("%d states, %d ends, %d deaths, depth %d, %s in %v",
		r.States, r.Ends, r.Deaths, r.Depth, how, r.Time.Round(time.Millisecond))
}

// A choice is what happens next: a step of an actor, or its death.
type choice struct {
	actor uint16
	dies  bool
}

// A node is a state that has been found: the one before it, and the choice that
// led from there.
type node struct {
	parent int32 // -1: the start
	choice
	at   mark   // of the choice, in the journal
	hash uint64 // of the state
	next int    // its ways to others begin here, in edges
}

// A search goes through the states of a scenario.
type search[P any] struct {
	*engine[P]
	nodes  []node
	states map[uint64]int32 // indexes of nodes, by their hash
	edges  []int32          // nodes that a step leads to, not a death
	report Report
}

// Search goes through every interleaving of the scenario's processes, with every
// death, breadth first, until it has seen every state or as many as it may. An
// error is a [*Violation]: one that no other precedes by the number of steps. It
// sets the hooks of package fault: only one search can be at work in a program.
func Search[P any](w World[P], s Scenario) (Report, error) {
	x := &search[P]{engine: newEngine(w, s), states: make(map[uint64]int32)}
	fault.SetHook(func(step string) { x.access(step, nil) })
	fault.SetLookHook(func(word any) { x.access("load", word) })
	defer fault.SetHook(nil)
	defer fault.SetLookHook(nil)
	defer x.memory.reset()
	defer x.end()
	begun := time.Now()
	complete, err := x.all()
	if err == nil && complete && !s.Forever {
		err = x.progress()
	}
	x.report.Complete = complete && err == nil
	x.report.States = len(x.states)
	x.report.Time = time.Since(begun)
	return x.report, err
}

// all reports whether it has seen everything.
func (x *search[P]) all() (bool, error) {
	x.restart()
	if more, err := x.found(node{parent: -1}); !more {
		return false, err
	}
	for i := int32(0); int(i) < len(x.nodes); i++ {
		if err := x.goTo(i); err != nil {
			return false, err
		}
		x.nodes[i].next = len(x.edges)
		steps, deaths := x.choices()
		if len(steps) == 0 {
			if err := x.halted(i); err != nil {
				return false, err
			}
		}
		for k, c := range append(steps, deaths...) {
			if k > 0 {
				if err := x.goTo(i); err != nil {
					return false, err
				}
			}
			at := x.journal.mark()
			x.take(c)
			if c.dies {
				x.report.Deaths++
			}
			if more, err := x.found(node{parent: i, choice: c, at: at}); !more {
				return false, err
			}
		}
	}
	return true, nil
}

// found notes the state that the world is in, to be gone on from, if it is new.
// It reports false when there are too many, or the state may not be.
func (x *search[P]) found(n node) (bool, error) {
	n.hash = x.hash()
	to, old := x.states[n.hash]
	if !old {
		if len(x.states) == x.scenario.States && x.scenario.States > 0 {
			return false, nil
		}
		to = int32(len(x.nodes))
		x.states[n.hash] = to
		x.nodes = append(x.nodes, n)
		x.ask(x.world.Check)
		x.ask(x.world.Audit)
	}
	if x.failure != "" {
		if old {
			x.nodes = append(x.nodes, n)
		}
		return false, x.violation(int32(len(x.nodes)-1), x.failure)
	}
	if old {
		x.journal.cut(n.at)
	}
	if n.parent >= 0 && !n.dies {
		x.edges = append(x.edges, to)
	}
	return true, nil
}

// ask has a question answered that may change the memory.
func (x *search[P]) ask(question func(r *Run)) {
	if question != nil && x.failure == "" {
		question(x.Run)
		x.memory.restore()
	}
}

// halted judges a state in which nobody can take a step.
func (x *search[P]) halted(i int32) error {
	for _, a := range x.actors {
		if !a.ended {
			x.Failf("%s", x.deadlock())
			break
		}
	}
	if x.failure == "" {
		x.report.Ends++
		x.ask(x.world.End)
	}
	if x.failure != "" {
		return x.violation(i, x.failure)
	}
	return nil
}

// deadlock says why nobody can go on.
func (x *search[P]) deadlock() string {
	why := "nobody can go on"
	for _, a := range x.actors {
		switch {
		case a.ended:
		case a.ready != nil:
			why += fmt.Sprintf("; %s %s", a.Name, a.step)
		default:
			why += fmt.Sprintf("; %s is held", a.Name)
		}
	}
	return why
}

// path returns the nodes that lead to a node, which is the last.
func (x *search[P]) path(i int32) (is []int32) {
	for ; x.nodes[i].parent >= 0; i = x.nodes[i].parent {
		is = append(is, i)
	}
	slices.Reverse(is)
	return is
}

// goTo brings the world into the state of a node. A coroutine can't be copied:
// so it starts afresh, and takes the same choices again.
func (x *search[P]) goTo(i int32) error {
	x.follow(i, nil)
	if x.hash() != x.nodes[i].hash {
		return x.violation(i, "the same steps have led to another state: the code, or the world, goes by something that is not known to the search")
	}
	return nil
}

// follow takes the choices that lead to a node, and calls each before each of
// them.
func (x *search[P]) follow(i int32, each func(c choice)) {
	path := x.path(i)
	x.report.Depth = max(x.report.Depth, len(path))
	var m mark
	x.replay = &m
	x.restart()
	for _, n := range path {
		m = x.nodes[n].at
		if each != nil {
			each(x.nodes[n].choice)
		}
		x.take(x.nodes[n].choice)
	}
	x.replay = nil
}
