package main

import (
	"slices"

	"github.com/shmkit/shmkit/ringqueue"
	"github.com/shmkit/shmkit/shm"
)

// surveyQueue reads a queue and the slots that its records name. A slot may be
// given up and taken by another process between the two readings, and nobody
// should be blamed, or killed, for what another one holds: so it reads the slots
// before and after, again until they agree, and leaves out those that don't.
func surveyQueue(i *shm.Inspection) (*ringqueue.Report, []shm.SlotInfo, error) {
	const tries = 10
	before := i.Slots()
	for n := 1; ; n++ {
		r, err := ringqueue.Inspect(i)
		if err != nil {
			return nil, before, err
		}
		after := i.Slots()
		same := steady(before, after)
		if len(same) == len(after) || n == tries {
			return r, same, nil
		}
		before = after
	}
}

// steady returns those slots of after that are the same process's in before.
func steady(before, after []shm.SlotInfo) []shm.SlotInfo {
	return slices.DeleteFunc(slices.Clone(after), func(s shm.SlotInfo) bool {
		return !slices.ContainsFunc(before, func(b shm.SlotInfo) bool {
			return b.Slot == s.Slot && b.Generation == s.Generation && b.PID == s.PID
		})
	})
}

// queueOf is what the report says in the words of the contract.
func queueOf(r *ringqueue.Report, owners ownerTable) *queue {
	q := &queue{
		Capacity:       r.Capacity,
		Used:           r.Used,
		MaxRecord:      r.MaxRecord,
		MaxItems:       r.MaxItems,
		MaxAttempts:    r.MaxAttempts,
		SingleProducer: r.SingleProducer,
		SingleConsumer: r.SingleConsumer,
		Shutdown:       r.Shutdown,
		Ready:          r.Ready,
		Again:          r.Again,
		Reserved:       r.Reserved,
		Borrowed:       r.Borrowed,
		Held:           []held{},
		producer:       r.Producer,
		consumer:       r.Consumer,
	}
	for _, h := range r.Oldest {
		q.Held = append(q.Held, held{h.State, h.Bytes, h.Attempt, h.Behind, owners.of(h.Slot)})
	}
	for i := range q.Held {
		switch h := &q.Held[i]; {
		case h.State == "reserved" && q.OldestReserved == nil:
			q.OldestReserved = h
		case h.State == "borrowed" && q.OldestBorrowed == nil:
			q.OldestBorrowed = h
		}
	}
	return q
}

// rolesOf returns the exclusive roles of a slot; none for what is no queue.
func (q *queue) rolesOf(slot int) []string {
	roles := []string{}
	if q != nil && q.producer == slot {
		roles = append(roles, "producer")
	}
	if q != nil && q.consumer == slot {
		roles = append(roles, "consumer")
	}
	return roles
}

// effect says what comes of it that the record is held, and what can be done.
func (h *held) effect() string {
	reserved := h.State == "reserved"
	switch h.Owner.State {
	case stateStopped:
		if reserved {
			return "consumers can't pass its record; continue it (kill -CONT), or kill it: then the record is dropped"
		}
		return "its record's room can't be reused; continue it (kill -CONT), or kill it: then the record is delivered again"
	case stateDead:
		if reserved {
			return "its record is dropped as soon as a process that has the queue open looks"
		}
		return "its record is delivered again as soon as a process that has the queue open looks"
	case stateUnknown:
		return "it has just left; look again"
	}
	if reserved {
		return "consumers can't pass its record until it commits"
	}
	return "its record's room can't be reused until it is done with it"
}
