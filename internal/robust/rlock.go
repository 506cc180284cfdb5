package robust

import (
	"context"
	"sync"
	"time"

	"github.com/shmkit/shmkit/internal/fault"
)

// An RLock is a lock that its owner may lock again. The owner is the handle:
// goroutines that share one count as one, and those that are to exclude each
// other need handles of their own. In memory it is a [Mutex].
//
// Its methods may be called from several goroutines.
type RLock struct {
	m Mutex

	mu    sync.Mutex // held for some steps, never while waiting
	depth int        // Locks of this handle without their Unlocks
}

// NewRLock returns a handle of the RLock in b: see [NewMutex].
func NewRLock(host Host, b []byte, o Options) (*RLock, error) {
	words, _, err := view[mutexWords](KindMutex, b, host.Slots())
	if err != nil {
		return nil, err
	}
	l := &RLock{m: Mutex{words: words, slots: host.Slots()}}
	l.m.open(host, &words.event, o)
	return l, nil
}

// Lock blocks until the lock is this handle's, which it is at once when it is
// already: see [Mutex.Lock]. Only the first Lock returns [ErrOwnerDied].
func (l *RLock) Lock(ctx context.Context) error {
	if l.lockFree() {
		return nil
	}
	w := &recursiveWaiter{lock: l, lockWaiter: lockWaiter{m: &l.m}}
	done, err := w.take(false)
	if !done && err == nil {
		w.began = time.Now()
		if err = l.m.wait(ctx, w); err != nil {
			l.m.giveWay()
		}
	}
	return w.result(err)
}

// lockFree is a Lock by the owner, or of a lock that nobody has or waits for.
func (l *RLock) lockFree() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.depth == 0 {
		fault.Point("robust.lock.take")
		if !l.m.words.word.CompareAndSwap(0, uint64(ownedBy(l.m.me))) {
			return false
		}
		l.m.acquired(l.m.clock())
		if l.m.gate.Waiting() > 0 {
			l.m.gate.Interrupt() // goroutines of this handle may come in too
		}
	}
	l.enter()
	return true
}

// TryLock is a Lock that does not wait: see [Mutex.TryLock].
func (l *RLock) TryLock() (locked bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.depth == 0 {
		if locked, err = l.m.TryLock(); !locked {
			return false, err
		}
		defer l.admit(false)
	}
	l.enter()
	return true, err
}

// Unlock takes one Lock back, and frees the lock with the last. It returns
// [ErrNotOwner] when this handle does not have the lock. It never blocks.
func (l *RLock) Unlock() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.depth == 0 {
		return ErrNotOwner
	}
	return l.setDepth(l.depth - 1)
}

// setDepth is called with mu held, by the owner. Zero frees the lock.
func (l *RLock) setDepth(n int) error {
	l.depth = n
	fault.Point("robust.lock.depth")
	l.m.words.depth.Store(uint32(n))
	if n > 0 {
		return nil
	}
	return l.m.unlockSlow(true)
}

// enter counts a Lock. Called with mu held, by the owner.
func (l *RLock) enter() {
	l.depth++
	fault.Point("robust.lock.depth")
	l.m.words.depth.Store(uint32(l.depth))
}

// Abandon gives the lock up, if this handle has it, as the death of its process would: the next
// one to lock it gets [ErrOwnerDied]. It is for handles that nobody can use any more.
func (l *RLock) Abandon() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.depth > 0 {
		l.depth = 0
		fault.Point("robust.lock.depth")
		l.m.words.depth.Store(0)
		recoverMutex(l.m.words, l.m.me)
	}
}

// Close is as [Mutex]'s.
func (l *RLock) Close() { l.m.Close() }

// Waiting returns how many goroutines wait through this handle.
func (l *RLock) Waiting() int { return l.m.Waiting() }

// Token returns the fencing token: see [Mutex.Token].
func (l *RLock) Token() uint64 { return l.m.Token() }

// Locked tells whether somebody holds the lock. The answer may be old.
func (l *RLock) Locked() bool { return l.m.Locked() }

// Owner returns who holds the lock: see [Mutex.Owner].
func (l *RLock) Owner() (Owner, bool) { return l.m.Owner() }

// A recursiveWaiter is one Lock of an RLock.
type recursiveWaiter struct {
	lockWaiter
	lock *RLock
}

func (w *recursiveWaiter) Try() (bool, error) { return w.take(true) }

// Ready is the cheap look. The lock may also have become this handle's.
func (w *recursiveWaiter) Ready() bool {
	return w.lockWaiter.Ready() || w.m.holds()
}

func (w *recursiveWaiter) take(queued bool) (bool, error) {
	l := w.lock
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.depth == 0 {
		if done, err := w.lockWaiter.take(queued); !done {
			return false, err
		}
		defer l.admit(queued)
	}
	l.enter()
	return true, nil
}

// admit has the goroutines of this handle that wait try again, after one that
// did not wait has taken the lock. One that did hands on to the next anyway.
func (l *RLock) admit(queued bool) {
	if !queued && l.m.gate.Waiting() > 0 {
		l.m.gate.Interrupt()
	}
}
