//go:build unix

package ringqueue_test

import (
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
)

// said makes a history of operations by hand: "MEMBER CALL RETURN KIND VERDICT",
// and what follows.
type said struct {
	member    int
	call, ret int64 // ret 0: killed
	kind      opKind
	verdict   verdict
	items     []uint16
	n         int // attempt of Receive, length of Len, kind of shutdown
}

// byHand makes a history of what members said; those that were killed are
// recovered at 1000.
func byHand(m linearModel, list []said) *linearHistory {
	if m.maxAttempts == 0 {
		m.maxAttempts = 16
	}
	h := &linearHistory{model: &m, members: make([]testimony, linearMembers+1), recovered: 1000}
	for _, s := range list {
		t := &h.members[s.member]
		e := event{kind: s.kind, said: s.verdict, items: s.items, asked: max(len(s.items), 1), call: s.call, ret: s.ret}
		switch {
		case s.kind == opReceive:
			e.attempt, e.got = s.n, len(s.items)
		case s.kind == opLen || s.kind == opShutdown:
			e.got = s.n
		case s.ret != 0 && s.verdict == saidOK:
			e.got = len(s.items)
		}
		if s.ret == 0 {
			t.killed, t.alive, t.reaped = true, s.call, s.call+100
		}
		t.events = append(t.events, e)
	}
	return h
}

func judge(h *linearHistory, patience time.Duration) porcupine.CheckResult {
	return porcupine.CheckOperationsTimeout(h.model.checker(), h.operations(), patience)
}

// TestLinearizableByHand shows that the checker tells good histories from bad
// ones: each bad one is a good one with one thing changed.
func TestLinearizableByHand(t *testing.T) {
	ok, full, empty, over := saidOK, saidFull, saidEmpty, saidShutdown
	put := func(member int, call, ret int64, ids ...uint16) said {
		k := opPut
		if len(ids) > 1 {
			k = opPutMany
		}
		return said{member, call, ret, k, ok, ids, 0}
	}
	get := func(member int, call, ret int64, ids ...uint16) said {
		k := opTryGet
		if len(ids) > 1 {
			k = opGetMany
		}
		return said{member, call, ret, k, ok, ids, 0}
	}
	none := func(member int, call, ret int64, v verdict) said {
		if v == full {
			return said{member, call, ret, opTryPut, v, []uint16{99}, 0}
		}
		return said{member, call, ret, opTryGet, v, nil, 0}
	}
	receive := func(member int, call, ret int64, id uint16, attempt int) said {
		return said{member, call, ret, opReceive, ok, []uint16{id}, attempt}
	}
	end := func(member int, call, ret int64, k opKind, id uint16) said {
		return said{member, call, ret, k, ok, []uint16{id}, 0}
	}
	count := func(call, ret int64, n int) said { return said{6, call, ret, opLen, ok, nil, n} }
	shutdown := func(call, ret int64, n int) said { return said{6, call, ret, opShutdown, ok, nil, n} }
	killed := func(member int, call int64, k opKind, ids ...uint16) said {
		return said{member, call, 0, k, ok, ids, 0}
	}

	bounded, small := linearModel{maxItems: 2}, linearModel{records: 2}
	twice, sole := linearModel{maxAttempts: 2}, linearModel{soleProd: true, soleCons: true}
	for _, c := range []struct {
		name  string
		model linearModel
		want  porcupine.CheckResult
		said  []said
	}{
		{"in order", linearModel{}, porcupine.Ok, []said{put(0, 1, 2, 1), put(0, 3, 4, 2), get(1, 5, 6, 1), get(1, 7, 8, 2), none(1, 9, 10, empty)}},
		{"reordered", linearModel{}, porcupine.Illegal, []said{put(0, 1, 2, 1), put(0, 3, 4, 2), get(1, 5, 6, 2), get(1, 7, 8, 1)}},
		{"puts that overlap", linearModel{}, porcupine.Ok, []said{put(0, 1, 4, 1), put(1, 2, 3, 2), get(1, 5, 6, 2), get(1, 7, 8, 1)}},
		{"lost", linearModel{}, porcupine.Illegal, []said{put(0, 1, 2, 1), put(0, 3, 4, 2), get(1, 5, 6, 2), none(1, 7, 8, empty)}},
		{"duplicated", linearModel{}, porcupine.Illegal, []said{put(0, 1, 2, 1), get(0, 3, 4, 1), get(1, 5, 6, 1)}},
		{"invented", linearModel{}, porcupine.Illegal, []said{put(0, 1, 2, 1), get(0, 3, 4, 7)}},
		{"taken before it was put", linearModel{}, porcupine.Illegal, []said{get(1, 1, 2, 1), put(0, 3, 4, 1)}},
		{"stale empty", linearModel{}, porcupine.Illegal, []said{put(0, 1, 2, 1), none(1, 3, 4, empty), get(1, 5, 6, 1)}},
		{"empty while it is put", linearModel{}, porcupine.Ok, []said{put(0, 1, 4, 1), none(1, 2, 3, empty), get(1, 5, 6, 1)}},
		{"empty behind one that is being put", linearModel{}, porcupine.Ok, []said{put(0, 1, 9, 1), put(1, 2, 3, 2), none(1, 4, 5, empty), get(1, 10, 11, 1), get(1, 12, 13, 2)}},
		{"empty behind one that was put later", linearModel{}, porcupine.Illegal, []said{put(0, 4, 9, 1), put(1, 1, 2, 2), none(1, 5, 6, empty), get(1, 10, 11, 2), get(1, 12, 13, 1)}},
		{"overtaken in its reservation", linearModel{}, porcupine.Illegal, []said{{0, 1, 2, opReserve, ok, []uint16{1}, 0}, put(1, 3, 4, 2), get(1, 5, 6, 2), end(0, 7, 8, opCommit, 1)}},
		{"aborted", linearModel{}, porcupine.Ok, []said{{0, 1, 2, opReserve, ok, []uint16{1}, 0}, put(1, 3, 4, 2), end(0, 5, 6, opAbort, 1), get(1, 7, 8, 2)}},
		{"aborted and taken", linearModel{}, porcupine.Illegal, []said{{0, 1, 2, opReserve, ok, []uint16{1}, 0}, end(0, 5, 6, opAbort, 1), get(1, 7, 8, 1)}},
		{"batch at once", linearModel{}, porcupine.Ok, []said{put(0, 1, 9, 1, 2), get(1, 2, 3, 1), get(1, 4, 5, 2)}},
		{"half a batch", linearModel{}, porcupine.Illegal, []said{put(0, 1, 9, 1, 2), get(1, 2, 3, 1), none(1, 4, 5, empty), get(1, 6, 7, 2)}},
		{"torn batch", linearModel{}, porcupine.Illegal, []said{put(0, 1, 4, 1, 2), put(1, 1, 4, 3), get(1, 5, 6, 1), get(1, 7, 8, 3), get(1, 9, 10, 2)}},
		{"batch taken in the wrong order", linearModel{}, porcupine.Illegal, []said{put(0, 1, 2, 1, 2), get(1, 3, 4, 2, 1)}},
		{"full", bounded, porcupine.Ok, []said{put(0, 1, 2, 1), put(0, 3, 4, 2), none(1, 5, 6, full), get(1, 7, 8, 1), put(0, 9, 10, 3)}},
		{"full with room", bounded, porcupine.Illegal, []said{put(0, 1, 2, 1), none(1, 5, 6, full)}},
		{"more than fits", bounded, porcupine.Illegal, []said{put(0, 1, 2, 1), put(0, 3, 4, 2), put(0, 5, 6, 3)}},
		{"full of what is held", small, porcupine.Ok, []said{put(0, 1, 2, 1), receive(1, 3, 4, 1, 1), put(0, 5, 6, 2), none(0, 7, 8, full), end(1, 9, 10, opAck, 1), put(0, 11, 12, 3)}},
		{"full though it was let go", small, porcupine.Illegal, []said{put(0, 1, 2, 1), receive(1, 3, 4, 1, 1), put(0, 5, 6, 2), end(1, 7, 8, opAck, 1), none(0, 9, 10, full)}},
		{"length", linearModel{}, porcupine.Ok, []said{put(0, 1, 2, 1, 2), count(3, 4, 2)}},
		{"wrong length", linearModel{}, porcupine.Illegal, []said{put(0, 1, 2, 1, 2), count(3, 4, 1)}},

		{"given back", linearModel{}, porcupine.Ok, []said{put(0, 1, 2, 1, 2), receive(1, 3, 4, 1, 1), end(1, 5, 6, opNack, 1), receive(1, 7, 8, 2, 1), receive(1, 9, 10, 1, 2)}},
		{"given back and not counted", linearModel{}, porcupine.Illegal, []said{put(0, 1, 2, 1), receive(1, 3, 4, 1, 1), end(1, 5, 6, opNack, 1), receive(1, 7, 8, 1, 1)}},
		{"given back and lost", linearModel{}, porcupine.Illegal, []said{put(0, 1, 2, 1), receive(1, 3, 4, 1, 1), end(1, 5, 6, opNack, 1), none(1, 7, 8, empty)}},
		{"acknowledged and delivered again", linearModel{}, porcupine.Illegal, []said{put(0, 1, 2, 1), receive(1, 3, 4, 1, 1), end(1, 5, 6, opAck, 1), receive(1, 7, 8, 1, 2)}},
		{"robbed", linearModel{}, porcupine.Illegal, []said{put(0, 1, 2, 1), receive(1, 3, 4, 1, 1), receive(2, 5, 6, 1, 2), end(1, 7, 8, opAck, 1)}},
		{"dead letter", twice, porcupine.Ok, []said{put(0, 1, 2, 1), receive(1, 3, 4, 1, 1), end(1, 5, 6, opNack, 1), receive(1, 7, 8, 1, 2), end(1, 9, 10, opNack, 1), none(1, 11, 12, empty)}},
		{"delivered once too often", twice, porcupine.Illegal, []said{put(0, 1, 2, 1), receive(1, 3, 4, 1, 1), end(1, 5, 6, opNack, 1), receive(1, 7, 8, 1, 2), end(1, 9, 10, opNack, 1), receive(1, 11, 12, 1, 3)}},

		{"killed put that took effect", linearModel{}, porcupine.Ok, []said{killed(0, 1, opPut, 1), get(1, 2, 3, 1)}},
		{"killed put that did not", linearModel{}, porcupine.Ok, []said{killed(0, 1, opPut, 1), put(1, 2, 3, 2), none(1, 4, 5, empty), get(1, 6, 7, 2)}},
		{"killed put that took effect after its death", linearModel{}, porcupine.Illegal, []said{killed(0, 1, opPut, 1), put(1, 200, 201, 2), get(1, 202, 203, 2), get(1, 204, 205, 1)}},
		{"killed put that blocks for ever", linearModel{}, porcupine.Illegal, []said{killed(0, 1, opPut, 1), put(1, 2, 3, 2), none(1, 1001, 1002, empty)}},
		{"killed half a batch", linearModel{}, porcupine.Illegal, []said{killed(0, 1, opPutMany, 1, 2), get(1, 2, 3, 1), none(1, 4, 5, empty), get(1, 6, 7, 2)}},
		{"killed get that took it along", linearModel{}, porcupine.Ok, []said{put(0, 1, 2, 1), killed(1, 3, opGet), none(0, 1001, 1002, empty)}},
		{"killed get that gave it back late", linearModel{}, porcupine.Ok, []said{put(0, 1, 2, 1, 2), killed(1, 3, opGet), get(0, 4, 5, 2), none(0, 6, 7, empty), get(0, 1001, 1002, 1)}},
		{"killed get that took two along", linearModel{}, porcupine.Illegal, []said{put(0, 1, 2, 1, 2), killed(1, 3, opGet), none(0, 1001, 1002, empty)}},
		{"killed get of what was put after its death", linearModel{}, porcupine.Illegal, []said{killed(1, 3, opGet), put(0, 200, 201, 1), none(0, 202, 203, empty)}},
		{"killed receive that took it along", linearModel{}, porcupine.Illegal, []said{put(0, 1, 2, 1), killed(1, 3, opReceive), none(0, 1001, 1002, empty)}},
		{"killed receive that counted", linearModel{}, porcupine.Ok, []said{put(0, 1, 2, 1), killed(1, 3, opReceive), receive(0, 1001, 1002, 1, 2)}},
		{"killed holder", linearModel{}, porcupine.Ok, []said{put(0, 1, 2, 1), receive(1, 3, 4, 1, 1), killed(1, 5, opTryGet), receive(0, 7, 8, 1, 2)}},
		{"killed holder that was not counted", linearModel{}, porcupine.Illegal, []said{put(0, 1, 2, 1), receive(1, 3, 4, 1, 1), killed(1, 5, opAck, 1), receive(0, 7, 8, 1, 1)}},
		{"killed holder whose item is lost", linearModel{}, porcupine.Illegal, []said{put(0, 1, 2, 1), receive(1, 3, 4, 1, 1), killed(1, 5, opNack, 1), none(0, 1001, 1002, empty)}},

		{"drained", linearModel{}, porcupine.Ok, []said{put(0, 1, 2, 1), shutdown(3, 4, 1), get(1, 7, 8, 1), none(1, 9, 10, over)}},
		{"shut down with an item left", linearModel{}, porcupine.Illegal, []said{put(0, 1, 2, 1), shutdown(3, 4, 1), none(1, 5, 6, over), get(1, 7, 8, 1)}},
		{"empty instead of shut down", linearModel{}, porcupine.Illegal, []said{shutdown(3, 4, 1), none(1, 5, 6, empty)}},
		{"put after shutdown", linearModel{}, porcupine.Illegal, []said{shutdown(3, 4, 1), put(0, 5, 6, 1)}},
		{"full after shutdown", bounded, porcupine.Illegal, []said{put(0, 1, 2, 1, 2), shutdown(3, 4, 1), none(1, 5, 6, full)}},
		{"stranded by a put that overlapped", linearModel{}, porcupine.Illegal, []said{put(0, 1, 9, 1), shutdown(2, 3, 1), none(1, 4, 5, over), get(1, 10, 11, 1)}},
		{"sole put that overlapped, taken", linearModel{soleProd: true}, porcupine.Ok, []said{put(0, 1, 9, 1), shutdown(2, 3, 1), none(1, 4, 5, over), get(2, 10, 11, 1)}},
		{"sole put that overlapped, stranded", linearModel{soleProd: true}, porcupine.Illegal, []said{put(0, 1, 9, 1), shutdown(2, 3, 1), none(1, 4, 5, over), get(6, 10, 11, 1)}},
		{"sole put after shutdown", linearModel{soleProd: true}, porcupine.Illegal, []said{shutdown(2, 3, 1), put(0, 4, 9, 1), get(2, 10, 11, 1)}},
		{"sole batch, killed while it is taken back", linearModel{soleProd: true}, porcupine.Ok, []said{killed(0, 1, opPutMany, 1, 2, 3), shutdown(2, 3, 1), get(1, 4, 5, 1), none(1, 6, 7, over)}},
		{"shared batch, killed, in parts", linearModel{}, porcupine.Illegal, []said{killed(0, 1, opPutMany, 1, 2, 3), shutdown(2, 3, 1), get(1, 4, 5, 1), none(1, 6, 7, over)}},
		{"taken by a get that overlapped shutdown now", linearModel{}, porcupine.Ok, []said{put(0, 1, 2, 1), shutdown(3, 4, 2), none(2, 5, 6, over), get(1, 3, 8, 1)}},
		{"blocked by a batch that is refused", linearModel{maxItems: 2}, porcupine.Ok, []said{{0, 1, 9, opPutMany, over, []uint16{1, 2, 3}, 0}, put(1, 1, 3, 4), shutdown(4, 5, 1), none(2, 6, 7, empty), get(2, 10, 11, 4)}},
		{"full of what is refused", linearModel{maxItems: 2}, porcupine.Ok, []said{{0, 1, 9, opPutMany, over, []uint16{1, 2}, 0}, none(1, 2, 3, full), shutdown(4, 5, 1)}},
		{"taken after shutdown now", linearModel{}, porcupine.Illegal, []said{put(0, 1, 2, 1), shutdown(3, 4, 2), get(1, 5, 6, 1)}},

		{"role taken", sole, porcupine.Ok, []said{put(0, 1, 2, 1), {1, 3, 4, opPut, saidRoleTaken, []uint16{2}, 0}, {0, 5, 6, opClose, ok, nil, 0}, put(1, 7, 8, 2)}},
		{"two producers", sole, porcupine.Illegal, []said{put(0, 1, 2, 1), put(1, 3, 4, 2)}},
		{"role taken by nobody", sole, porcupine.Illegal, []said{{1, 3, 4, opPut, saidRoleTaken, []uint16{2}, 0}}},
		{"role of the dead", sole, porcupine.Ok, []said{put(0, 1, 2, 1), killed(0, 3, opPut, 2), put(1, 50, 51, 3)}},
		{"role kept by the dead", sole, porcupine.Illegal, []said{put(0, 1, 2, 1), killed(0, 3, opPut, 2), {1, 1001, 1002, opPut, saidRoleTaken, []uint16{3}, 0}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := byHand(c.model, c.said)
			if got := judge(h, time.Minute); got != c.want {
				t.Errorf("%v, want %v:\n%v", got, c.want, h)
			}
		})
	}
}

// TestLinearizableMutated takes real histories, in which nobody was killed, and
// changes what was said: the checker must see each change.
func TestLinearizableMutated(t *testing.T) {
	s := newLinearStage(t)
	s.spare = true
	seen := map[string]int{}
	enough := func() bool {
		for name := range mutations {
			if seen[name] < 3 {
				return false
			}
		}
		return true
	}
	for seed := uint64(1); !enough(); seed++ {
		if seed > 200 {
			t.Fatalf("200 histories gave an occasion only for %v", seen)
		}
		h := s.play(t, 0, seed)
		if got := judge(h, linearPatience); got == porcupine.Illegal {
			t.Fatalf("%v before a change:\n%v", got, h)
		} else if got == porcupine.Unknown {
			continue
		}
		for name, mutate := range mutations {
			undo := mutate(h)
			if undo == nil {
				continue
			}
			switch got := judge(h, linearPatience); got {
			case porcupine.Illegal:
				seen[name]++
			case porcupine.Ok:
				t.Errorf("%s: %v:\n%v", name, got, h)
			}
			undo()
		}
	}
	t.Logf("seen through: %v", seen)
}

// mutations change one history and return how to undo it, nil where there is no
// occasion.
var mutations = map[string]func(h *linearHistory) (undo func()){
	// Two takes, one after the other, of items put one after the other, swapped.
	"swapped": func(h *linearHistory) func() {
		a, b := h.successive()
		if a == nil {
			return nil
		}
		swap := func() { *a, *b = *b, *a }
		swap()
		return swap
	},
	// What was taken is taken again.
	"duplicated": func(h *linearHistory) func() {
		a, b := h.successive()
		if a == nil {
			return nil
		}
		was := *b
		*b = *a
		return func() { *b = was }
	},
	// Something was taken that nobody has put.
	"invented": func(h *linearHistory) func() {
		a, _ := h.successive()
		if a == nil {
			return nil
		}
		was := *a
		*a = 0xffff
		return func() { *a = was }
	},
	// An item that is taken at last was not there before.
	"stale empty": func(h *linearHistory) func() {
		last := &h.members[linearMembers]
		for i := range last.events {
			if e := &last.events[i]; e.kind == opTryGet && e.said == saidOK {
				was := *e
				e.said, e.got, e.items = saidEmpty, 0, nil
				return func() { *e = was }
			}
		}
		return nil
	},
}

// successive returns two items where they were taken: the first was put before
// the second was begun to be put, and so it was with taking them.
func (h *linearHistory) successive() (first, second *uint16) {
	type trace struct {
		put, take interval
		at        *uint16
	}
	traces := map[uint16]*trace{}
	for _, m := range h.members {
		for _, e := range m.events {
			for i, id := range e.items {
				t := traces[id]
				if t == nil {
					t = new(trace)
					traces[id] = t
				}
				switch {
				case e.kind.puts() && e.kind != opReserve && i < e.got:
					t.put = interval{e.call, e.ret}
				case e.kind.takes():
					t.take, t.at = interval{e.call, e.ret}, &e.items[i]
				}
			}
		}
	}
	for _, a := range traces {
		for _, b := range traces {
			if a.at != nil && b.at != nil && a.put.ret != 0 && a.put.ret < b.put.call && a.take.ret < b.take.call {
				return a.at, b.at
			}
		}
	}
	return nil, nil
}
