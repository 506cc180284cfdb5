package manager

import (
	"context"

	"github.com/shmkit/shmkit/internal/robust"
)

// A RLock is a [Lock] that its owner may lock again; it is free when each Lock has had its
// Unlock. The owner is the handle, as it is the thread in Python: goroutines that share one count as
// one, and those that are to exclude each other need handles of their own, from [NewRLock]. A
// handle that is closed, or becomes garbage, with the lock gives it up as a death does.
//
// Its methods may be called from several goroutines.
type RLock struct {
	part
	side *robust.RLock
}

// NewRLock opens the recursive lock called name in m, or creates it when there is none: see
// [NewLock].
func NewRLock(m *Manager, name string) (*RLock, error) {
	l := new(RLock)
	if err := l.obtainWords(m, name, record{kind: kindRLock}, sizeOf(robust.KindMutex), nil, l.attach); err != nil {
		return nil, wrap("open", name, err)
	}
	endWith(l.use, l)
	return l, nil
}

func (l *RLock) attach(b []byte) (err error) {
	m, o := l.m, l.object
	m.mu.Lock()
	defer m.mu.Unlock()
	side, err := addSide(m, o, func() (*robust.RLock, error) { return robust.NewRLock(m.seg, b, m.sideOptions()) })
	l.side = side
	l.use.last = func() {
		side.Abandon()
		m.removeSide(o, side)
	}
	return err
}

// UnmarshalBinary makes l a handle of the lock of the reference. It fails with [ErrNotExist]
// when that is gone.
func (l *RLock) UnmarshalBinary(b []byte) error {
	n := new(RLock)
	if err := n.resolveWords(b, kindRLock, n.attach); err != nil {
		return err
	}
	*l = *n
	endWith(l.use, l)
	return nil
}

// Close ends the handle, which gives the lock up if it has it: see [Lock.Close].
func (l *RLock) Close() error {
	if l.begin("close") != nil {
		return nil // it, or the manager, is closed
	}
	l.part.Close()
	l.side.Abandon()
	return l.end("close", nil)
}

// Lock blocks until the lock is this handle's, which it is at once when it is already: see
// [Lock.Lock]. Only the first Lock returns [ErrOwnerDied].
func (l *RLock) Lock(ctx context.Context) error {
	if err := l.begin("lock"); err != nil {
		return err
	}
	return l.end("lock", l.side.Lock(ctx))
}

// TryLock is a Lock that does not wait: see [Lock.TryLock].
func (l *RLock) TryLock() (bool, error) {
	if err := l.begin("lock"); err != nil {
		return false, err
	}
	ok, err := l.side.TryLock()
	return ok, l.end("lock", err)
}

// Unlock takes one Lock back, and frees the lock with the last. The error is [ErrNotOwner] when
// this handle does not have the lock. It never blocks.
func (l *RLock) Unlock() error {
	if err := l.begin("unlock"); err != nil {
		return err
	}
	return l.end("unlock", l.side.Unlock())
}

// With calls f with the lock: see [Lock.With].
func (l *RLock) With(ctx context.Context, f func(died error) error) error { return with(ctx, l, f) }

// Locked tells whether somebody has the lock. The answer may be old.
func (l *RLock) Locked() bool {
	if l.begin("") != nil {
		return false
	}
	defer l.end("", nil)
	return l.side.Locked()
}

// Token returns the fencing token of who has the lock: see [Lock.Token].
func (l *RLock) Token() uint64 {
	if l.begin("") != nil {
		return 0
	}
	defer l.end("", nil)
	return l.side.Token()
}

// Owner returns who has the lock; false if nobody does. The answer may be old.
func (l *RLock) Owner() (Owner, bool) {
	if l.begin("") != nil {
		return Owner{}, false
	}
	defer l.end("", nil)
	return l.m.ownerOf(l.side.Owner())
}

// String returns the lock's name and owner in a line.
func (l *RLock) String() string {
	o, ok := l.Owner()
	return describeLock(kindNames[kindRLock], l.name, o, ok)
}
