package ringqueue

import (
	"fmt"

	"github.com/shmkit/shmkit/internal/arena"
)

// ChunkSize is what the memory of a large record is a multiple of.
const ChunkSize = arena.ChunkSize

// CheckLarge checks the memory for large records: every block is free, or retired, or
// live and referred to by exactly one record, in the ring or outside. Nobody may be
// in the middle of anything. It returns how many are live, and how many chunks are
// not free.
func (r *Ring) CheckLarge() (live, used int, err error) {
	if r.large == nil {
		return 0, 0, nil
	}
	a := r.large.open()
	if a == nil {
		return 0, 0, nil
	}
	report := a.Fsck(func(visit func(ref uint64, what string) bool) {
		r.visit(func(p uint64, w word) {
			s := w.state()
			if !w.large() || s != reserved && s != committed && s != borrowed {
				return
			}
			if ref, ok := r.referenceAt(a, p); ok {
				visit(ref.ref, fmt.Sprintf("record at %d", p))
			} else {
				visit(0, fmt.Sprintf("record at %d", p))
			}
		})
		r.large.eachLease(a, func(ref uint64, w leaseWord) bool {
			if arena.State(a.HeadOf(ref).Load()) == arena.Live {
				visit(ref, fmt.Sprintf("lease %#x", uint64(w)))
			}
			return true
		})
	})
	if !report.OK() {
		err = fmt.Errorf("%d problems: %v", len(report.Problems), report.Problems)
	}
	return report.Live, report.Chunks - report.Holes - report.Unused, err
}

// PuttersWaiting returns how many goroutines of this handle wait for room.
func (r *Ring) PuttersWaiting() int { return r.put.gate.Waiting() }
