package main

import "github.com/shmkit/shmkit/shm"

// States of a process beside those of the slot.
const (
	stateAlive   = "alive"
	stateStopped = "stopped"
	stateDead    = "dead"
	stateUnknown = "unknown"
)

// ownerOf describes the process of a slot. Only the slot's lock says whether it
// lives; the PID serves to look whether it is stopped, if it means the same
// process here.
func ownerOf(s shm.SlotInfo) owner {
	o := owner{Slot: s.Slot, PID: s.PID, State: stateDead, Command: s.Command, PIDNamespace: s.PIDNamespace}
	o.SamePIDs = s.PIDNamespace != 0 && s.PIDNamespace == myPIDNamespace()
	if s.Alive {
		o.State = stateAlive
		if o.SamePIDs && isStopped(s.PID, s.StartTime) {
			o.State = stateStopped
		}
	}
	return o
}

// An ownerTable finds owners by slot.
type ownerTable map[int]owner

func ownersOf(slots []shm.SlotInfo) ownerTable {
	t := make(ownerTable, len(slots))
	for _, s := range slots {
		t[s.Slot] = ownerOf(s)
	}
	return t
}

func (t ownerTable) of(slot int) owner {
	if o, ok := t[slot]; ok {
		return o
	}
	return owner{Slot: slot, State: stateUnknown}
}
