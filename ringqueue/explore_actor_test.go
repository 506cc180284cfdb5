//go:build faultpoints

package ringqueue

import (
	"fmt"
	"testing"

	"github.com/shmkit/shmkit/internal/explore"
)

// An actor is a process at a ring, and what its operation has been seen to do.
type actor struct {
	*explore.Actor
	core  *core
	put   soleProducer
	get   soleConsumer
	seq   int    // items that it has tried to put
	stage uint64 // which milestones it has passed

	// What it did to the words, and what was true of them, since its operation began.
	events              []event
	blocks, items       uint64 // what it wants room for
	sawNothing, sawFull bool
	unmarked            bool   // has requeued a record and not said so yet
	since               uint64 // tail when it began
}

// A world is the memory, the actors of a run, and what must be true.
type world struct {
	scenario
	run    *explore.Run
	m      *ringMemory
	actors []*actor
	now    snapshot
	over   bool // a consumer was told that the queue has ended
}

func newWorld(t testing.TB, s scenario) *world {
	w := &world{scenario: s, m: newRingMemory(t, s.blocks, s.lapBits, s.start)}
	w.m.g.mirror = s.mirror
	if s.mirror {
		w.m.data = make([]byte, 2*len(w.m.data))
	}
	for _, n := range s.prefill {
		c := w.core(len(s.scripts))
		cl, _ := c.claimRecord(n)
		c.own(cl.pos, 1)[0] = 0xf0
		c.commit(cl, n)
	}
	return w
}

// core returns the ring as the process in the slot sees it.
func (w *world) core(slot int) *core {
	c := w.m.core(slot)
	c.maxItems, c.poison = w.maxItems, w.poison
	return c
}

func (w *world) reset(r *explore.Run) {
	w.run, w.actors, w.over = r, w.actors[:0], false
	w.now = w.snapshot()
}

func (w *world) start(e *explore.Actor) *actor {
	a := &actor{Actor: e, core: w.core(e.Slot)}
	a.put, a.get = soleProducer{core: a.core}, soleConsumer{core: a.core}
	if e.Dead != nil || e.Earlier != nil {
		a.since = w.now.tail.pos()
	}
	if e.Dead != nil {
		a.seq = w.of(e.Dead).seq
	} else if e.Earlier != nil {
		a.seq = w.of(e.Earlier).seq + 4
	}
	w.actors = append(w.actors, a)
	return a
}

// of returns what the world knows of an actor.
func (w *world) of(e *explore.Actor) *actor {
	for _, a := range w.actors {
		if a.Actor == e {
			return a
		}
	}
	panic("an actor of another run")
}

// join takes over the roles that the slot has.
func (w *world) join(a *actor) {
	if w.isSoleProducer(a) && a.put.takeOver() != done {
		a.Failf("%s can't take the producer's role over", a.Name)
	}
	if w.isSoleConsumer(a) {
		a.get.takeOver()
	}
}

func (w *world) isSoleProducer(a *actor) bool { return w.soleProducer && a.Slot == 0 }
func (w *world) isSoleConsumer(a *actor) bool { return w.soleConsumer && a.Slot == len(w.scripts)-1 }

func (w *world) recover(a *actor) {
	for whole := false; !whole; {
		_, whole = a.core.recover(a.Dead.Slot)
	}
}

// begin forgets what was noted about the actor's last operation.
func (w *world) begin(a *actor, name string) {
	op := operations[name]
	a.blocks, a.items = op.blocks, op.items
	a.since = w.now.tail.pos()
	a.events = a.events[:0]
	a.sawNothing, a.sawFull = false, false
	a.stage = 0
	w.look(a, records(w, &w.now))
}

// cached returns what the actor's handle remembers of the cursors.
func (w *world) cached(a *actor) (h uint64) {
	if w.isSoleProducer(a) {
		h = explore.Mix(h, w.normal(&w.m.tail, uint64(a.put.at)))
		h = explore.Mix(h, w.normal(&w.m.reclaim, a.put.limit))
		h = explore.Mix(h, w.normal(&w.m.consume, uint64(a.put.seen)))
	}
	if w.isSoleConsumer(a) {
		h = explore.Mix(h, w.normal(&w.m.consume, uint64(a.get.at)))
	}
	return h
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

// milestone returns which of them the actor has passed, the last one included.
func (w *world) milestone(a *actor, step string, changed bool) uint64 {
	m, ok := milestones[step]
	if !ok || !changed || a.Dead != nil || step == "ring.reclaim" && a.blocks > 0 && a.stage == 0 {
		return 0
	}
	a.stage |= 1 << m
	return a.stage<<8 | m
}

// tooLate tells whether the actor's step would bring the ring further on than
// the lap tags allow while another stands still: about 2^L - 1 laps. With
// two bits of tag that is soon; so others wait for it after two laps.
func (w *world) tooLate(a *actor) bool {
	if !w.rolling {
		return false
	}
	for _, b := range w.actors {
		if b != a && !b.Ended() && after(w.now.tail.pos(), b.since) > int64(2*w.blocks) {
			return true
		}
	}
	return false
}

// fingerprint returns the memory, and what the queue has promised, in 64 bits.
func (w *world) fingerprint() (h uint64) {
	for i := range w.blocks {
		x := w.now.words[i]
		h = explore.Mix(h, uint64(x))
		if s := x.state(); s == committed || s == borrowed || x.claimed() {
			h = explore.Mix(h, uint64(w.now.data[i]))
		}
	}
	h = explore.Mix(h, w.normal(&w.m.tail, uint64(w.now.tail)))
	h = explore.Mix(h, w.normal(&w.m.consume, uint64(w.now.consume)))
	h = explore.Mix(h, w.normal(&w.m.reclaim, w.now.reclaim))
	h = explore.Mix(h, w.normal(&w.m.redeliver, w.now.redeliver))
	h = explore.Mix(h, w.normal(&w.m.dropped, w.now.dropped))
	return explore.Mix(h, uint64(w.now.shutdown)<<1|flags(w.over))
}

// noted returns what the judgement of the actor's operation will go by.
func (w *world) noted(a *actor) uint64 {
	h := uint64(a.seq%8)<<8 | flags(a.sawNothing, a.sawFull, a.unmarked)
	if w.rolling {
		h = explore.Mix(h, w.normal(&w.m.reclaim, a.since))
	}
	return h
}

// normal returns a loaded value with positions and counts reduced to what
// tells apart the states of a ring that goes on for ever: no actor is ever
// further behind than the lap tags reach.
func (w *world) normal(at any, v uint64) uint64 {
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

// format prints a word in the terms of a ring.
func (w *world) format(region string, v uint64) string {
	switch region {
	case "words":
		return word(v).String()
	case "tail", "consume":
		return fmt.Sprintf("%d+%d", cursor(v).pos(), cursor(v).count())
	}
	return fmt.Sprintf("%#x", v)
}
