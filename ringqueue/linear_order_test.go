//go:build unix

package ringqueue_test

import "slices"

// A takeOrder is what a history tells about the order in which items were
// reserved, long before the checker gets to where they are taken. Two puts that
// overlap can be in either order, and a wrong guess shows only when the items come
// out: with a queue that grows long the checker would try all the orders of
// everything in between. So the model asks here before it appends an item.
//
// An item whose first delivery came after another's was put after it. A take that
// returned need not be the first: others may have held the item before and died, or
// given it back. Who gave what back is known, but not which item was in the hands
// of an operation that was killed: so many contradictions are let pass.
type takeOrder struct {
	takes map[uint16]interval // of the items that somebody got
	again map[uint16]bool     // items that may have been delivered before
	spare int                 // items that killed operations may have held
}

type interval struct{ call, ret int64 }

func newTakeOrder(members []testimony) *takeOrder {
	o := &takeOrder{takes: map[uint16]interval{}, again: map[uint16]bool{}}
	for _, m := range members {
		var held []uint16 // received and not acknowledged
		for _, e := range m.events {
			if e.kind.takes() && e.ret == 0 {
				o.spare += e.asked
			}
			if e.kind.takes() {
				for _, id := range e.items {
					o.again[id] = o.again[id] || e.attempt > 1
					o.took(id, e)
				}
			}
			switch {
			case e.kind == opReceive && e.said == saidOK && e.ret != 0:
				held = append(held, e.items[0])
			case e.kind == opNack:
				o.again[e.items[0]] = true
			case e.kind == opAck && e.ret != 0:
				held = slices.DeleteFunc(held, func(id uint16) bool { return id == e.items[0] })
			}
		}
		for _, id := range held {
			o.again[id] = true
		}
	}
	return o
}

// took notes that an operation returned the item. Of several the first counts.
func (o *takeOrder) took(id uint16, e event) {
	if t, ok := o.takes[id]; !ok || e.ret < t.ret {
		o.takes[id] = interval{e.call, e.ret}
	}
}

// allows tells whether an item can be put behind these records.
func (o *takeOrder) allows(rs []linearRecord, id uint16) bool {
	taken, ok := o.takes[id]
	if !ok {
		return true
	}
	wrong := 0
	for _, r := range rs {
		if t, ok := o.takes[r.id]; ok && r.state.fresh() && !o.again[r.id] && t.call > taken.ret {
			wrong++
		}
	}
	return wrong <= o.spare
}
