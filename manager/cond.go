package manager

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/shmkit/shmkit/internal/robust"
)

// A Cond is a condition variable shared by processes: who has its lock can wait to be notified
// by others that something has changed. Each notification wakes one who was waiting at that time,
// none is kept for later, and nobody waits for the woken, or the dead, to answer. Those given to a
// process that dies before it has gone on are passed on to others.
//
// Its methods may be called from several goroutines.
type Cond struct {
	part
	Locker // the lock that goes with it
	side   *robust.Cond
}

// A Locker is a lock that a [Cond] can go with: a [*Lock] or a [*RLock].
type Locker interface {
	Lock(ctx context.Context) error
	TryLock() (bool, error)
	Unlock() error

	// inCond returns this process's side of the lock, and which object it is.
	inCond() (robust.Locker, *part)
}

func (l *Lock) inCond() (robust.Locker, *part)  { return l.side, &l.part }
func (l *RLock) inCond() (robust.Locker, *part) { return l.side, &l.part }

// NewCond opens the condition called name in m, or creates it when there is none, with l as its
// lock; nil is a lock of its own. The empty name makes a new one without a name. It fails with
// [ErrKind] when the name is another kind of object's, and with [ErrType] when the condition goes with
// another lock.
func NewCond(m *Manager, name string, l Locker) (*Cond, error) {
	c, r := &Cond{Locker: l}, record{kind: kindCond, text: "a lock of its own"}
	if l != nil {
		_, p := l.inCond()
		if p.m.seg.ID() != m.seg.ID() {
			return nil, wrap("open", name, fmt.Errorf("%w: its lock is in another manager", ErrNotExist))
		}
		r.sum, r.text = p.object.id, fmt.Sprintf("lock #%d", p.object.id)
	}
	if err := c.obtainWords(m, name, r, condSize, nil, c.attach); err != nil {
		return nil, wrap("open", name, err)
	}
	endWith(c.use, c)
	return c, nil
}

// A condition of its own lock has that before itself.
const condAt = lineSize

var condSize = condAt + sizeOf(robust.KindCond)

func (c *Cond) attach(b []byte) (err error) {
	m, o := c.m, c.object
	if c.Locker == nil {
		if c.Locker, err = c.ownLock(b); err != nil {
			return err
		}
	}
	lock, _ := c.inCond()
	open := func() (*robust.Cond, error) { return robust.NewCond(m.seg, b[condAt:], lock, m.sideOptions()) }
	if _, shared := lock.(*robust.Mutex); shared {
		c.side, err = sideOf(m, o, open)
		return err
	}
	m.mu.Lock() // each handle of a RLock has a condition of its own
	defer m.mu.Unlock()
	side, err := addSide(m, o, open)
	c.side = side
	c.use.last = func() { m.removeSide(o, side) }
	return err
}

// Close ends the handle, and that of a lock of its own: see [Lock.Close].
func (c *Cond) Close() error {
	if own, _ := c.Locker.(*Lock); own != nil && own.object == c.object {
		own.Close()
	}
	return c.part.Close()
}

// ownLock returns a handle of the condition's own lock. It is one more handle of the condition: it
// may be in use when c is not any more.
func (c *Cond) ownLock(b []byte) (*Lock, error) {
	l := &Lock{part: part{m: c.m, name: c.name}}
	if err := l.settle(c.m.keep(c.object.id), func(*object) error { return l.attach(b) }); err != nil {
		return nil, err
	}
	endWith(l.use, l)
	return l, nil
}

// UnmarshalBinary makes c a handle of the condition of the reference, and of its lock. It fails
// with [ErrNotExist] when that is gone.
func (c *Cond) UnmarshalBinary(b []byte) error {
	n := new(Cond)
	attach := func(words []byte) (err error) {
		if id := n.object.record.sum; id != 0 {
			n.Locker, err = n.m.lockerOf(id)
		}
		if err != nil {
			return err
		}
		return n.attach(words)
	}
	if err := n.resolveWords(b, kindCond, attach); err != nil {
		return err
	}
	*c = *n
	endWith(c.use, c)
	return nil
}

// lockerOf returns a handle of the lock with the id.
func (m *space) lockerOf(id uint64) (Locker, error) {
	ref := appendReference(nil, m, id)
	l := new(Lock)
	err := l.UnmarshalBinary(ref)
	if !errors.Is(err, ErrKind) {
		return l, err
	}
	r := new(RLock)
	return r, r.UnmarshalBinary(ref)
}

// Wait frees the lock, however often it was locked, blocks until it is notified, and takes the lock
// again, for which it waits whatever the context. The error is nil when it was notified, else the
// context's or [ErrClosed], and it is also [ErrOwnerDied] when the lock came with that. Without
// having the lock the error is [ErrNotOwner].
//
// A notification may be passed on by a process that died, to somebody for whom it was not meant:
// check what you wait for, and wait again, or use [Cond.WaitFor].
func (c *Cond) Wait(ctx context.Context) error {
	if err := c.begin("wait"); err != nil {
		return err
	}
	return c.end("wait", c.side.Wait(ctx))
}

// WaitFor waits until pred, which it calls with the lock, returns true. The errors are [Cond.Wait]'s.
func (c *Cond) WaitFor(ctx context.Context, pred func() bool) error {
	for !pred() {
		if err := c.Wait(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Notify wakes n of those who wait, or all if they are fewer. The error is [ErrNotOwner] when
// this process does not have the lock. It never blocks.
func (c *Cond) Notify(n int) error {
	if err := c.begin("notify"); err != nil {
		return err
	}
	return c.end("notify", c.side.Notify(n))
}

// NotifyAll wakes all who wait: see [Cond.Notify].
func (c *Cond) NotifyAll() error { return c.Notify(math.MaxInt) }

// Waiters returns how many wait, in all processes, and have not been notified. The number may
// be old.
func (c *Cond) Waiters() int {
	if c.begin("") != nil {
		return 0
	}
	defer c.end("", nil)
	return c.side.Waiters()
}

// String returns the condition's name, and how many wait.
func (c *Cond) String() string {
	return fmt.Sprintf("%s %q: %d waiting", kindNames[kindCond], c.name, c.Waiters())
}
