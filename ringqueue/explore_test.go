//go:build faultpoints

package ringqueue

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/shmkit/shmkit/internal/fault"
)

// The explorer runs the ring's own code, not a model of it, through every
// interleaving of a few actors on a tiny ring, with death as one of the things
// that may happen next. Each actor is a coroutine that stops before every
// access to the shared words; between two such points it is alone, so a state
// is what the words hold and what each actor has seen since its operation
// began. The code is deterministic: two histories with equal states have
// equal futures, and the second is not followed.
//
// It searches breadth first, so that a path to a failure is as short as can be.
// To come back to a state it starts afresh and repeats the choices that led
// there, because a coroutine can't be copied.
//
// States are told apart by a hash of 64 bits. Among ten million the chance that
// one was taken for another is about one in 400,000.

// A choice is what happens next: a step of an actor, or its death.
type choice struct {
	actor int
	kill  bool
}

// A node is a state that has been found: the one before it, and the choice that
// led from there.
type node struct {
	parent int32 // -1: the start
	choice
}

// An explorer searches the state space of one scenario.
type explorer struct {
	t       testing.TB
	s       scenario
	w       *world
	running *actor // who takes a step
	nodes   []node
	visited map[uint64]struct{}
	stats   exploration
}

// An exploration says how far a search has come.
type exploration struct {
	states, ends, deaths, deepest int
	complete                      bool
	time                          time.Duration
}

func (e exploration) String() string {
	how := "complete"
	if !e.complete {
		how = "stopped at its limit"
	}
	return fmt.Sprintf("%d states, %d ends, %d deaths, depth %d, %s in %v",
		e.states, e.ends, e.deaths, e.deepest, how, e.time.Round(time.Millisecond))
}

// explore searches s until it has seen every state, or limit of them.
func explore(t testing.TB, s scenario, limit int) exploration {
	t.Helper()
	x := &explorer{t: t, s: s, visited: map[uint64]struct{}{}}
	fault.SetHook(func(step string) { x.access(step, nil) })
	fault.SetLookHook(func(word any) { x.access("load", word) })
	defer fault.SetHook(nil)
	defer fault.SetLookHook(nil)
	begun := time.Now()
	x.stats.complete = x.search(limit)
	x.stats.states = len(x.visited)
	x.stats.time = time.Since(begun)
	return x.stats
}

// access is where an actor stands before it touches the word.
func (x *explorer) access(step string, word any) {
	a := x.running
	if a == nil {
		return // a check of the explorer's own
	}
	a.step, a.pending = step, word
	if !a.yield(struct{}{}) {
		panic(killed{})
	}
}

// search reports whether it has seen everything.
func (x *explorer) search(limit int) bool {
	defer func() { x.w.end() }()
	x.w = newWorld(x)
	if !x.found(node{parent: -1}, limit) {
		return false
	}
	for i := int32(0); int(i) < len(x.nodes); i++ {
		x.goTo(i)
		cs := x.w.choices()
		if len(cs) == 0 {
			x.stats.ends++
			x.w.auditEnd()
			x.fail(i)
		}
		for k, c := range cs {
			if k > 0 {
				x.goTo(i)
			}
			x.w.take(c)
			if c.kill {
				x.stats.deaths++
			}
			if !x.found(node{i, c}, limit) {
				return false
			}
		}
	}
	return true
}

// found notes the state that the world is in, to be gone on from, if it is new.
// It reports false when there are too many.
func (x *explorer) found(n node, limit int) bool {
	h := x.w.hash()
	if _, old := x.visited[h]; !old {
		if len(x.visited) == limit {
			return false
		}
		x.visited[h] = struct{}{}
		x.nodes = append(x.nodes, n)
		x.w.audit()
	}
	if x.w.failure != "" {
		x.nodes = append(x.nodes, n)
		x.fail(int32(len(x.nodes) - 1))
	}
	return true
}

// path returns the choices that lead to a node.
func (x *explorer) path(i int32) (cs []choice) {
	for ; x.nodes[i].parent >= 0; i = x.nodes[i].parent {
		cs = append(cs, x.nodes[i].choice)
	}
	slices.Reverse(cs)
	x.stats.deepest = max(x.stats.deepest, len(cs))
	return cs
}

// goTo brings the world into the state of a node.
func (x *explorer) goTo(i int32) {
	x.w.end()
	x.w = newWorld(x)
	for _, c := range x.path(i) {
		x.w.take(c)
	}
}

// fail ends the test with the path to a failure, if there is one.
func (x *explorer) fail(i int32) {
	x.t.Helper()
	failure := x.w.failure
	if failure == "" {
		return
	}
	x.w.end()
	x.w = newWorld(x)
	var b strings.Builder
	for k, c := range x.path(i) {
		a := x.w.actors[c.actor]
		what := a.step
		if c.kill {
			what = "dies before " + what
		}
		before := x.w.now
		x.w.take(c)
		fmt.Fprintf(&b, "%4d %s: %s", k+1, a.name, what)
		if x.w.now != before {
			fmt.Fprintf(&b, ": %v", x.w.now)
		}
		b.WriteByte('\n')
	}
	x.t.Fatalf("%s, after\n%s", failure, b.String())
}

// killed unwinds the coroutine of an actor that dies.
type killed struct{}
