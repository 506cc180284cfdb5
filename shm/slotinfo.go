package shm

import "time"

// A SlotState says what a process slot is used for.
type SlotState uint8

const (
	// SlotFree is a slot that nobody holds.
	SlotFree SlotState = iota
	// SlotLive is a slot whose process lives, be it stopped.
	SlotLive
	// SlotDead is a slot whose process is gone and that waits for its recovery.
	SlotDead
)

// String returns "free", "live" or "dead".
func (s SlotState) String() string {
	switch s {
	case SlotFree:
		return "free"
	case SlotLive:
		return "live"
	}
	return "dead"
}

// MarshalText returns what String does.
func (s SlotState) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// SlotInfo describes one process slot of a segment. All but State and Alive is
// what its process wrote down for people to read, and may be torn while a
// process joins or leaves.
type SlotInfo struct {
	Slot         int
	State        SlotState
	Alive        bool   // its liveness lock is held
	Generation   uint64 // how often the slot was taken so far
	PID          int    // in its own PID namespace
	StartTime    uint64 // clock ticks after boot; 0: unknown
	PIDNamespace uint64
	Joined       time.Time
	Command      string // the first 80 bytes
}

// SlotInfo describes a slot. The answer may be old when it is returned. The
// caller holds a use.
func (s *Segment) SlotInfo(i int) SlotInfo {
	if i == s.slot {
		return describe(s.table, i, func(int) bool { return true })
	}
	return describe(s.table, i, s.isHeld)
}

func (s *Segment) isHeld(slot int) bool {
	held, _ := s.live.held(slot)
	return held
}

func describe(table []slot, i int, held func(int) bool) SlotInfo {
	t := &table[i]
	info := SlotInfo{
		Slot:         i,
		Generation:   t.generation.Load(),
		PID:          int(t.pid.Load()),
		StartTime:    t.start.Load(),
		PIDNamespace: t.pidNS.Load(),
		Command:      t.commandText(),
	}
	if ns := t.joined.Load(); ns != 0 {
		info.Joined = time.Unix(0, int64(ns))
	}
	if t.state.Load() == slotFree {
		return info
	}
	info.State = SlotDead
	if held(i) {
		info.State, info.Alive = SlotLive, true
	}
	return info
}
