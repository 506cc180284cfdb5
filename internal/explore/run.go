//go:build faultpoints

package explore

import (
	"fmt"
	"strings"
)

// An engine takes the steps of one run at a time.
type engine[P any] struct {
	*Run
	world    World[P]
	scenario Scenario
	scripts  [][]string
	actors   []*Actor
	own      []P    // of each actor
	running  *Actor // who takes a step; nil: the search itself
	journal  journal
	replay   *mark // where the journal is followed; nil: it is written
	loading  bool  // the present step is one that loads
	changed  int   // words that the present step has changed so far
	trace    *Step // what the present step does is noted here; nil: nowhere
}

func newEngine[P any](w World[P], s Scenario) *engine[P] {
	if s.Steps == 0 {
		s.Steps = defaultSteps
	}
	e := &engine[P]{Run: &Run{memory: newMemory(w.Memory)}, world: w, scenario: s}
	for _, script := range s.Scripts {
		e.scripts = append(e.scripts, strings.Fields(script))
	}
	return e
}

// restart ends the present run and begins another one.
func (e *engine[P]) restart() {
	e.end()
	e.memory.reset()
	e.deaths, e.failure = e.scenario.Deaths, ""
	e.actors, e.own = e.actors[:0], e.own[:0]
	if e.world.Reset != nil {
		e.world.Reset(e.Run)
	}
	e.loading = false
	for i, script := range e.scripts {
		e.start(&Actor{Name: fmt.Sprintf("actor %d", i), Slot: i, script: script})
	}
}

// end ends all coroutines.
func (e *engine[P]) end() {
	for _, a := range e.actors {
		a.stop()
	}
}

// start lets a new actor come to its first step.
func (e *engine[P]) start(a *Actor) {
	a.run, a.index = e.Run, len(e.actors)
	p := e.world.Start(a)
	e.actors, e.own = append(e.actors, a), append(e.own, p)
	a.launch(func() { e.live(a, p) })
	e.resume(a)
}

// live is an actor's life, on its coroutine.
func (e *engine[P]) live(a *Actor, p P) {
	if a.Dead != nil {
		e.world.Recover(p)
		return
	}
	if e.world.Join != nil {
		e.world.Join(p)
	}
	for {
		for ; a.op < len(a.script); a.op++ {
			e.begin(a, p)
			a.judge = e.world.Do(p, a.script[a.op])
			a.paused = true
			a.pause()
		}
		if !e.scenario.Forever {
			return
		}
		a.op = 0
	}
}

// begin forgets what the actor has seen, but for what its handle keeps.
func (e *engine[P]) begin(a *Actor, p P) {
	a.begun++
	if e.world.Begin != nil {
		e.world.Begin(p, a.script[a.op])
	}
	a.history = e.handle(p)
}

func (e *engine[P]) handle(p P) uint64 {
	if e.world.Handle == nil {
		return 0
	}
	return e.world.Handle(p)
}

// access is where the running actor stands before it takes a step.
func (e *engine[P]) access(step string, word any) {
	a := e.running
	if a == nil {
		return // the search's own questions
	}
	a.step, a.pending = step, word
	a.pause()
}

// resume lets the actor come to its next step, and judges what it does on the way.
func (e *engine[P]) resume(a *Actor) {
	for {
		e.running = a
		_, more := a.resume()
		e.running = nil
		e.see(a)
		if !a.paused {
			if !more {
				e.finish(a)
			}
			return
		}
		a.paused = false
		if judge := a.judge; judge != nil {
			a.judge = nil
			judge()
		}
	}
}

// see finds what has changed, and has it judged.
func (e *engine[P]) see(a *Actor) {
	var cs []Change
	if e.replay != nil {
		cs = e.memory.follow(e.journal.next(e.replay))
	} else {
		cs = e.memory.compare(&e.journal)
	}
	if len(cs) == 0 {
		return
	}
	e.changed += len(cs)
	if e.trace != nil {
		e.trace.Changes = append(e.trace.Changes, cs...)
	}
	if e.loading {
		for _, c := range cs {
			if e.world.Plain == nil || !e.world.Plain(c) {
				e.Failf("%s: a step that loads has changed %v", a.Name, c)
			}
		}
	}
	if e.world.Changed != nil {
		e.world.Changed(e.own[a.index], cs)
	}
}

// choices returns all that may happen next: steps, and then deaths.
func (e *engine[P]) choices() (steps, deaths []choice) {
	for i, a := range e.actors {
		if a.ended {
			continue
		}
		if (a.ready == nil || a.ready()) && !(e.world.Held != nil && e.world.Held(e.own[i])) {
			steps = append(steps, choice{actor: uint16(i)})
		}
		if e.deaths > 0 && a.mayDie() {
			deaths = append(deaths, choice{actor: uint16(i), dies: true})
		}
	}
	return steps, deaths
}

// take makes one of the choices happen.
func (e *engine[P]) take(c choice) {
	e.changed, e.loading = 0, false
	a := e.actors[c.actor]
	if c.dies {
		e.kill(a)
		return
	}
	p, begun, step := e.own[c.actor], a.begun, a.step
	waited := a.ready != nil
	e.loading = a.pending != nil
	if e.loading {
		a.history = Mix(a.history, e.load(a))
	}
	e.resume(a)
	switch {
	case e.loading || a.begun != begun:
	case waited:
		a.history = Mix(a.history, 3)
	default:
		e.hasStored(a, p, step)
	}
	if a.solo++; a.begun != begun {
		a.solo = 0
	} else if a.solo > e.scenario.Steps {
		e.Failf("%s: its operation has no end: %d steps with everybody else standing still", a.Name, a.solo)
	}
	for _, b := range e.actors {
		if b != a {
			b.solo = 0
		}
	}
}

// load returns what the actor's next step will see.
func (e *engine[P]) load(a *Actor) uint64 {
	v, ok := loaded(a.pending)
	if !ok {
		e.Failf("%s loads a %T, which the explorer does not know", a.Name, a.pending)
	}
	if e.world.Seen != nil {
		v = e.world.Seen(a.pending, v)
	}
	return v
}

// hasStored notes a step that has tried to change the memory. At a milestone it
// forgets what came before.
func (e *engine[P]) hasStored(a *Actor, p P, step string) {
	changed := e.changed > 0
	if e.world.Milestone != nil {
		if m := e.world.Milestone(p, step, changed); m != 0 {
			a.history = Mix(e.handle(p), m)
			return
		}
	}
	if changed {
		a.history = Mix(a.history, 1)
	} else {
		a.history = Mix(a.history, 2)
	}
}

// kill ends an actor as SIGKILL does, and starts one that recovers what it leaves.
func (e *engine[P]) kill(a *Actor) {
	e.deaths--
	a.stop()
	a.ended, a.gone, a.pending, a.ready = true, true, nil, nil
	if e.world.Recover == nil {
		return
	}
	dead := a
	if a.Dead != nil {
		dead = a.Dead
	}
	e.start(&Actor{Name: "recoverer of " + dead.Name, Slot: len(e.scripts), Dead: dead})
}

// finish follows the end of an actor. A recovered slot is taken again, by one
// that goes on with the next operation of the dead one's script.
func (e *engine[P]) finish(a *Actor) {
	a.ended, a.gone, a.pending, a.ready = true, true, nil, nil
	d := a.Dead
	if d == nil || e.failure != "" {
		return
	}
	if e.world.Recovered != nil {
		e.world.Recovered(e.own[a.index])
	}
	if d.op+1 < len(d.script) || e.scenario.Forever {
		b := &Actor{Name: d.Name + " again", Slot: d.Slot, Earlier: d, script: d.script, op: d.op + 1}
		if e.scenario.Forever {
			b.op %= len(b.script)
		}
		e.start(b)
	}
}

// hash returns the state in 64 bits: what the memory holds, who lives, and what
// each has seen. Actors are told apart by their slot, not by when they came; who
// is gone matters no more.
func (e *engine[P]) hash() uint64 {
	h := uint64(e.deaths)
	if e.world.Fingerprint != nil {
		h = Mix(h, e.world.Fingerprint())
	} else {
		h = Mix(h, e.memory.sum)
	}
	all := uint64(0)
	for i, a := range e.actors {
		if a.gone {
			continue
		}
		// A recoverer is one for whom it recovers, because of who comes after.
		op, place := a.op, uint64(a.Slot)<<2
		if a.Dead != nil {
			op, place = a.Dead.op, uint64(a.Dead.Slot)<<2|1
		} else if a.begun == 0 {
			place |= 2 // still joining
		}
		n := Mix(Mix(place, uint64(op)), a.history)
		if e.world.Noted != nil {
			n = Mix(n, e.world.Noted(e.own[i]))
		}
		all += n
	}
	return Mix(h, all)
}
