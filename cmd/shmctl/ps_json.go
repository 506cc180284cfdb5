package main

import "time"

// Like those of json.go, the types of this file are a contract.

// A processList is what ps prints, and one line of ps --watch.
type processList struct {
	Dir       string    `json:"dir"`
	Time      time.Time `json:"time"`
	Processes []proc    `json:"processes"` // each after its parent; else by age, the oldest first
}

// A proc is a process that uses segments, or a parent or child of one, or, with --all, any
// that package process has started. The system tells about those of shmctl's user and PID
// namespace, on Linux; of others only PID, State, Command, SamePIDs, Uses and
// Holds are known, and the rest is zero.
type proc struct {
	PID    int `json:"pid"`    // in its own PID namespace
	Parent int `json:"parent"` // PID of the parent, if that is in the list; else 0
	// State is "running" (or waiting for a processor), "blocked", "stopped" or "zombie"; where the
	// system does not tell, "alive" or "dead".
	State      string     `json:"state"`
	Name       string     `json:"name"` // of a child: the first 15 bytes; else ""
	Command    string     `json:"command"`
	Depth      int        `json:"depth"`       // of a child: how deep it is nested, from 1; else 0
	Orphan     bool       `json:"orphan"`      // it is a child whose parent has died
	CPUSeconds float64    `json:"cpu_seconds"` // processor time
	CPUPercent float64    `json:"cpu_percent"` // 100: one processor; since its start, or the last line of --watch
	Memory     int64      `json:"memory"`      // bytes resident, what it shares with others included
	Threads    int        `json:"threads"`
	Started    *time.Time `json:"started"`
	SamePIDs   bool       `json:"same_pids"` // its PID namespace is shmctl's
	Uses       []string   `json:"uses"`      // names of the segments that it has open
	Waits      []wait     `json:"waits"`
	Holds      []holding  `json:"holds"`

	started uint64 // clock ticks after boot
}

// A wait is what threads of a process sleep for. Those that spin are not seen; nor is
// any, where shmctl may not look into the process.
type wait struct {
	Segment string `json:"segment"`
	For     string `json:"for"` // "record", "room" or "idle" (Join) of a queue, "dict lock" of a manager; else "change"
	Threads int    `json:"threads"`
}

// A holding is what a process has of a segment that others may have to wait for.
type holding struct {
	Segment   string   `json:"segment"`
	Roles     []string `json:"roles"`      // of a queue: "producer", "consumer"
	Reserved  int      `json:"reserved"`   // of its 16 oldest records held: being written
	Borrowed  int      `json:"borrowed"`   // of the same: being read
	DictLocks int      `json:"dict_locks"` // of a manager: those under which the entries of its dicts change
	Task      string   `json:"task"`       // of a pool: the function that it runs; "": none
}

func (h *holding) none() bool {
	return len(h.Roles) == 0 && h.Reserved == 0 && h.Borrowed == 0 && h.DictLocks == 0 && h.Task == ""
}
