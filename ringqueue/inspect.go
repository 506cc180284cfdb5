package ringqueue

import (
	"fmt"

	"github.com/shmkit/shmkit/shm"
)

// A Report is a queue as seen from outside, by reading its file and nothing
// else. The queue goes on meanwhile: the figures need not belong to the same
// moment. It is what shmctl shows.
type Report struct {
	Capacity  int // bytes
	MaxRecord int // bytes
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
	Behind  int // records after it in the ring
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
	r.Ready, r.Reserved, r.Borrowed, r.Again, r.Used = 0, 0, 0, 0, 0
	r.Oldest = r.Oldest[:0]
	records := 0
	whole = v.visit(func(_ uint64, w word) {
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
			}
		case w.state() == borrowed:
			r.Borrowed++
			held.State = "borrowed"
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
	if r.Shutdown == "immediate" {
		r.Ready, r.Again = 0, 0
	}
	return whole
}
