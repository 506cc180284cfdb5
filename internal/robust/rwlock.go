package robust

import (
	"context"
	"time"

	"github.com/shmkit/shmkit/internal/fault"
	"github.com/shmkit/shmkit/internal/futex"
	"github.com/shmkit/shmkit/internal/mem"
)

// A RWLock's total says who is inside, who is to come in next, and whether a
// writer has died:
//
//	26          25     16     15       0
//	[ next writes | next+1 | died | writer | readers 15 ]
//
// and a share, which of those are the process's: [ writer | readers 15 ].
type rwTotal uint32

const (
	readersMask = 1<<15 - 1
	writerFlag  = 1 << 15
	rwDied      = 1 << 16
	rwNextBit   = 17
	rwNextMask  = 1<<lastBits - 1
	nextWrites  = 1 << (rwNextBit + lastBits)
)

func (t rwTotal) readers() uint32 { return uint32(t & readersMask) }
func (t rwTotal) writer() bool    { return t&writerFlag != 0 }
func (t rwTotal) died() bool      { return t&rwDied != 0 }
func (t rwTotal) next() int       { return int(t>>rwNextBit&rwNextMask) - 1 }
func (t rwTotal) withoutNext() rwTotal {
	return t &^ (rwNextMask<<rwNextBit | nextWrites)
}

func (t rwTotal) withNext(slot int, writes bool) rwTotal {
	t = t.withoutNext() | rwTotal(slot+1)<<rwNextBit
	if writes {
		t |= nextWrites
	}
	return t
}

func (t rwTotal) error() error {
	if t.died() {
		return ErrOwnerDied
	}
	return nil
}

const (
	opReaderIn op = 1 + iota
	opReaderOut
	opWriterIn
	opWriterOut
	opAllOut
)

func applyRW(o op, held, _ uint32) uint32 {
	switch o {
	case opReaderIn:
		return held + 1
	case opReaderOut:
		return held - 1
	case opWriterIn:
		return held | writerFlag
	case opWriterOut:
		return held &^ writerFlag
	case opAllOut:
		return 0
	}
	return held
}

// A RWLock is one process's side of a lock in shared memory that any number of
// readers, up to 32767, or one writer hold. It belongs to the process: any of its
// goroutines may unlock what another has locked, and no other process can.
//
// A dead reader is subtracted. After the death of a writer everybody who locks,
// to read or to write, is told, until a writer unlocks.
//
// Who has waited for a millisecond lets nobody in any more who would be in its
// way, so that neither readers nor writers starve.
type RWLock struct {
	handle
	t     tally
	words *countWords
}

// NewRWLock returns a handle of the RWLock in b, which stays mapped as long as the
// handle is used. Zeroes are an unlocked one.
func NewRWLock(host Host, b []byte, o Options) (*RWLock, error) {
	words, shares, err := view[countWords](KindRWLock, b, host.Slots())
	if err != nil {
		return nil, err
	}
	l := &RWLock{words: words, t: tally{sum: &words.sum, shares: shares, apply: applyRW}}
	l.open(host, &words.event, o)
	return l, nil
}

// Lock blocks until this process is the only one inside. It is when the error is
// nil or [ErrOwnerDied]; it is not with the context's error, [ErrClosed] or
// [ErrCorrupt]. A lock that is free is taken whatever the context.
func (l *RWLock) Lock(ctx context.Context) error { return l.lock(ctx, true) }

// RLock blocks until this process may read. See [RWLock.Lock].
func (l *RWLock) RLock(ctx context.Context) error { return l.lock(ctx, false) }

// TryLock is a Lock that does not wait. It tells whether the lock is this
// process's now.
func (l *RWLock) TryLock() (locked bool, err error) { return l.try(true) }

// TryRLock is an RLock that does not wait.
func (l *RWLock) TryRLock() (locked bool, err error) { return l.try(false) }

// try takes the lock if it is free, even when it is reserved: a try that always
// failed because a stopped process is next would be of no use.
func (l *RWLock) try(writes bool) (bool, error) {
	w := rwWaiter{l: l, writes: writes, rude: true}
	done, err := w.take(false)
	return done, w.result(err)
}

func (l *RWLock) lock(ctx context.Context, writes bool) error {
	w := rwWaiter{l: l, writes: writes}
	if done, err := w.take(false); done || err != nil {
		return w.result(err)
	}
	return l.lockSlow(ctx, writes)
}

// lockSlow is apart so that lock needs nothing from the heap.
func (l *RWLock) lockSlow(ctx context.Context, writes bool) error {
	w := &rwWaiter{l: l, writes: writes, began: time.Now()}
	if err := l.wait(ctx, w); err != nil {
		l.giveWay()
		return err
	}
	return w.result(nil)
}

// Unlock ends this process's writing. When it is not writing, the error is
// [ErrNotOwner] or, if nobody is, [ErrNotLocked]. It never blocks.
func (l *RWLock) Unlock() error {
	var err error
	v := l.t.change(l.me, func(total, held uint32) (uint32, op, bool) {
		if held&writerFlag == 0 || total&writerFlag == 0 {
			err = ErrNotLocked
			if total&writerFlag != 0 {
				err = ErrNotOwner
			}
			return 0, opKeep, false
		}
		return total &^ (writerFlag | rwDied), opWriterOut, true
	})
	return l.unlocked(v, err)
}

// RUnlock ends one RLock of this process. The error is [ErrNotLocked] when there
// is none. It never blocks.
func (l *RWLock) RUnlock() error {
	v := l.t.change(l.me, func(total, held uint32) (uint32, op, bool) {
		if held&readersMask == 0 || total&readersMask == 0 {
			return 0, opKeep, false
		}
		return total - 1, opReaderOut, true
	})
	return l.unlocked(v, ErrNotLocked)
}

func (l *RWLock) unlocked(v verdict, refusal error) error {
	switch v {
	case changed:
		l.notify()
		return nil
	case refused:
		return refusal
	}
	return v.err()
}

// Readers returns how many have the lock to read. The number may be old.
func (l *RWLock) Readers() int { return int(l.total().readers()) }

// Locked tells whether somebody writes. The answer may be old.
func (l *RWLock) Locked() bool { return l.total().writer() }

// Token returns the fencing token of the writer: see [Mutex.Token].
func (l *RWLock) Token() uint64 { return l.words.token.Load() }

// Owner returns who writes; false when nobody does. The answer may be old.
func (l *RWLock) Owner() (Owner, bool) {
	for s := range l.t.shares {
		if share(l.t.shares[s].Load()).held()&writerFlag != 0 {
			return Owner{Slot: s, Since: unixTime(&l.words.since), Token: l.Token(), Died: l.total().died()}, true
		}
	}
	return Owner{Died: l.total().died()}, false
}

func (l *RWLock) total() rwTotal { return rwTotal(sum(l.t.sum.Load()).total()) }

// giveWay withdraws this process's reservation.
func (l *RWLock) giveWay() {
	v := l.t.change(l.me, func(total, _ uint32) (uint32, op, bool) {
		t := rwTotal(total)
		return uint32(t.withoutNext()), opKeep, t.next() == l.me
	})
	if v == changed {
		l.notify()
	}
}

// A rwWaiter is one Lock or RLock.
type rwWaiter struct {
	l      *RWLock
	writes bool
	rude   bool // does not respect reservations
	began  time.Time
	pass   int     // slot whose reservation has been respected for long enough, +1
	taken  rwTotal // what the lock was when it could be taken
}

func (w *rwWaiter) Try() (bool, error) {
	if err := w.l.isClosed(); err != nil {
		return false, err
	}
	return w.take(true)
}

// Ready is the cheap look: see [futex.Looker].
func (w *rwWaiter) Ready() bool {
	t := w.l.total()
	return !t.writer() && (!w.writes || t.readers() == 0) || w.l.closed.Load()
}

// take takes the lock, or reserves it when that is due. Only who waits at the gate
// may use this process's reservation, or make one.
func (w *rwWaiter) take(queued bool) (bool, error) {
	l, reserved := w.l, false
	v := l.t.change(l.me, func(total, held uint32) (uint32, op, bool) {
		t := rwTotal(total)
		w.taken, reserved = t, false
		if w.mayTake(t, queued) {
			if queued {
				t = t.withoutNext()
			}
			if w.writes {
				return uint32(t | writerFlag), opWriterIn, true
			}
			return uint32(t + 1), opReaderIn, true
		}
		reserved = queued && t.next() < 0 && time.Since(w.began) > patience
		return uint32(t.withNext(l.me, w.writes)), opKeep, reserved
	})
	if v != changed || reserved {
		return false, v.err()
	}
	if w.writes {
		l.acquired()
	}
	return true, nil
}

func (w *rwWaiter) mayTake(t rwTotal, queued bool) bool {
	if t.writer() || w.writes && t.readers() > 0 || t.readers() == readersMask {
		return false
	}
	next := t.next()
	inTheWay := next >= 0 && (w.writes || t&nextWrites != 0)
	return !inTheWay || w.rude || queued && (next == w.l.me || next+1 == w.pass)
}

// acquired is what a new writer does before anything else: see Mutex.acquired.
func (l *RWLock) acquired() {
	token := l.words.token.Load() + 1
	fault.Point("robust.lock.token")
	mem.StoreRelease(&l.words.token, token)
	now := uint64(l.clock())
	fault.Point("robust.lock.since")
	mem.StoreRelease(&l.words.since, now)
}

// Slice looks whether somebody inside has died. Who has a reservation and does
// not come for a whole slice loses its turn: see lockWaiter.Slice.
func (w *rwWaiter) Slice() {
	t := w.l.total()
	next := t.next()
	w.l.probeAll(len(w.l.t.shares), func(slot int) bool { return slot == next || w.l.t.has(slot) })
	w.pass = 0
	if next >= 0 && next != w.l.me && w.Ready() {
		w.pass = next + 1
	}
}

func (w *rwWaiter) result(err error) error {
	if err != nil {
		return err
	}
	return w.taken.error()
}

// recoverRWLock takes the dead process of the slot out of the lock.
func recoverRWLock(b []byte, slots, slot int) error {
	words, shares, err := view[countWords](KindRWLock, b, slots)
	if err != nil {
		return err
	}
	t := tally{sum: &words.sum, shares: shares, apply: applyRW}
	v := t.change(slot, func(total, held uint32) (uint32, op, bool) {
		after := rwTotal(total)
		after -= min(after&readersMask, rwTotal(held&readersMask))
		if held&writerFlag != 0 {
			after = after&^writerFlag | rwDied
		}
		if after.next() == slot {
			after = after.withoutNext()
		}
		return uint32(after), opAllOut, held != 0 || uint32(after) != total
	})
	if v == changed {
		futex.Notify(&words.event)
	}
	return v.err()
}
