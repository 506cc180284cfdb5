package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/shmkit/shmkit/ringqueue"
	"github.com/shmkit/shmkit/shm"
)

// A delivery is a way to take records.
type delivery string

const (
	deliverGet     delivery = "get"     // Get and GetMany: at most once
	deliverReceive delivery = "receive" // Receive and Ack or Nack: at least once
	deliverLease   delivery = "lease"   // Borrow and Release or Requeue, several at a time
	deliverMixed   delivery = "mixed"
)

func (d *delivery) String() string { return string(*d) }
func (d *delivery) Type() string   { return "how" }

// Set implements the flag.
func (d *delivery) Set(s string) error {
	switch got := delivery(s); got {
	case deliverGet, deliverReceive, deliverLease, deliverMixed:
		*d = got
		return nil
	}
	return errors.New("neither get, receive, lease nor mixed")
}

// consume is the life of a consumer: it takes records until the run ends, and
// notes each.
func consume(ctx context.Context, a memberArgs) error {
	m, err := joinRun(ctx, a, takenAll)
	if err != nil {
		return err
	}
	defer m.close()
	c := newConsumer(m)
	for m.ctx.Err() == nil {
		if err := c.step(); !m.bears(err) {
			return err
		}
	}
	for len(c.held) > 0 {
		c.endOne()
	}
	return nil
}

type consumer struct {
	*member
	book  notebook
	many  [][]byte
	notes []note
	held  []*ringqueue.Lease
}

// mostHeld is how many leases a consumer has at a time.
const mostHeld = 8

func newConsumer(m *member) *consumer {
	c := &consumer{member: m, many: make([][]byte, m.Batch)}
	c.book = notebook{m.line, m.ledger.notes[m.Seat-m.Producers]}
	seg := m.ring.Segment()
	c.line.gets.Store(seg.Counter(shm.Gets).Load())
	c.line.slot.Store(uint64(seg.Slot()))
	return c
}

// step is one operation.
func (c *consumer) step() error {
	how := c.Delivery
	if how == deliverMixed {
		how = [...]delivery{deliverGet, deliverReceive, deliverLease}[c.rand.IntN(3)]
	}
	switch {
	case len(c.held) > 0:
		// Who waits with a lease in its hands may wait for room behind it.
		if len(c.held) >= mostHeld || c.rand.IntN(3) == 0 {
			return c.endOne()
		}
		if err := c.borrow(true); !errors.Is(err, ringqueue.ErrEmpty) {
			return err
		}
		return c.endOne()
	case how == deliverLease:
		return c.borrow(c.rand.IntN(4) == 0)
	case how == deliverReceive:
		return c.receive()
	case c.rand.IntN(2) == 0:
		return c.get()
	default:
		return c.getMany()
	}
}

func (c *consumer) get() error {
	c.line.enter(opGet, 1)
	defer c.line.leave()
	var err error
	if c.rand.IntN(4) == 0 {
		c.many[0], err = c.queue.TryGet()
	} else {
		c.many[0], err = c.queue.Get(c.soon())
	}
	if err != nil {
		return err
	}
	return c.taken(c.many[:1])
}

func (c *consumer) getMany() error {
	n := 1 + c.rand.IntN(len(c.many))
	c.line.enter(opGetMany, n)
	defer c.line.leave()
	var err error
	if c.rand.IntN(4) == 0 {
		n, err = c.queue.TryGetMany(c.many[:n])
	} else {
		n, err = c.queue.GetMany(c.soon(), c.many[:n])
	}
	if bad := c.taken(c.many[:n]); bad != nil {
		return bad
	}
	return err
}

// taken notes what a Get has returned, at once, and then looks at it closely.
func (c *consumer) taken(records [][]byte) error {
	c.notes = c.notes[:0]
	for _, b := range records {
		id, kind, err := parse(b)
		if err != nil {
			return c.torn(b, id, err)
		}
		c.notes = append(c.notes, newNote(noteTaken, id, 0, kind))
	}
	c.book.add(c.alive.Done(), len(records), c.notes...)
	for i, b := range records {
		if err := c.mint.check(b); err != nil {
			return c.torn(b, c.notes[i].id(), err)
		}
	}
	return nil
}

// note notes that a record has come that this consumer is to end.
func (c *consumer) note(b []byte, attempt int) (recordID, error) {
	id, kind, err := parse(b)
	if err == nil {
		c.book.add(c.alive.Done(), 1, newNote(noteHeld, id, attempt, kind))
		err = c.mint.check(b)
	}
	if err != nil {
		return id, c.torn(b, id, err)
	}
	return id, nil
}

func (c *consumer) receive() error {
	c.line.enter(opReceive, 1)
	var d ringqueue.Delivery[[]byte]
	var err error
	if c.rand.IntN(4) == 0 {
		d, err = c.queue.TryReceive()
	} else {
		d, err = c.queue.Receive(c.soon())
	}
	if err != nil {
		c.line.leave()
		return err
	}
	attempt := d.Attempt()
	id, err := c.note(d.Value(), attempt)
	c.line.leave()
	if err != nil {
		return err
	}
	if c.rand.IntN(8) == 0 {
		return c.end(opNack, id, attempt, d.Nack)
	}
	return c.end(opAck, id, attempt, d.Ack)
}

func (c *consumer) borrow(try bool) error {
	c.line.enter(opBorrow, 1)
	defer c.line.leave()
	var l ringqueue.Lease
	var err error
	if try {
		l, err = c.ring.TryBorrow()
	} else {
		l, err = c.ring.Borrow(c.soon())
	}
	if err != nil {
		return err
	}
	if _, err := c.note(l.Bytes(), l.Attempt()); err != nil {
		return err
	}
	c.held = append(c.held, &l)
	return nil
}

// endOne ends one of the leases, in any order.
func (c *consumer) endOne() error {
	i := c.rand.IntN(len(c.held))
	l := c.held[i]
	c.held[i] = c.held[len(c.held)-1]
	c.held = c.held[:len(c.held)-1]
	id, _, err := parse(l.Bytes())
	if err == nil {
		err = c.mint.check(l.Bytes()) // nobody may have written to it meanwhile
	}
	if err != nil {
		return c.torn(l.Bytes(), id, err)
	}
	if c.rand.IntN(8) == 0 {
		return c.end(opNack, id, l.Attempt(), func() error { l.Requeue(); return nil })
	}
	return c.end(opAck, id, l.Attempt(), func() error { l.Release(); return nil })
}

// end ends a delivery, and notes it.
func (c *consumer) end(k opKind, id recordID, attempt int, f func() error) error {
	c.line.enterEnding(k, id, attempt)
	defer c.line.leave()
	if err := f(); err != nil {
		return err
	}
	kind := noteAcked
	if k == opNack {
		kind = noteNacked
	}
	c.book.add(c.alive.Done(), 0, newNote(kind, id, attempt, plainRecord))
	return nil
}

// torn notes a record that is not what it must be, and keeps its bytes.
func (c *consumer) torn(b []byte, id recordID, why error) error {
	text := fmt.Sprintf("consumer %d, life %d: %v\n\n% x\n", c.Seat-c.Producers, c.Life, why, b)
	name := fmt.Sprintf("torn-%d-%d.txt", c.Seat, c.Life)
	err := os.MkdirAll(c.Evidence, 0o700)
	if err == nil {
		err = os.WriteFile(filepath.Join(c.Evidence, name), []byte(text), 0o600)
	}
	c.book.add(c.alive.Done(), 0, newNote(noteTorn, id, 0, 0))
	return errors.Join(why, err)
}
