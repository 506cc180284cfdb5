package robust

import (
	"context"
	"errors"
	"math"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/shmkit/shmkit/internal/fault"
	"github.com/shmkit/shmkit/internal/futex"
)

// A Locker is what a [Cond] needs of its lock: a [Mutex] or an [RLock].
type Locker interface {
	Lock(ctx context.Context) error
	Unlock() error

	// suspend frees the lock however often it was locked, and resume locks it as
	// often again.
	suspend() (depth int, err error)
	resume(depth int) error
	held() bool
}

// A condShare says how many goroutines of a process wait, and how many of them
// have been notified and have not gone on yet: notified<<32 | waiting.
type condShare uint64

const (
	oneWaits    = 1
	oneNotified = 1 << 32
)

func (s condShare) waiting() uint32  { return uint32(s) }
func (s condShare) notified() uint32 { return uint32(s >> 32) }

// room returns how many can still be notified.
func (s condShare) room() int { return max(int(s.waiting())-int(s.notified()), 0) }

// A Cond is one process's side of a condition variable in shared memory.
// Notifications are given to processes that have waiting goroutines, and within
// a process to who has waited longest. So each wakes one who was waiting at that
// time, none is kept for later, and nobody waits for the woken to answer. Those
// given to a process that dies before its goroutines have gone on are passed on to
// others.
//
// Its methods may be called from several goroutines.
type Cond struct {
	handle
	lock   Locker
	words  *condWords
	shares []atomic.Uint64

	mu      sync.Mutex
	waiters []*condWaiter // of this handle, longest first
}

// NewCond returns a handle of the Cond in b, which stays mapped as long as the
// handle is used. Zeroes are one that nobody waits for. All handles of one Cond
// have handles of one lock.
func NewCond(host Host, b []byte, lock Locker, o Options) (*Cond, error) {
	words, shares, err := view[condWords](KindCond, b, host.Slots())
	if err != nil {
		return nil, err
	}
	c := &Cond{lock: lock, words: words, shares: shares}
	c.open(host, &words.event, o)
	return c, nil
}

// Wait frees the lock, blocks until it is notified, and takes the lock again,
// for which it waits whatever the context. It returns nil when it was notified,
// and else the context's error or [ErrClosed]; joined with [ErrOwnerDied] when
// the lock came with that. The lock is not held on return if the error is
// [ErrNotOwner], because it was not before, or if it could not be locked again.
//
// A notification may be passed on by a process that died, to somebody for whom it
// was not meant: check what you wait for, and wait again.
func (c *Cond) Wait(ctx context.Context) error {
	if !c.lock.held() {
		return ErrNotOwner
	}
	w := &condWaiter{c: c}
	c.enter(w)
	depth, err := c.lock.suspend()
	if err != nil {
		c.leave(w)
		return err
	}
	if err = c.wait(ctx, w); err != nil && c.leave(w) {
		err = nil // notified in the same instant
	}
	if locked := c.lock.resume(depth); locked != nil {
		return errors.Join(err, locked)
	}
	return err
}

// Notify wakes n of those who wait, or all if they are fewer. The error is
// [ErrNotOwner] when this process does not hold the lock.
func (c *Cond) Notify(n int) error {
	if !c.lock.held() {
		return ErrNotOwner
	}
	if notifyCond(c.words, c.shares, n) {
		c.notify()
	}
	return nil
}

// NotifyAll wakes all who wait: see [Cond.Notify].
func (c *Cond) NotifyAll() error { return c.Notify(math.MaxInt) }

// Waiters returns how many wait, in all processes, and have not been notified.
// The number may be old, and includes those of dead processes that have not been
// recovered.
func (c *Cond) Waiters() int {
	n := 0
	for s := range c.shares {
		n += condShare(c.shares[s].Load()).room()
	}
	return n
}

// notifyCond gives n notifications to processes in turn.
func notifyCond(words *condWords, shares []atomic.Uint64, n int) (any bool) {
	first := int(words.cursor.Load())
	for i := range shares {
		if n <= 0 {
			break
		}
		slot := (first%len(shares) + i) % len(shares)
		k := grant(&shares[slot], n)
		if k > 0 {
			n, any = n-k, true
			fault.Point("robust.cond.cursor")
			words.cursor.Store(uint32(slot + 1))
		}
	}
	return any
}

// grant notifies at most n who wait in one process, and returns how many.
func grant(s *atomic.Uint64, n int) int {
	for {
		v := condShare(s.Load())
		k := min(v.room(), n)
		if k == 0 {
			return 0
		}
		fault.Point("robust.cond.notify")
		if s.CompareAndSwap(uint64(v), uint64(v)+uint64(k)*oneNotified) {
			return k
		}
	}
}

// A condWaiter is one Wait. The Cond's mutex guards notified.
type condWaiter struct {
	c        *Cond
	notified bool
}

// enter says that the goroutine waits. It holds the lock, so that whoever
// notifies after this sees it.
func (c *Cond) enter(w *condWaiter) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waiters = append(c.waiters, w)
	fault.Point("robust.cond.enter")
	c.shares[c.me].Add(oneWaits)
}

// leave takes w out, and tells whether it had been notified.
func (c *Cond) leave(w *condWaiter) (notified bool) {
	others := c.collect(w)
	c.mu.Lock()
	defer c.mu.Unlock()
	if others {
		defer c.gate.Interrupt()
	}
	if w.notified {
		return true
	}
	c.waiters = slices.DeleteFunc(c.waiters, func(x *condWaiter) bool { return x == w })
	for {
		v := condShare(c.shares[c.me].Load())
		if v.waiting() == 0 {
			return false // recovery, or nonsense in memory, was faster
		}
		if v.room() == 0 {
			// All of this process have been notified, this one included.
			fault.Point("robust.cond.leave")
			if c.shares[c.me].CompareAndSwap(uint64(v), uint64(v)-oneNotified-oneWaits) {
				return true
			}
			continue
		}
		fault.Point("robust.cond.leave")
		if c.shares[c.me].CompareAndSwap(uint64(v), uint64(v)-oneWaits) {
			return false
		}
	}
}

// collect takes the notifications given to this process and hands each to who
// has waited longest. It tells whether others than w have got some.
func (c *Cond) collect(w *condWaiter) (others bool) {
	s := &c.shares[c.me]
	if condShare(s.Load()).notified() == 0 {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.waiters) > 0 {
		v := condShare(s.Load())
		if v.notified() == 0 || v.waiting() == 0 {
			break
		}
		fault.Point("robust.cond.collect")
		if !s.CompareAndSwap(uint64(v), uint64(v)-oneNotified-oneWaits) {
			continue
		}
		first := c.waiters[0]
		c.waiters = slices.Delete(c.waiters, 0, 1)
		first.notified = true
		others = others || first != w
	}
	return others
}

func (w *condWaiter) Try() (bool, error) {
	if w.c.collect(w) {
		w.c.gate.Interrupt()
	}
	w.c.mu.Lock()
	defer w.c.mu.Unlock()
	if w.notified {
		return true, nil
	}
	return false, w.c.isClosed()
}

// Slice looks whether somebody has died who has been notified.
func (w *condWaiter) Slice() {
	w.c.probeAll(len(w.c.shares), func(slot int) bool {
		return condShare(w.c.shares[slot].Load()).notified() > 0
	})
}

// recoverCond passes on what the dead process of the slot was notified of, and
// takes its waiters out. If the recoverer dies in between, more are notified than
// necessary, and none less.
func recoverCond(b []byte, slots, slot int) error {
	words, shares, err := view[condWords](KindCond, b, slots)
	if err != nil {
		return err
	}
	s, passed := &shares[slot], 0
	for {
		v := condShare(s.Load())
		if v == 0 {
			break
		}
		if n := int(v.notified()) - passed; n > 0 {
			notifyOthers(shares, slot, n)
			passed += n
			continue
		}
		fault.Point("robust.recover.cond")
		if s.CompareAndSwap(uint64(v), 0) {
			break
		}
	}
	if passed > 0 {
		futex.Notify(&words.event)
	}
	return nil
}

func notifyOthers(shares []atomic.Uint64, but, n int) {
	for s := range shares {
		if s != but && n > 0 {
			n -= grant(&shares[s], n)
		}
	}
}
