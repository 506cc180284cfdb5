package main

import "time"

// The types of this file are what -o json prints. They are a contract: fields
// may be added, and values to those that are names; nothing else changes.
// Lists and maps are never null. Fields said to be null are there all the same.

// A summary is what a run has come to.
type summary struct {
	Mode       string        `json:"mode"`    // "queue", "pool" or "dict"
	Command    string        `json:"command"` // the command line to run it again
	Seed       uint64        `json:"seed"`
	Ended      string        `json:"ended"` // "duration", "interrupted" or "violation"
	Seconds    float64       `json:"seconds"`
	Violations []violation   `json:"violations"` // the first ones
	Violated   int           `json:"violated"`   // how many there are
	Evidence   *string       `json:"evidence"`   // directory; null if there is none
	Members    memberFigures `json:"members"`
	Queue      *queueFigures `json:"queue"` // null for others, as the next ones
	Pool       *poolFigures  `json:"pool"`
	Dict       *dictFigures  `json:"dict"`
}

// Why a run ended.
const (
	endedByTime      = "duration"
	endedByUser      = "interrupted"
	endedByViolation = "violation"
)

// memberFigures are what has been done to the member processes.
type memberFigures struct {
	Started    uint64         `json:"started"`
	Killed     uint64         `json:"killed"`      // from outside, at any instruction
	StepKilled uint64         `json:"step_killed"` // by themselves, at a crash point
	Stopped    uint64         `json:"stopped"`
	Steps      map[string]int `json:"steps"` // crash points at which they died
}

// queueFigures are what has passed a queue.
type queueFigures struct {
	PerSecond     float64      `json:"per_second"` // deliveries
	Put           uint64       `json:"put"`        // records put for sure
	PutInDoubt    uint64       `json:"put_in_doubt"`
	Taken         uint64       `json:"taken"`       // by gets
	Acked         uint64       `json:"acked"`       // deliveries and leases ended for good
	Nacked        uint64       `json:"nacked"`      // given back
	Redelivered   uint64       `json:"redelivered"` // delivered with an attempt above 1
	LostInGet     uint64       `json:"lost_in_get"` // taken by a get whose process was killed before it could tell
	LostInGetMost uint64       `json:"lost_in_get_most"`
	AckInDoubt    uint64       `json:"ack_in_doubt"` // gone with a process killed in its ack
	Unnoted       uint64       `json:"unnoted"`      // delivered to a process killed before it could tell, and again
	RoleWaits     uint64       `json:"role_waits"`   // times that a dead process's exclusive role was not free yet
	Pause         pauseFigures `json:"pause"`        // from a death to the next record taken by another
}

// poolFigures are what a pool's run has done.
type poolFigures struct {
	PerSecond     float64           `json:"per_second"`     // tasks
	Tasks         uint64            `json:"tasks"`          // that have ended
	Outcomes      map[string]uint64 `json:"outcomes"`       // of which: "result", "error", "panic", "worker died"
	Retried       uint64            `json:"retried"`        // runs again after a worker's death
	Restarts      uint64            `json:"restarts"`       // workers that replaced a dead one
	SelfInflicted uint64            `json:"self_inflicted"` // tasks made to end their worker
	Pause         pauseFigures      `json:"pause"`          // from a worker's death to the next task that ended
}

// dictFigures are what members have done with the dicts of a run.
type dictFigures struct {
	PerSecond  float64           `json:"per_second"` // operations
	Operations map[string]uint64 `json:"operations"` // by what they were for
	Changes    uint64            `json:"changes"`    // calls that changed something
	Entries    int               `json:"entries"`    // at the end, in all dicts
	Blocks     int               `json:"blocks"`     // of memory that they are in
	Bytes      int64             `json:"bytes"`      // of the blocks
	Pause      pauseFigures      `json:"pause"`      // from a death to the next change by another
}

// pauseFigures are durations in milliseconds.
type pauseFigures struct {
	Count  uint64  `json:"count"`
	Median float64 `json:"median_ms"`
	P99    float64 `json:"p99_ms"`
	Worst  float64 `json:"worst_ms"`
}

func figuresOf(h *histogram) pauseFigures {
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	return pauseFigures{Count: h.count, Median: ms(h.quantile(0.5)), P99: ms(h.quantile(0.99)), Worst: ms(h.worst)}
}
