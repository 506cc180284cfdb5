//go:build unix

package ringqueue_test

import (
	"fmt"
	"strings"
)

// A recordState is where a record of the model is.
type recordState uint8

const (
	recReserved  recordState = iota
	recDoomed                // reserved after the shutdown: never committed
	recCommitted             // never delivered
	recHeld                  // by a consumer
	recAgain                 // given back: any consumer may take it, in any order
	recGone                  // consumed or discarded
)

func (s recordState) fresh() bool { return s <= recCommitted }

func (s recordState) reserved() bool { return s <= recDoomed }

type linearRecord struct {
	id         uint16
	state      recordState
	member     uint8 // who reserved it, or holds it; see inHand
	deliveries uint8
}

// inHand is added to the member of a record that it took in the operation that it
// was killed in.
const inHand = 1 << 7

// linearState is a state of the model, in the order of reservation. It is
// comparable, because the checker meets each state again and again.
type linearState struct {
	shut  uint8 // 0, 1: draining, 2: immediate
	role  [2]uint8
	dead  uint8 // members whose recovery has begun: they do nothing any more
	steps [linearMembers + 1]uint8
	ring  string // of records
}

const recordBytes = 5

func (s linearState) records() []linearRecord {
	rs := make([]linearRecord, 0, len(s.ring)/recordBytes+linearBatch)
	for i := 0; i < len(s.ring); i += recordBytes {
		rs = append(rs, linearRecord{uint16(s.ring[i])<<8 | uint16(s.ring[i+1]), recordState(s.ring[i+2]), s.ring[i+3], s.ring[i+4]})
	}
	return rs
}

// plays tells whether op's member has the role.
func (s linearState) plays(op linearStep, side int) bool {
	return s.role[side] == uint8(op.member)+1
}

// takeable returns the records that a consumer may take: those given back, and
// the first that was never taken, if it is committed.
func takeable(rs []linearRecord) (list []int) {
	first := true
	for i, r := range rs {
		if r.state == recAgain || first && r.state == recCommitted {
			list = append(list, i)
		}
		first = first && !r.state.fresh()
	}
	return list
}

// blockedAtHead tells whether the next record is being written.
func blockedAtHead(rs []linearRecord) bool {
	for _, r := range rs {
		if r.state.fresh() {
			return r.state.reserved()
		}
	}
	return false
}

func find(rs []linearRecord, id uint16) *linearRecord {
	for i := range rs {
		if rs[i].id == id {
			return &rs[i]
		}
	}
	return nil
}

func (s linearState) String() string {
	var b strings.Builder
	for _, r := range s.records() {
		fmt.Fprintf(&b, " %x%c", r.id, "rdcha-"[r.state])
		if r.deliveries > 0 {
			fmt.Fprintf(&b, "%d", r.deliveries)
		}
	}
	fmt.Fprintf(&b, " shut=%d roles=%v dead=%b", s.shut, s.role, s.dead)
	return b.String()
}
