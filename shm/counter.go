package shm

import "sync/atomic"

// A Counter names one of the counters that each process slot has in the file.
// They are never reset, so the totals only grow.
type Counter int

// Counters of the producer's side, which share a cache line of the slot.
const (
	Puts      Counter = iota // records committed
	BytesIn                  // bytes committed
	FullWaits                // times a producer had to wait for room
	PutWakes                 // times a producer woke consumers
	Aborts                   // reservations given up
)

// Counters of the consumer's side, on another line.
const (
	Gets        Counter = iota + 16 // records taken
	BytesOut                        // bytes taken
	EmptyWaits                      // times a consumer had to wait for a record
	GetWakes                        // times a consumer woke producers
	Redelivered                     // records given back to be taken again
	DeadLetters                     // records given up after too many attempts
	Discarded                       // records of dead producers thrown away
	Recoveries                      // dead slots recovered
	TasksDone                       // records reported as finished
)

const numCounters = 32

var counterNames = [numCounters]string{
	Puts: "puts", BytesIn: "bytes-in", FullWaits: "full-waits", PutWakes: "put-wakes", Aborts: "aborts",
	Gets: "gets", BytesOut: "bytes-out", EmptyWaits: "empty-waits", GetWakes: "get-wakes",
	Redelivered: "redelivered", DeadLetters: "dead-letters", Discarded: "discarded",
	Recoveries: "recoveries", TasksDone: "tasks-done",
}

// String returns the counter's name as shmctl prints it; "" for an unknown one.
func (c Counter) String() string {
	if c < 0 || c >= numCounters {
		return ""
	}
	return counterNames[c]
}

// Counters returns all counters that have a name, in the file's order.
func Counters() []Counter {
	var cs []Counter
	for c, name := range counterNames {
		if name != "" {
			cs = append(cs, Counter(c))
		}
	}
	return cs
}

// Counter returns this handle's word of a counter, in the mapping. Only this
// process writes it. The pointer may be kept, and used while a use is held.
func (s *Segment) Counter(c Counter) *atomic.Uint64 { return &s.table[s.slot].counters[c] }

// CounterOf returns a slot's word of a counter, in the mapping. Reading it is
// always allowed; writing it is for the slot's owner and its recoverer, unless
// the kind has a protocol of its own for that word.
func (s *Segment) CounterOf(slot int, c Counter) *atomic.Uint64 { return &s.table[slot].counters[c] }

// Total returns the sum of a counter over all slots. The words are read one
// after the other while their owners go on.
func (s *Segment) Total(c Counter) uint64 { return total(s.table, c) }

func total(table []slot, c Counter) uint64 {
	var sum uint64
	for i := range table {
		sum += table[i].counters[c].Load()
	}
	return sum
}
