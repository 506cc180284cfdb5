//go:build faultpoints

package ringqueue

import (
	"fmt"
	"iter"
	"strings"
	"sync/atomic"
	"testing"
)

// An actor is a process that works through its script, or one that recovers a
// dead slot.
type actor struct {
	name    string
	slot    int
	dead    *actor // whom it recovers
	core    *core
	put     soleProducer
	get     soleConsumer
	script  []string
	op      int // index in the script
	begun   int // operations that it has begun
	seq     int // items that it has tried to put
	ended   bool
	judge   func() // what its operation, which has just ended, promises
	yield   func(struct{}) bool
	resume  func() (struct{}, bool)
	stop    func()
	step    string // that it is about to take
	pending any    // the word that it is about to load; nil before a store
	history uint64 // what it has seen since its operation began, or its last milestone
	stage   uint64 // which milestones it has passed
	solo    int    // steps in a row in one operation

	// What it did to the words, and what was true of them, since then.
	events              []event
	blocks, items       uint64 // what it wants room for
	sawNothing, sawFull bool
	unmarked            bool   // has requeued a record and not said so yet
	since               uint64 // tail when it began
}

// A world is one run: the memory, the actors, and what must be true.
type world struct {
	scenario
	t       testing.TB
	x       *explorer
	m       *ringMemory
	actors  []*actor
	deaths  int
	now     snapshot
	over    bool // a consumer was told that the queue has ended
	failure string
}

func newWorld(x *explorer) *world {
	s := x.s
	w := &world{scenario: s, t: x.t, x: x, m: newRingMemory(x.t, s.blocks, s.lapBits, s.start), deaths: s.deaths}
	w.m.g.mirror = s.mirror
	if s.mirror {
		w.m.data = make([]byte, 2*len(w.m.data))
	}
	for _, n := range s.prefill {
		c := w.coreOn(w.m, len(s.scripts))
		cl, _ := c.claimRecord(n)
		c.own(cl.pos, 1)[0] = 0xf0
		c.commit(cl, n)
	}
	w.now = w.snapshot()
	for i, script := range s.scripts {
		a := &actor{name: fmt.Sprintf("actor %d", i), slot: i, script: strings.Fields(script)}
		w.actors = append(w.actors, a)
		w.start(a)
	}
	return w
}

// start makes a coroutine of the actor and lets it come to its first access.
func (w *world) start(a *actor) {
	a.core = w.coreOn(w.m, a.slot)
	a.put, a.get = soleProducer{core: a.core}, soleConsumer{core: a.core}
	a.resume, a.stop = iter.Pull(func(yield func(struct{}) bool) {
		defer func() {
			if r := recover(); r != nil {
				if _, ok := r.(killed); !ok {
					panic(r)
				}
			}
		}()
		a.yield = yield
		w.live(a)
	})
	w.run(a)
}

// run lets the actor come to its next access, and checks what it does on the
// way.
func (w *world) run(a *actor) {
	for {
		w.x.running = a
		_, more := a.resume()
		w.x.running = nil
		before := w.now
		w.now = w.snapshot()
		if w.now != before {
			w.changed(a, before)
		}
		if a.judge == nil {
			if !more {
				a.ended = true
				w.finish(a)
			}
			return
		}
		a.judge()
		a.judge = nil
	}
}

// end ends all coroutines.
func (w *world) end() {
	for _, a := range w.actors {
		a.stop()
	}
}

// choices returns all that may happen next.
func (w *world) choices() (cs []choice) {
	for i, a := range w.actors {
		if !a.ended && !(w.rolling && w.tooLate(a)) {
			cs = append(cs, choice{actor: i})
		}
	}
	// To die before a load is to die before the next store, from the words'
	// point of view: so nobody does.
	if w.deaths > 0 {
		for i, a := range w.actors {
			if !a.ended && a.pending == nil {
				cs = append(cs, choice{i, true})
			}
		}
	}
	return cs
}

// tooLate tells whether the actor's step would bring the ring further on than
// the lap tags allow while another stands still: about 2^L - 1 laps. With
// two bits of tag that is soon; so others wait for it after two laps.
func (w *world) tooLate(a *actor) bool {
	for _, b := range w.actors {
		if b != a && !b.ended && after(w.now.tail.pos(), b.since) > int64(2*w.blocks) {
			return true
		}
	}
	return false
}

func (w *world) take(c choice) {
	a := w.actors[c.actor]
	if c.kill {
		w.kill(a)
		return
	}
	before, begun, step := w.now, a.begun, a.step
	switch p := a.pending.(type) {
	case *atomic.Uint64:
		a.history = mix(a.history, w.normal(p, p.Load()))
	case *atomic.Uint32:
		a.history = mix(a.history, uint64(p.Load()))
	}
	load := a.pending != nil
	w.run(a)
	if load && w.now.withoutData() != before.withoutData() {
		w.failf("%s: a load has changed a word", a.name)
	}
	if !load && a.begun == begun {
		if w.now != before {
			a.hasDone(w, step)
		} else {
			a.history = mix(a.history, 2)
		}
	}
	if a.solo++; a.begun != begun {
		a.solo = 0
	} else if a.solo > 1000 {
		w.failf("%s: its operation has no end", a.name)
	}
	for _, b := range w.actors {
		if b != a {
			b.solo = 0
		}
	}
}

// milestones are the steps of a member's operation after which the memory and
// the step say all that the operation still goes by: what it has claimed or
// borrowed is there, in its name. Ring.reclaim is one only after a claim, because
// before it the claim compares with what it has read.
var milestones = map[string]uint64{
	"ring.claim": 1, "ring.commit": 2, "ring.commit.inner": 3, "ring.abort": 4,
	"ring.borrow": 5, "ring.borrow.run": 6, "ring.borrow.again": 7,
	"ring.release": 8, "ring.release.run": 9, "ring.requeue": 10, "ring.mark": 11,
	"ring.reclaim": 12, "ring.sole.claim": 13, "ring.sole.borrow": 14, "ring.sole.borrow.run": 15,
}

// hasDone notes a step that has changed the memory. At a milestone it forgets
// what came before, so that states are one that differ in nothing else. Were a
// step wrongly among them, the search would see less, and report nothing that
// is not so.
func (a *actor) hasDone(w *world, step string) {
	m, ok := milestones[step]
	if !ok || a.dead != nil || step == "ring.reclaim" && a.blocks > 0 && a.stage == 0 {
		a.history = mix(a.history, 1)
		return
	}
	a.stage |= 1 << m
	a.history = mix(a.cached(w), a.stage<<8|m)
}

// kill ends an actor as SIGKILL does, and starts one that recovers its slot.
func (w *world) kill(a *actor) {
	w.deaths--
	a.stop()
	a.ended, a.pending = true, nil
	dead := a
	if a.dead != nil {
		dead = a.dead
	}
	j := &actor{name: "recoverer of " + dead.name, slot: len(w.scripts), dead: dead, script: []string{"recover"}, since: w.now.tail.pos()}
	w.actors = append(w.actors, j)
	w.start(j)
}

// finish follows the end of an actor. A recovered slot is taken again, by one
// that goes on with the next operation of the dead one's script.
func (w *world) finish(a *actor) {
	if a.dead == nil {
		return
	}
	d := a.dead
	a.dead = nil
	w.checkOwners(records(w, &w.now)) // nothing must name the slot any more
	if d.op+1 < len(d.script) || w.rolling {
		b := &actor{name: d.name + " again", slot: d.slot, script: d.script, op: d.op + 1, seq: d.seq + 4, since: w.now.tail.pos()}
		if w.rolling {
			b.op %= len(b.script)
		}
		w.actors = append(w.actors, b)
		w.start(b)
	}
}

func (w *world) failf(format string, args ...any) {
	if w.failure == "" {
		w.failure = fmt.Sprintf(format, args...)
	}
}

// hash returns the state in 64 bits.
func (w *world) hash() uint64 {
	h := mix(uint64(w.deaths), uint64(len(w.actors)))
	for i := range w.blocks {
		x := w.now.words[i]
		h = mix(h, uint64(x))
		if s := x.state(); s == committed || s == borrowed || x.claimed() {
			h = mix(h, uint64(w.now.data[i]))
		}
	}
	h = mix(h, w.normal(&w.m.tail, uint64(w.now.tail)))
	h = mix(h, w.normal(&w.m.consume, uint64(w.now.consume)))
	h = mix(h, w.normal(&w.m.reclaim, w.now.reclaim))
	h = mix(h, w.normal(&w.m.redeliver, w.now.redeliver))
	h = mix(h, w.normal(&w.m.dropped, w.now.dropped))
	h = mix(h, uint64(w.now.shutdown))
	for _, a := range w.actors {
		if a.ended && a.dead == nil {
			h = mix(h, 1)
			continue
		}
		h = mix(h, uint64(a.op)<<32|uint64(a.slot)<<16|uint64(a.seq%8)<<8|flags(a.ended, a.sawNothing, a.sawFull, a.unmarked, w.over))
		h = mix(h, a.history)
		if w.rolling {
			h = mix(h, w.normal(&w.m.reclaim, a.since))
		}
	}
	return h
}

// normal returns a loaded value with positions and counts reduced to what
// tells apart the states of a ring that goes on for ever: no actor is ever
// further behind than the lap tags reach.
func (w *world) normal(at *atomic.Uint64, v uint64) uint64 {
	if !w.rolling {
		return v
	}
	period := w.blocks << w.lapBits
	switch at {
	case &w.m.tail, &w.m.consume:
		return (v>>countBits%period)<<countBits | v%(4*w.blocks)
	case &w.m.reclaim:
		return v % period
	case &w.m.redeliver, &w.m.dropped:
		return v % 16
	}
	return v
}

func flags(bs ...bool) (n uint64) {
	for i, b := range bs {
		if b {
			n |= 1 << i
		}
	}
	return n
}

// mix is a step of a hash (the finalizer of MurmurHash3).
func mix(h, v uint64) uint64 {
	h = (h ^ v) + 0x9e3779b97f4a7c15
	h = (h ^ h>>33) * 0xff51afd7ed558ccd
	h = (h ^ h>>33) * 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}
