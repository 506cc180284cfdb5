//go:build unix

package ringqueue_test

import (
	"slices"

	"github.com/anishathalye/porcupine"
)

// A testimony is what one member of a history says, and how it ended.
type testimony struct {
	events []event

	killed bool
	// It died after it was last seen alive, and before its parent had collected it.
	alive, reaped int64
}

// A linearHistory is what all members of a round say; the last is the parent, who
// shuts down, recovers the dead and takes what is left.
type linearHistory struct {
	model     *linearModel
	members   []testimony
	recovered int64 // all that the dead held has been given back before this moment

	shut int64 // when Shutdown had returned; 0: never called
	ops  []porcupine.Operation
}

// operations turns the testimonies into operations of the checker, one for each
// step of the model. An operation that was killed may take effect until its
// process is known to be dead, or never; what it held comes back between its death
// and the end of the recovery.
func (h *linearHistory) operations() []porcupine.Operation {
	h.ops, h.shut = nil, 0
	h.model.order = newTakeOrder(h.members)
	for _, m := range h.members {
		for _, e := range m.events {
			if e.kind == opShutdown {
				h.shut = e.ret
			}
		}
	}
	for i, m := range h.members {
		w := &witness{h: h, member: i, death: m, serial: 1}
		for _, e := range m.events {
			w.event(e)
		}
		if m.killed {
			w.bury()
		}
	}
	return h.ops
}

// observed tells whether somebody found nothing to take, or no room, in an interval
// that meets [from, to]: only then does it matter that a put reserves before it
// commits, or is refused.
func (h *linearHistory) observed(from, to int64) bool {
	for _, m := range h.members {
		for _, e := range m.events {
			found := e.said == saidEmpty || e.said == saidFull || e.said == saidShutdown && e.kind.takes()
			if found && e.call <= to && e.ret >= from {
				return true
			}
		}
	}
	return false
}

// taken tells whether members have taken the items before they ended, or may
// have: then a put that Shutdown overtook has not put them where nobody looks any
// more.
func (h *linearHistory) taken(ids []uint16) bool {
	n := 0
	for _, m := range h.members[:linearMembers] {
		if m.killed {
			return true
		}
		for _, e := range m.events {
			for _, id := range e.items {
				if e.kind.takes() && slices.Contains(ids, id) {
					n++
				}
			}
		}
	}
	return n >= len(ids)
}

// A witness translates one member's testimony.
type witness struct {
	h      *linearHistory
	member int
	death  testimony

	serial  int     // of the next step, from 1 on
	entered [2]bool // the roles it has taken
	open    int     // records that it holds for sure, or may hold
}

// add appends a step to the history.
func (w *witness) add(from, to int64, s linearStep) {
	s.member = w.member
	s.early = w.h.shut != 0 && from <= w.h.shut
	w.h.ops = append(w.h.ops, porcupine.Operation{ClientId: w.member, Input: s, Call: from, Return: to})
}

// event appends the steps of one operation.
func (w *witness) event(e event) {
	to, killed := e.ret, e.ret == 0
	if killed {
		to = w.death.reaped
	}
	do := func(s linearStep) {
		if s.serial == 0 {
			s.serial = w.serial
			w.serial++
		}
		s.maybe = s.maybe || killed
		w.add(e.call, to, s)
	}
	if side, sole := w.side(e.kind); sole {
		if e.said == saidRoleTaken {
			do(linearStep{kind: stepRoleTaken, side: side})
			return
		}
		if !w.entered[side] {
			w.entered[side] = true
			do(linearStep{kind: stepEnter, side: side})
		}
	}
	switch {
	case e.kind.puts():
		w.put(e, to, do)
	case e.kind.takes():
		w.take(e, do)
	case e.kind == opClose: // it gives up one role after the other
		for side, entered := range w.entered {
			if entered {
				do(linearStep{kind: stepLeave, side: side, serial: -1})
			}
		}
	default:
		kind := map[opKind]stepKind{opCommit: stepCommit, opAbort: stepAbort, opAck: stepEnd, opNack: stepNack, opLen: stepLen,
			opShutdown: stepShutdown}[e.kind]
		do(linearStep{kind: kind, ids: e.items, n: e.got})
		if kind <= stepNack && !killed {
			w.open--
		}
	}
}

// side returns which role an operation needs, if there is such.
func (w *witness) side(k opKind) (side int, sole bool) {
	if k.puts() {
		return sideProducer, w.h.model.soleProd
	}
	return sideConsumer, w.h.model.soleCons && k.takes()
}

// put appends the steps of an operation that puts.
func (w *witness) put(e event, to int64, do func(linearStep)) {
	n := e.got
	if e.ret == 0 {
		n = e.asked
	}
	// Without a bound there is always room for all at once. With one a batch is
	// put in as many extents as the room requires: in the model item by item, but
	// for each only the commit must come after the reservation.
	each, commit := e.asked, linearStep{kind: stepCommit}
	if w.h.model.maxItems > 0 || w.h.model.records > 0 {
		each, commit.serial = 1, -1
	}
	// A sole producer's Put reserves nothing, its Reserve does. When the queue was
	// shut down meanwhile it takes back what nobody has taken, the last item first,
	// and may be killed in the middle of that.
	reserves := !w.h.model.soleProd || e.kind == opReserve
	if !reserves && e.ret == 0 && w.h.shut != 0 {
		each = 1
	}
	split := e.ret == 0 || e.kind == opReserve || w.h.observed(e.call, to)
	for ids := range slices.Chunk(e.items[:n], each) {
		underway := !reserves && (e.ret == 0 || w.h.taken(ids))
		if !split {
			do(linearStep{kind: stepPut, ids: ids, underway: underway})
			continue
		}
		do(linearStep{kind: stepReserve, ids: ids, underway: underway, late: e.ret == 0 && reserves})
		if e.kind != opReserve {
			commit.ids = ids
			do(commit)
		}
		if e.ret == 0 || e.kind == opReserve {
			w.open++
		}
	}
	switch rest := e.items[n:]; e.said {
	case saidFull:
		do(linearStep{kind: stepFull})
	case saidShutdown:
		// It may have reserved before it looked at the flag, and so have held up
		// those who found nothing to take, or no room, then.
		if reserves && split {
			for ids := range slices.Chunk(rest, each) {
				do(linearStep{kind: stepReserve, ids: ids, maybe: true, late: true})
			}
		}
		do(linearStep{kind: stepRefused, ids: rest})
	}
}

// take appends the steps of an operation that takes.
func (w *witness) take(e event, do func(linearStep)) {
	switch {
	case e.ret == 0:
		// What it has let go of makes a difference only where that makes room.
		kind := stepGet
		if e.kind == opReceive || w.h.model.records > 0 {
			kind = stepTake
		}
		for range e.asked {
			do(linearStep{kind: kind})
			w.open++
		}
		for range e.asked {
			if e.kind != opReceive && w.h.model.records > 0 {
				do(linearStep{kind: stepEnd})
			}
		}
	case e.kind == opReceive && e.said == saidOK:
		do(linearStep{kind: stepTake, ids: e.items, attempt: e.attempt})
		w.open++
	case w.h.model.records > 0: // what is taken fills the ring until it is let go
		for i := range e.items {
			do(linearStep{kind: stepTake, ids: e.items[i : i+1]})
		}
		for i := range e.items {
			do(linearStep{kind: stepEnd, ids: e.items[i : i+1]})
		}
	default:
		for i := range e.items {
			do(linearStep{kind: stepGet, ids: e.items[i : i+1]})
		}
	}
	switch e.said {
	case saidEmpty:
		do(linearStep{kind: stepEmpty})
	case saidShutdown:
		do(linearStep{kind: stepOver})
	}
}

// bury appends the steps of a dead member's recovery.
func (w *witness) bury() {
	for range w.open {
		w.add(w.death.alive, w.h.recovered, linearStep{kind: stepSettle, serial: w.serial})
		w.serial++
	}
	for side, entered := range w.entered {
		if entered {
			w.add(w.death.alive, w.h.recovered, linearStep{kind: stepDrop, side: side, serial: -1})
		}
	}
}
