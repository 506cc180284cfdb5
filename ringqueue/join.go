package ringqueue

import (
	"context"
	"sync/atomic"

	"github.com/shmkit/shmkit/internal/fault"
	"github.com/shmkit/shmkit/internal/futex"
	"github.com/shmkit/shmkit/shm"
)

// TaskDone says that an item which Get returned has been worked on. Items are
// counted by process: if this handle's are all done, one of another handle's
// is. The error is [ErrTaskDone] when nobody has one open. Received items are
// done by Ack.
func (q *Queue[T]) TaskDone() error { return q.r.taskDone() }

// Join waits until every item has been taken and is done, which for a received
// item is its Ack. The items of a process that died do not count, those of one
// that is stopped do. The error is the context's.
func (q *Queue[T]) Join(ctx context.Context) error { return q.r.join(ctx) }

func (r *Ring) taskDone() error {
	if err := r.seg.Acquire(); err != nil {
		return r.wrap("task done", err)
	}
	defer r.seg.Release()
	for i := range r.seg.Slots() {
		slot := (r.me + i) % r.seg.Slots() // mine first
		if finishOne(r.home.counter(slot, shm.Gets), r.home.counter(slot, shm.TasksDone)) {
			futex.Notify(&r.hdr.idle)
			return nil
		}
	}
	return r.wrap("task done", ErrTaskDone)
}

// finishOne counts one more finished item, unless all are.
func finishOne(taken, finished *atomic.Uint64) bool {
	for {
		f := finished.Load()
		if f >= taken.Load() {
			return false
		}
		fault.Point("ring.done")
		if finished.CompareAndSwap(f, f+1) {
			return true
		}
	}
}

// joinWait is a Join that waits.
type joinWait struct{ r *Ring }

// Ready says that it can't be told cheaply.
func (joinWait) Ready() bool { return true }

// Try looks whether all is done: first whether records are open, then whether
// taken items are. A record counts as taken before it stops being open.
func (w joinWait) Try() (bool, error) {
	r := w.r
	if r.closed.Load() {
		return false, r.wrap("join", ErrClosed)
	}
	dropped := r.core.loadShutdown() == shutdownNow
	if !r.settled(dropped) {
		return false, nil
	}
	// Now those that left the ring, which they don't come back to.
	if r.large != nil {
		if taken, waiting := r.large.census(); taken > 0 || waiting > 0 && !dropped {
			return false, nil
		}
	}
	for slot := range r.seg.Slots() {
		taken := r.home.counter(slot, shm.Gets).Load()
		if r.home.counter(slot, shm.TasksDone).Load() < taken {
			return false, nil
		}
	}
	return true, nil
}

// Slice recovers whoever died: what they had taken is not waited for.
func (w joinWait) Slice() { w.r.seg.RecoverDead() }

func (r *Ring) join(ctx context.Context) error {
	if err := r.seg.Acquire(); err != nil {
		return r.wrap("join", err)
	}
	defer r.seg.Release()
	w := joinWait{r}
	if ok, err := w.Try(); ok || err != nil {
		return err
	}
	if err := r.idle.Wait(ctx, w); err != nil {
		return r.expired("join", errUnfinished, err)
	}
	return nil
}
