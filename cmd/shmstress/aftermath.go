package main

import (
	"encoding/binary"
	"errors"

	"github.com/shmkit/shmkit/ringqueue"
	"github.com/shmkit/shmkit/shm"
)

// inspectQueue looks whether the queue, which is empty and of which this is the
// only process, is as good as new.
func inspectQueue(r *queueRun) {
	ring := r.queue.Ring()
	if n := r.queue.Len(); n != 0 {
		r.charge(miscounted, "the queue is empty, and Len is %d", n)
	}
	seg := ring.Segment()
	for i := range seg.Slots() {
		if s := seg.SlotInfo(i); s.State != shm.SlotFree && i != seg.Slot() {
			r.charge(miscounted, "slot %d is %v (pid %d), and all members have ended", i, s.State, s.PID)
		}
	}
	inspectFile(r)
	inspectCounters(r)
	fill(r, 8, ring.Capacity()/64)
	if n := r.cfg.Sizes.largest(); n > ring.MaxInline() {
		fill(r, n, largeRoom(r, n))
	}
}

// largeRoom returns for how many records of n bytes there must be memory.
func largeRoom(r *queueRun, n int) int {
	const head, unit = 64, 64 << 10
	i, err := shm.Inspect(r.queue.Ring().Segment().Path())
	if err != nil {
		r.charge(failedOp, "referee: %v", err)
		return 0
	}
	defer i.Close()
	rep, err := ringqueue.Inspect(i)
	if err != nil {
		r.charge(failedOp, "referee: %v", err)
		return 0
	}
	return min(rep.MaxLarge/((n+head+unit-1)/unit*unit), rep.Capacity/64)
}

// inspectFile compares with what shmctl would say.
func inspectFile(r *queueRun) {
	i, err := shm.Inspect(r.queue.Ring().Segment().Path())
	if err != nil {
		r.charge(failedOp, "referee: %v", err)
		return
	}
	defer i.Close()
	rep, err := ringqueue.Inspect(i)
	if err != nil {
		r.charge(failedOp, "referee: %v", err)
		return
	}
	if rep.Ready != 0 || rep.Reserved != 0 || rep.Borrowed != 0 {
		r.charge(miscounted, "the queue is empty, and its file shows %d records ready, %d reserved, %d borrowed", rep.Ready, rep.Reserved, rep.Borrowed)
	}
}

// inspectCounters compares the queue's own counters with the book. A member
// counts after it has put, and before it lets go of what it has taken: so those
// that were killed there make them differ, each by the operation it was in.
func inspectCounters(r *queueRun) {
	seg, t := r.queue.Ring().Segment(), r.book.totals
	if n := seg.Total(shm.Puts); n < t.Put || n > t.Put+t.DoubtPut {
		r.charge(miscounted, "the queue has counted %d puts; there were %d, and perhaps %d more", n, t.Put, t.DoubtPut)
	}
	sure := t.Taken + t.Acked
	if n, perhaps := seg.Total(shm.Gets), r.book.mayReturn+r.book.mayEnd; n < sure || n > sure+perhaps {
		r.charge(miscounted, "the queue has counted %d gets; there were %d, and perhaps %d more", n, sure, perhaps)
	}
	if n := seg.Total(shm.DeadLetters); n != 0 {
		r.charge(miscounted, "the queue has counted %d dead letters, and no record may be given up", n)
	}
}

// fill puts as many records of size bytes as there must be room for, if nothing of
// the past holds any of it, and takes them out again.
func fill(r *queueRun, size, want int) {
	if n := r.queue.MaxItems(); n > 0 {
		want = min(want, n)
	}
	b := make([]byte, size)
	put := 0
	for put <= want {
		binary.LittleEndian.PutUint64(b, uint64(put))
		err := r.queue.TryPut(b)
		if errors.Is(err, ringqueue.ErrFull) {
			break
		}
		if err != nil {
			r.charge(failedOp, "referee: %v", err)
			return
		}
		put++
	}
	if n := r.queue.Len(); put != want || n != put {
		r.charge(miscounted, "the empty queue took %d of %d records of %d bytes, and Len is %d then", put, want, size, n)
	}
	for i := range put {
		got, err := r.queue.TryGet()
		if err != nil || len(got) != len(b) || binary.LittleEndian.Uint64(got) != uint64(i) {
			r.charge(lost, "record %d of %d put by the referee alone: got %d bytes, % x, %v", i, put, len(got), got[:min(len(got), 8)], err)
			return
		}
	}
}
