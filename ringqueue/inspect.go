package ringqueue

import (
	"fmt"

	"github.com/shmkit/shmkit/internal/arena"
	"github.com/shmkit/shmkit/shm"
)

// A Report is a queue as seen from outside, by reading its file and nothing
// else. The queue goes on meanwhile: the figures need not belong to the same
// moment. It is what shmctl shows.
type Report struct {
	Capacity  int // bytes
	MaxRecord int // bytes
	MaxLarge  int // bytes for records by reference; 0: there are none
	MaxItems  int // 0: as many as fit
	// MaxAttempts is how often a record is delivered; 0: without limit.
	MaxAttempts                    int
	SingleProducer, SingleConsumer bool
	// Producer and Consumer are the slots that hold the exclusive roles; -1: none.
	Producer, Consumer int
	// Shutdown is "", "draining" or "immediate".
	Shutdown string

	Ready    int // records that can be taken
	Reserved int // records being written
	Borrowed int // records being read
	Again    int // of the ready ones, those delivered before
	Used     int // bytes of the ring in use, with what waits for reclaim
	Large    int // bytes in use for records by reference

	// Oldest are the oldest reserved and borrowed records, which is where
	// somebody holds the queue up; at most 16.
	Oldest []Held
}

// Held is a record that a process holds.
type Held struct {
	Slot    int    // who
	State   string // "reserved" or "borrowed"
	Bytes   int
	Attempt int // 1 for the first delivery
	Behind  int // records after it in the ring; 0 for one that has left the ring
}

// Inspect reads the queue in a file opened with [shm.Inspect]. It writes nothing
// and takes no slot and no lock. The error is [ErrKind] for another kind of
// segment, [ErrLayout] for another version's, [ErrCorrupt] for impossible values.
func Inspect(i *shm.Inspection) (*Report, error) {
	info := i.Info()
	if info.Kind != Kind {
		return nil, &Error{Op: "inspect", Queue: info.Name, Err: fmt.Errorf("%w: a %s", ErrKind, info.Kind)}
	}
	if info.Layout != layoutVersion {
		return nil, &Error{Op: "inspect", Queue: info.Name, Err: fmt.Errorf("%w: %d, want %d", ErrLayout, info.Layout, layoutVersion)}
	}
	v, err := viewOf(i.Body(), false, -1)
	if err != nil {
		return nil, &Error{Op: "inspect", Queue: info.Name, Err: err}
	}
	r, err := v.report()
	if err != nil {
		return nil, &Error{Op: "inspect", Queue: info.Name, Err: err}
	}
	return r, nil
}

func (v *view) report() (*Report, error) {
	r := &Report{
		Capacity:       int(v.blocks) * blockSize,
		MaxRecord:      int(v.maxRecord),
		MaxItems:       int(v.maxItems),
		MaxAttempts:    int(v.poison),
		SingleProducer: v.modes&modeSoleProducer != 0,
		SingleConsumer: v.modes&modeSoleConsumer != 0,
		Producer:       int(v.hdr.producer.Load()) - 1,
		Consumer:       int(v.hdr.consumer.Load()) - 1,
		Shutdown:       [...]string{"", "draining", "immediate"}[min(v.hdr.shutdown.Load(), shutdownNow)],
	}
	if v.large != nil {
		r.MaxLarge = len(v.large.leases) * arena.ChunkSize
	}
	for range maxWalks {
		if v.survey(r) {
			return r, nil
		}
	}
	return nil, fmt.Errorf("%w: the ring overtook %d walks", ErrCorrupt, maxWalks)
}

// survey fills in what a walk over the words tells.
func (v *view) survey(r *Report) (whole bool) {
	const most = 16
	r.Ready, r.Reserved, r.Borrowed, r.Again, r.Used, r.Large = 0, 0, 0, 0, 0, 0
	r.Oldest = r.Oldest[:0]
	records := 0
	whole = v.visit(func(p uint64, w word) {
		records++
		r.Used += int(w.blocks()) * blockSize
		held := Held{Slot: w.owner(), Bytes: int(w.length()), Attempt: int(w.attempt()) + 1, Behind: records}
		switch {
		case w.state() == committed:
			r.Ready++
			if w.attempt() > 0 {
				r.Again++
			}
			return
		case w.claimed():
			r.Reserved += int(w.items())
			held.State = "reserved"
			if w.state() == reservedBatch {
				held.Bytes = int(w.blocks()) * blockSize
			} else if w.large() {
				held.Bytes = v.largeBytes(p)
			}
		case w.state() == borrowed:
			if w.large() && v.leasedFrom(p, w) {
				return // it is just leaving, and counts below
			}
			r.Borrowed++
			held.State = "borrowed"
			if w.large() {
				held.Bytes = v.largeBytes(p)
			}
		default:
			return
		}
		if len(r.Oldest) < most {
			r.Oldest = append(r.Oldest, held)
		}
	})
	for i := range r.Oldest {
		r.Oldest[i].Behind = records - r.Oldest[i].Behind
	}
	v.surveyLarge(r, most)
	if r.Shutdown == "immediate" {
		r.Ready, r.Again = 0, 0
	}
	return whole
}

// largeBytes returns the size of the record by reference at p; 0 if there is none.
func (v *view) largeBytes(p uint64) int {
	if v.large == nil {
		return 0
	}
	a := v.large.open()
	ref, ok := v.referenceAt(a, p)
	if !ok {
		return 0
	}
	b, _ := v.large.bytes(a, ref.ref)
	return len(b)
}

// surveyLarge adds the records that have left the ring, at most most of them by name.
func (v *view) surveyLarge(r *Report, most int) {
	if v.large == nil {
		return
	}
	a := v.large.open()
	if a == nil {
		return
	}
	r.Large = a.Used()
	v.large.eachLease(a, func(ref uint64, w leaseWord) bool {
		switch {
		case w.state() == returned:
			r.Ready++
			r.Again++
		case arena.State(a.HeadOf(ref).Load()) == arena.Live:
			r.Borrowed++
			if len(r.Oldest) < most {
				b, _ := v.large.bytes(a, ref)
				r.Oldest = append(r.Oldest, Held{Slot: w.owner(), State: "borrowed", Bytes: len(b), Attempt: int(w.attempt()) + 1})
			}
		}
		return true
	})
}
