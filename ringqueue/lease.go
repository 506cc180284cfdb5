package ringqueue

import (
	"context"
	"fmt"

	"github.com/shmkit/shmkit/internal/futex"
	"github.com/shmkit/shmkit/shm"
)

// A Reservation is room for one record inside the ring. Write the record into
// Bytes, then Commit it; or Abort. Until then it holds its place in the queue,
// and consumers that reach it wait.
//
// A Reservation must not be copied after its first use, nor used by two
// goroutines at once. It keeps the mapping alive. If the process dies, the
// reservation is discarded.
type Reservation struct {
	r     *Ring
	claim claim
	buf   []byte
}

// Reserve reserves room for a record of n bytes, 0 ≤ n ≤ MaxRecord. It waits
// while the ring is full, or the memory for records by reference, until ctx is
// done; the error is then both [ErrFull] and the context's. A context that is done
// already does not fail a call that needn't wait. Other errors: [ErrTooLarge],
// [ErrNoSpace], [ErrShutdown], [ErrRoleTaken], [ErrClosed].
func (r *Ring) Reserve(ctx context.Context, n int) (Reservation, error) {
	s, err := r.TryReserve(n)
	if err != error(r.put.errFull) {
		return s, err
	}
	cl, err := r.waitClaim(ctx, r.roomFor(uint64(n)), func(bool) (claim, status) { return r.claimAny(uint64(n)) })
	if err != nil {
		return Reservation{}, err
	}
	return r.reservation(cl, n)
}

// TryReserve is Reserve without waiting: [ErrFull] when there is no room.
func (r *Ring) TryReserve(n int) (Reservation, error) {
	if uint(n) > uint(r.MaxRecord()) {
		return Reservation{}, r.tooLarge(n)
	}
	if err := r.enter(&r.put.side); err != nil {
		return Reservation{}, r.wrap("reserve", err)
	}
	cl, st := r.claimAny(uint64(n))
	if st != done {
		r.leave(&r.put.side)
		return Reservation{}, r.fail("put", st)
	}
	return r.reservation(cl, n)
}

// reservation turns a claim into a Reservation, which holds a use of the
// segment of its own. Called with the put side entered; leaves it.
func (r *Ring) reservation(cl claim, n int) (Reservation, error) {
	if r.put.sole {
		err := r.seg.Acquire()
		if err != nil {
			r.abortClaim(cl)
		}
		r.leave(&r.put.side)
		if err != nil {
			return Reservation{}, r.wrap("reserve", err)
		}
	} // else the side's use becomes the reservation's
	buf, ok := r.room(cl, uint64(n))
	if !ok {
		r.abortClaim(cl)
		r.seg.Release()
		return Reservation{}, r.fail("reserve", corrupt)
	}
	return Reservation{r: r, claim: cl, buf: buf}, nil
}

func (r *Ring) tooLarge(n int) error {
	return &Error{Op: "put", Queue: r.Name(), Err: fmt.Errorf("%w: %d bytes, MaxRecord is %d of a capacity of %d",
		ErrTooLarge, n, r.MaxRecord(), r.Capacity())}
}

// Bytes returns the reserved memory. It is not zeroed. It must not be touched
// after Commit or Abort. It has no room beyond its length: append copies.
func (s *Reservation) Bytes() []byte { return s.buf }

// Commit makes the first n reserved bytes a record, visible to every process
// when Commit returns. The error is [ErrDone] after Commit or Abort, or says
// that n is more than was reserved; the reservation is then still open.
func (s *Reservation) Commit(n int) error {
	if s.r == nil {
		return &Error{Op: "commit", Err: ErrDone}
	}
	if uint(n) > uint(len(s.buf)) {
		return s.r.wrap("commit", fmt.Errorf("%w: %d of %d reserved bytes", ErrTooLarge, n, len(s.buf)))
	}
	r := s.r
	r.commitClaim(s.claim, uint64(n), uint64(len(s.buf)))
	tally(r.put.items, 1)
	tally(r.put.bytes, uint64(n))
	if futex.Notify(&r.hdr.notEmpty) {
		tally(r.put.wakes, 1)
	}
	s.r, s.buf = nil, nil
	r.seg.Release()
	return nil
}

// Abort gives the reservation up. It does nothing after Commit or Abort, so
// that it can be deferred.
func (s *Reservation) Abort() {
	if s.r == nil {
		return
	}
	r := s.r
	r.abortClaim(s.claim)
	tally(r.put.aborts, 1)
	// Records behind it may have become the next ones, and its room free.
	r.wakeAll()
	s.r, s.buf = nil, nil
	r.seg.Release()
}

// wakeAll wakes everybody who waits on the queue for anything.
func (r *Ring) wakeAll() {
	futex.Notify(&r.hdr.notEmpty)
	futex.Notify(&r.hdr.notFull)
	futex.Notify(&r.hdr.idle)
}

// A Lease is a record that this process has borrowed: nobody else sees it, and
// its memory stays, until Release or Requeue. If the process dies, the record
// is delivered again to somebody else, with its attempt counted.
//
// A Lease must not be copied after its first use, nor used by two goroutines at
// once. It keeps the mapping alive, and holds up the reuse of the ring's memory
// from its record on: a long lease fills the ring. That of a record by reference
// keeps only the memory of the record.
type Lease struct {
	r    *Ring
	loan loan
	buf  []byte
}

// Borrow takes the next record without copying it. It waits while there is
// none until ctx is done; the error is then both [ErrEmpty] and the context's. A
// context that is done already does not fail a call that needn't wait. Other
// errors: [ErrShutdown], [ErrRoleTaken], [ErrClosed].
func (r *Ring) Borrow(ctx context.Context) (Lease, error) {
	l, err := r.TryBorrow()
	if err != error(r.get.errEmpty) {
		return l, err
	}
	loans, err := r.waitBorrow(ctx, 1)
	if err != nil {
		return Lease{}, err
	}
	return r.lease(loans[0])
}

// TryBorrow is Borrow without waiting: [ErrEmpty] when there is nothing to
// take, or the next record is still being written.
func (r *Ring) TryBorrow() (Lease, error) {
	if err := r.enter(&r.get.side); err != nil {
		return Lease{}, r.wrap("borrow", err)
	}
	l, st := r.borrowNow()
	if st != done {
		r.leave(&r.get.side)
		return Lease{}, r.fail("get", st)
	}
	return r.lease(l)
}

// lease turns a loan into a Lease, which holds a use of the segment of its own.
// Called with the get side entered; leaves it.
func (r *Ring) lease(l loan) (Lease, error) {
	if r.get.sole {
		err := r.seg.Acquire()
		if err != nil {
			r.giveUp(l)
		}
		r.leave(&r.get.side)
		if err != nil {
			return Lease{}, r.wrap("borrow", err)
		}
	} // else the side's use becomes the lease's
	buf, ok := r.lent(l)
	if !ok {
		r.finish(l)
		r.seg.Release()
		return Lease{}, r.fail("borrow", corrupt)
	}
	return Lease{r: r, loan: l, buf: buf}, nil
}

// Bytes returns the record. It must not be touched after Release or Requeue,
// and not be written to: a record that is requeued is delivered as it is then.
func (l *Lease) Bytes() []byte { return l.buf }

// Attempt returns which delivery of the record this is: 1 for the first, more
// when consumers died holding it or gave it back. It saturates at 64.
func (l *Lease) Attempt() int { return int(l.loan.word.attempt()) + 1 }

// Release ends the lease: the record is consumed. It does nothing after Release
// or Requeue, so that it can be deferred.
func (l *Lease) Release() {
	if l.r == nil {
		return
	}
	r := l.r
	// Taken and finished both count before the record goes, so that Join
	// sees it in the one place or in the other.
	tally(r.get.items, 1)
	tally(r.get.finished, 1)
	tally(r.get.bytes, uint64(len(l.buf)))
	r.finish(l.loan)
	futex.Notify(&r.hdr.idle)
	l.r, l.buf = nil, nil
	r.seg.Release()
}

// Requeue gives the record back: it is delivered again, to anybody, with its
// attempt counted, unless it has been delivered MaxAttempts times and is
// discarded. It may come after records that were put later. It does nothing
// after Release or Requeue.
func (l *Lease) Requeue() {
	if l.r == nil {
		return
	}
	r := l.r
	if r.giveUp(l.loan) {
		tally(r.home.counter(r.me, shm.DeadLetters), 1)
		r.reclaimAll()
	} else {
		tally(r.home.counter(r.me, shm.Redelivered), 1)
	}
	r.wakeAll()
	l.r, l.buf = nil, nil
	r.seg.Release()
}
