//go:build unix

package ringqueue_test

import (
	"fmt"
	"hash/maphash"

	"github.com/anishathalye/porcupine"
)

// A linearModel is the sequential queue that histories are checked against. It
// is what the package's documentation promises, and no more: an operation that
// the documentation does not call atomic is several steps here. A Put reserves
// and commits, and in between it holds up those behind it; GetMany takes one item
// after the other; what a dead process held comes back record by record.
type linearModel struct {
	maxItems    int  // 0: unbounded
	records     int  // how many the ring has room for, taken ones included; 0: more than a history puts
	maxAttempts int  // deliveries of an item
	soleProd    bool // exclusive roles
	soleCons    bool
	order       *takeOrder // of the history in hand
}

// A stepKind is an atomic step of the model.
type stepKind uint8

const (
	stepReserve   stepKind = iota // append the items, not yet readable
	stepCommit                    // make them readable
	stepPut                       // both at once
	stepAbort                     // discard what was reserved
	stepFull                      // find no room for one item
	stepRefused                   // find the queue shut down, on a put; discards what was reserved
	stepTake                      // take an item, and hold it
	stepGet                       // take an item for good
	stepEnd                       // let go of an item for good
	stepNack                      // give an item back
	stepEmpty                     // find nothing to take
	stepOver                      // find the queue shut down and empty
	stepShutdown                  // shut it down
	stepLen                       // count what can be taken
	stepEnter                     // take an exclusive role
	stepRoleTaken                 // find it taken
	stepLeave                     // close: give up a role
	stepSettle                    // recover one record of a dead member
	stepDrop                      // recover a role
)

var stepNames = [...]string{"reserve", "commit", "put", "abort", "full", "refused", "take", "get", "end", "nack", "empty",
	"over", "shutdown", "len", "enter", "role taken", "leave", "settle", "drop"}

// A linearStep is one step of an operation.
type linearStep struct {
	kind   stepKind
	member int
	// serial orders the steps of a member, which may share an interval: 1, 2, …;
	// -1 for those that only their intervals order.
	serial int
	// maybe is set for steps of a killed operation, and for those that leave no
	// result: they were carried out or not.
	maybe bool
	// early is set when the operation was called before Shutdown had returned: it
	// may have looked at the flag before.
	early bool
	// late is set for a reservation that may be made after Shutdown, to be
	// discarded.
	late bool
	// underway is set for a sole producer's put, which may end as if nothing had
	// happened if Shutdown comes in the middle of it.
	underway bool
	ids      []uint16 // for a take of a killed operation none: anything
	n        int      // of stepLen, and of stepShutdown the flag
	attempt  int      // of stepTake; 0: unknown
	side     int      // of steps about roles: sideProducer, sideConsumer
}

const (
	sideProducer = iota
	sideConsumer
)

// with returns s with these records, without those that make no difference any
// more.
func (m *linearModel) with(s linearState, rs []linearRecord) linearState {
	b := make([]byte, 0, len(rs)*recordBytes)
	waiting := false // a fresh record stands before
	for _, r := range rs {
		waiting = waiting || r.state.fresh()
		switch {
		case r.state != recGone:
		case m.records > 0 && len(b) > 0: // its room is free when all before it is
		case m.maxItems > 0 && waiting: // it takes one place until those before it are taken
		default:
			continue
		}
		if r.state == recGone {
			r = linearRecord{state: recGone} // whatever it was
		}
		b = append(b, byte(r.id>>8), byte(r.id), byte(r.state), r.member, r.deliveries)
	}
	s.ring = string(b)
	return s
}

// step returns the states that op may lead to, none if it can't be.
func (m *linearModel) step(s linearState, op linearStep) []linearState {
	if op.serial > 0 {
		if s.steps[op.member]++; int(s.steps[op.member]) != op.serial {
			return nil
		}
	}
	if !op.maybe {
		return m.effect(s, op)
	}
	if s.dead>>op.member&1 != 0 {
		return []linearState{s}
	}
	return append(m.effect(s, op), s)
}

// effect is step for an op that is carried out.
func (m *linearModel) effect(s linearState, op linearStep) []linearState {
	rs := s.records()
	switch op.kind {
	case stepReserve, stepPut:
		if s.shut != 0 && !op.late && !(op.underway && op.early) || !m.room(rs, len(op.ids), recCommitted) || m.soleProd && !s.plays(op, sideProducer) {
			return nil
		}
		for _, id := range op.ids {
			if !m.order.allows(rs, id) {
				return nil
			}
			r := linearRecord{id: id, state: recReserved, member: uint8(op.member)}
			switch {
			case op.kind == stepPut:
				r.state, r.member = recCommitted, 0
			case s.shut != 0 && op.late:
				r.state = recDoomed
			}
			rs = append(rs, r)
		}
	case stepCommit:
		for _, id := range op.ids {
			r := find(rs, id)
			if r == nil || r.state != recReserved {
				return nil
			}
			r.state, r.member = recCommitted, 0
		}
	case stepAbort:
		for _, id := range op.ids {
			r := find(rs, id)
			if r == nil || r.state != recReserved {
				return nil
			}
			r.state = recGone
		}
	case stepFull:
		// Discarded items may count, and so may those that are delivered again.
		if s.shut != 0 && !op.early || m.room(rs, 1, recGone) {
			return nil
		}
	case stepRefused:
		if s.shut == 0 {
			return nil
		}
		for _, id := range op.ids {
			if r := find(rs, id); r != nil && r.state.reserved() {
				r.state = recGone
			}
		}
	case stepTake, stepGet:
		return m.take(s, rs, op)
	case stepEnd, stepNack:
		r := m.heldBy(rs, op)
		if r == nil {
			return nil
		}
		if op.kind == stepNack {
			m.giveBack(r)
		} else {
			r.state = recGone
		}
	case stepEmpty:
		if len(takeable(rs)) > 0 || !op.early && (s.shut == 2 || s.shut == 1 && !blockedAtHead(rs)) {
			return nil
		}
	case stepOver:
		if s.shut == 0 || s.shut == 1 && (len(takeable(rs)) > 0 || blockedAtHead(rs)) {
			return nil
		}
	case stepShutdown:
		s.shut = max(s.shut, uint8(op.n))
	case stepLen:
		n := 0
		for _, r := range rs {
			if s.shut < 2 && (r.state == recCommitted || r.state == recAgain) {
				n++
			}
		}
		if n != op.n {
			return nil
		}
	case stepEnter:
		if h := s.role[op.side]; h != 0 && h != uint8(op.member)+1 {
			return nil
		}
		s.role[op.side] = uint8(op.member) + 1
	case stepRoleTaken:
		if h := s.role[op.side]; h == 0 || h == uint8(op.member)+1 {
			return nil
		}
	case stepLeave, stepDrop:
		if op.kind == stepDrop {
			s.dead |= 1 << op.member
		}
		if s.plays(op, op.side) {
			s.role[op.side] = 0
		}
	case stepSettle:
		s.dead |= 1 << op.member
		m.settle(rs, uint8(op.member))
	}
	return []linearState{m.with(s, rs)}
}

// room tells whether k more items fit. Fresh records count against MaxItems, and
// if all is recGone what else is there, too.
func (m *linearModel) room(rs []linearRecord, k int, all recordState) bool {
	n := 0
	for _, r := range rs {
		if r.state.fresh() || all == recGone && r.state != recHeld {
			n++
		}
	}
	return (m.maxItems == 0 || n+k <= m.maxItems) && (m.records == 0 || len(rs)+k <= m.records)
}

// take lets op take the next item, or one that is delivered again.
func (m *linearModel) take(s linearState, rs []linearRecord, op linearStep) (next []linearState) {
	if s.shut == 2 && !op.early || m.soleCons && !s.plays(op, sideConsumer) {
		return nil
	}
	for _, i := range takeable(rs) {
		r := rs[i]
		if len(op.ids) > 0 && r.id != op.ids[0] || op.attempt > 0 && op.attempt != int(r.deliveries)+1 {
			continue
		}
		taken := append([]linearRecord(nil), rs...)
		taken[i] = linearRecord{r.id, recHeld, uint8(op.member), r.deliveries + 1}
		if len(op.ids) == 0 { // killed in it
			taken[i].member |= inHand
			next = append(next, m.with(s, taken))
		}
		if op.kind == stepGet {
			taken[i].state = recGone
		}
		if op.kind == stepGet || len(op.ids) > 0 {
			next = append(next, m.with(s, taken))
		}
	}
	return next
}

// heldBy returns the record that op ends: the one it names, or the first that
// its member has in hand.
func (m *linearModel) heldBy(rs []linearRecord, op linearStep) *linearRecord {
	for i := range rs {
		r := &rs[i]
		if r.state != recHeld || r.member&^inHand != uint8(op.member) {
			continue
		}
		if len(op.ids) > 0 && r.id == op.ids[0] || len(op.ids) == 0 && r.member&inHand != 0 {
			return r
		}
	}
	return nil
}

// giveBack returns a held record to the queue, unless it was delivered often
// enough.
func (m *linearModel) giveBack(r *linearRecord) {
	r.state, r.member = recAgain, 0
	if int(r.deliveries) >= m.maxAttempts {
		r.state = recGone
	}
}

// settle recovers the first record of a dead member. An extent is one record
// until it is committed.
func (m *linearModel) settle(rs []linearRecord, member uint8) {
	for i := range rs {
		r := &rs[i]
		switch {
		case r.member&^inHand != member:
		case r.state == recHeld:
			m.giveBack(r)
			return
		case r.state.reserved():
			for ; i < len(rs) && rs[i].member == member && rs[i].state.reserved(); i++ {
				rs[i].state = recGone
			}
			return
		}
	}
}

var linearHash = maphash.MakeSeed()

// checker returns the model as the checker wants it.
func (m *linearModel) checker() porcupine.Model {
	nm := porcupine.NondeterministicModel{
		Init: func() []any { return []any{linearState{}} },
		Step: func(state, input, _ any) (next []any) {
			for _, s := range m.step(state.(linearState), input.(linearStep)) {
				next = append(next, s)
			}
			return next
		},
		Hash:              func(state any) uint64 { return maphash.Comparable(linearHash, state.(linearState)) },
		DescribeOperation: func(input, _ any) string { return input.(linearStep).String() },
		DescribeState:     func(state any) string { return state.(linearState).String() },
	}
	return nm.ToModel()
}

func (op linearStep) String() string {
	s := stepNames[op.kind]
	for _, id := range op.ids {
		s += fmt.Sprintf(" %x", id)
	}
	if op.maybe {
		s += " (maybe)"
	}
	return s
}
