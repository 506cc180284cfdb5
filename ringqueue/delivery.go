package ringqueue

import (
	"context"

	"github.com/shmkit/shmkit/shm"
)

// A Delivery is an item that has been received and is not yet acknowledged. If
// this process dies first, the item is delivered again to somebody else: at
// least once, with the attempt counted.
//
// A Delivery must not be copied after its first use, nor used by two goroutines
// at once.
type Delivery[T any] struct {
	r     *Ring
	loan  loan
	value T
}

// Receive takes the next item and keeps it until Ack or Nack. It waits as
// [Queue.Get] does, with the same errors. An item that can't be decoded is
// discarded as a dead letter, with the codec's error.
//
// The record stays in the ring until it is acknowledged, and those behind it
// can't be reclaimed before: consumers that work long on an item should be few
// enough for the capacity. A record by reference leaves the ring at once.
func (q *Queue[T]) Receive(ctx context.Context) (Delivery[T], error) {
	d, err := q.TryReceive()
	if err != error(q.r.get.errEmpty) {
		return d, err
	}
	loans, err := q.r.waitBorrow(ctx, 1)
	if err != nil {
		return d, err
	}
	return q.deliver(loans[0])
}

// TryReceive is Receive without waiting.
func (q *Queue[T]) TryReceive() (Delivery[T], error) {
	r := q.r
	if err := r.enter(&r.get.side); err != nil {
		return Delivery[T]{}, r.wrap("receive", err)
	}
	l, st := r.borrowNow()
	if st != done {
		r.leave(&r.get.side)
		return Delivery[T]{}, r.fail("get", st)
	}
	return q.deliver(l)
}

// deliver decodes a borrowed record. Called with the get side entered; leaves
// it before user code may run.
func (q *Queue[T]) deliver(l loan) (Delivery[T], error) {
	r := q.r
	lease, err := r.lease(l)
	if err != nil {
		return Delivery[T]{}, err
	}
	d := Delivery[T]{r: r, loan: l}
	if err := q.codec.Decode(lease.buf, &d.value); err != nil {
		tally(r.home.counter(r.me, shm.DeadLetters), 1)
		lease.Release()
		return Delivery[T]{}, r.wrap("receive", err)
	}
	return d, nil
}

// Value returns the item. It stays valid after Ack and Nack.
func (d *Delivery[T]) Value() T { return d.value }

// Attempt returns which delivery of the item this is; see [Lease.Attempt].
func (d *Delivery[T]) Attempt() int { return int(d.loan.word.attempt()) + 1 }

// Ack ends the delivery: the item is consumed and counts as done. The error is
// [ErrDone] after Ack or Nack.
func (d *Delivery[T]) Ack() error {
	l, err := d.end("ack")
	if err != nil {
		return err
	}
	l.Release()
	return nil
}

// Nack gives the item back; see [Lease.Requeue]. The error is [ErrDone] after
// Ack or Nack.
func (d *Delivery[T]) Nack() error {
	l, err := d.end("nack")
	if err != nil {
		return err
	}
	l.Requeue()
	return nil
}

// end takes the lease out of the delivery.
func (d *Delivery[T]) end(op string) (Lease, error) {
	if d.r == nil {
		return Lease{}, &Error{Op: op, Err: ErrDone}
	}
	l := Lease{r: d.r, loan: d.loan}
	l.buf, _ = d.r.lent(d.loan)
	d.r = nil
	return l, nil
}
