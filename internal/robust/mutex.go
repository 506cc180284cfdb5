package robust

import (
	"context"
	"time"

	"github.com/shmkit/shmkit/internal/fault"
	"github.com/shmkit/shmkit/internal/futex"
	"github.com/shmkit/shmkit/internal/mem"
)

// A lockWord says everything about a lock: who has it, who is to have it next,
// and whether an owner has died. Each change of it is one compare-and-swap, so
// that there is nothing half done to repair when somebody dies.
//
//	63     31      16      0
//	[ died | next+1 | owner+1 ]
type lockWord uint64

const (
	slotMask = 1<<16 - 1
	nextBit  = 16
	diedFlag = 1 << 32
)

func ownedBy(slot int) lockWord { return lockWord(slot) + 1 }

func (w lockWord) owner() int            { return int(w&slotMask) - 1 } // -1: nobody
func (w lockWord) next() int             { return int(w>>nextBit&slotMask) - 1 }
func (w lockWord) free() bool            { return w&slotMask == 0 }
func (w lockWord) died() bool            { return w&diedFlag != 0 }
func (w lockWord) withoutNext() lockWord { return w &^ (slotMask << nextBit) }
func (w lockWord) withNext(slot int) lockWord {
	return w.withoutNext() | (lockWord(slot)+1)<<nextBit
}

// valid tells whether the word can be one's of a segment with so many slots.
func (w lockWord) valid(slots int) bool { return w.owner() < slots && w.next() < slots && w>>33 == 0 }

// patience is how long a waiter lets others overtake it. Then it reserves the
// lock, as sync.Mutex does after the same time.
const patience = time.Millisecond

// A Mutex is one process's side of a mutual exclusion lock in shared memory. It
// belongs to the process, and not to a goroutine: any goroutine may unlock it,
// and any process too. When the process that holds it dies, the next one to lock
// it is told.
//
// Its methods may be called from several goroutines.
type Mutex struct {
	handle
	words *mutexWords
	slots int
}

// NewMutex returns a handle of the Mutex in b, which is shared by all processes
// and stays mapped as long as the handle is used. Zeroes are an unlocked one.
func NewMutex(host Host, b []byte, o Options) (*Mutex, error) {
	words, _, err := view[mutexWords](KindMutex, b, host.Slots())
	if err != nil {
		return nil, err
	}
	m := &Mutex{words: words, slots: host.Slots()}
	m.open(host, &words.event, o)
	return m, nil
}

// Lock blocks until the lock is this process's. With a nil error, and also with
// [ErrOwnerDied], it is. It is not with the context's error, [ErrClosed] or
// [ErrCorrupt]. A lock that is free is taken whatever the context.
func (m *Mutex) Lock(ctx context.Context) error {
	fault.Point("robust.lock.take")
	if m.words.word.CompareAndSwap(0, uint64(ownedBy(m.me))) {
		m.acquired(m.clock())
		return nil
	}
	return m.lockSlow(ctx)
}

// TryLock is a Lock that does not wait. It tells whether the lock is this
// process's now; the error is then nil or [ErrOwnerDied]. It takes a free lock
// even when somebody has reserved it.
func (m *Mutex) TryLock() (locked bool, err error) {
	for {
		w := lockWord(m.words.word.Load())
		if !w.valid(m.slots) {
			return false, ErrCorrupt
		}
		if !w.free() {
			return false, nil
		}
		fault.Point("robust.lock.try")
		if m.words.word.CompareAndSwap(uint64(w), uint64(w|ownedBy(m.me))) {
			m.acquired(m.clock())
			return true, w.error()
		}
	}
}

// error is what Lock returns when it has acquired the lock at this word.
func (w lockWord) error() error {
	if w.died() {
		return ErrOwnerDied
	}
	return nil
}

// acquired is what a new owner does before anything else. Nobody but it writes
// these words; the next owner sees them because it acquires the word that this
// one stores when it unlocks, or that recovery stores in its name.
func (m *Mutex) acquired(now int64) {
	token := m.words.token.Load() + 1
	fault.Point("robust.lock.token")
	mem.StoreRelease(&m.words.token, token)
	fault.Point("robust.lock.since")
	mem.StoreRelease(&m.words.since, uint64(now))
}

// Unlock frees the lock, which need not have been locked by this process. The
// error is [ErrNotLocked] when nobody holds it. It never blocks.
func (m *Mutex) Unlock() error {
	fault.Point("robust.unlock")
	if m.words.word.CompareAndSwap(uint64(ownedBy(m.me)), 0) {
		m.notify()
		return nil
	}
	return m.unlockSlow(false)
}

// unlockSlow unlocks a lock that is reserved, whose owner before died, or that
// is another process's.
func (m *Mutex) unlockSlow(mine bool) error {
	for {
		w := lockWord(m.words.word.Load())
		switch {
		case !w.valid(m.slots):
			return ErrCorrupt
		case mine && w.owner() != m.me:
			return ErrNotOwner
		case w.free():
			return ErrNotLocked
		}
		fault.Point("robust.unlock.slow")
		if m.words.word.CompareAndSwap(uint64(w), uint64(w&^(slotMask|diedFlag))) {
			m.notify()
			return nil
		}
	}
}

// Token returns the fencing token of whoever holds the lock: a number that each
// Lock makes larger than all before, in whatever process. It is the caller's
// while it holds the lock.
func (m *Mutex) Token() uint64 { return m.words.token.Load() }

// Locked tells whether somebody holds the lock. The answer may be old.
func (m *Mutex) Locked() bool { return !lockWord(m.words.word.Load()).free() }

// holds tells whether this process holds the lock.
func (m *Mutex) holds() bool { return lockWord(m.words.word.Load()).owner() == m.me }

// lockSlow is Lock when the word is not plainly free.
func (m *Mutex) lockSlow(ctx context.Context) error {
	w := lockWaiter{m: m}
	if done, err := w.take(false); done || err != nil {
		return w.result(err)
	}
	w.began = time.Now()
	if err := m.wait(ctx, &w); err != nil {
		m.giveWay()
		return err
	}
	return w.result(nil)
}

// giveWay withdraws this process's reservation. If another goroutine still waits
// it makes a new one.
func (m *Mutex) giveWay() {
	for {
		w := lockWord(m.words.word.Load())
		if w.next() != m.me {
			return
		}
		fault.Point("robust.lock.withdraw")
		if m.words.word.CompareAndSwap(uint64(w), uint64(w.withoutNext())) {
			m.notify()
			return
		}
	}
}

// A lockWaiter is one Lock that has to wait.
type lockWaiter struct {
	m     *Mutex
	began time.Time
	pass  int      // slot whose reservation has been respected for long enough, +1
	taken lockWord // what the word was when it was free
}

func (w *lockWaiter) Try() (bool, error) { return w.take(true) }

// Ready is the cheap look: see [futex.Looker].
func (w *lockWaiter) Ready() bool {
	return lockWord(w.m.words.word.Load()).free() || w.m.closed.Load()
}

// take takes the lock if it is free and not reserved for somebody else. Only
// who waits at the gate, and so is next among the goroutines of this process,
// may use this process's reservation, or make one.
func (w *lockWaiter) take(queued bool) (bool, error) {
	m := w.m
	for {
		v := lockWord(m.words.word.Load())
		if !v.valid(m.slots) {
			return false, ErrCorrupt
		}
		if err := m.isClosed(); err != nil {
			return false, err
		}
		if !v.free() || !w.mayTake(v.next(), queued) {
			if queued && v.next() < 0 && time.Since(w.began) > patience {
				fault.Point("robust.lock.reserve")
				if !m.words.word.CompareAndSwap(uint64(v), uint64(v.withNext(m.me))) {
					continue
				}
			}
			return false, nil
		}
		fault.Point("robust.lock.turn")
		if m.words.word.CompareAndSwap(uint64(v), uint64(v.withoutNext()|ownedBy(m.me))) {
			w.taken = v
			m.acquired(m.clock())
			return true, nil
		}
	}
}

func (w *lockWaiter) mayTake(next int, queued bool) bool {
	return next < 0 || queued && (next == w.m.me || next+1 == w.pass)
}

// Slice looks whether whoever is waited for has died. Who has a reservation and
// does not come for a whole slice, because it is stopped, loses its turn: it is
// not the owner, and nothing of it is taken away but the order.
func (w *lockWaiter) Slice() {
	v := lockWord(w.m.words.word.Load())
	if owner := v.owner(); owner >= 0 && owner != w.m.me {
		w.m.host.Probe(owner)
	}
	w.pass = 0
	if next := v.next(); next >= 0 && next != w.m.me {
		w.m.host.Probe(next)
		if v.free() {
			w.pass = next + 1
		}
	}
}

func (w *lockWaiter) result(err error) error {
	if err != nil {
		return err
	}
	return w.taken.error()
}

// recoverMutex frees the lock in the name of the dead process of the slot,
// without owning it in between. That it leaves the mark, and not a plain free
// word, hands the news to the next owner.
func recoverMutex(words *mutexWords, slot int) {
	for {
		w := lockWord(words.word.Load())
		repaired := w
		if w.owner() == slot {
			repaired = repaired&^slotMask | diedFlag
		}
		if w.next() == slot {
			repaired = repaired.withoutNext()
		}
		if repaired == w {
			return
		}
		fault.Point("robust.recover.lock")
		if words.word.CompareAndSwap(uint64(w), uint64(repaired)) {
			futex.Notify(&words.event)
			return
		}
	}
}
