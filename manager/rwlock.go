package manager

import (
	"context"
	"fmt"

	"github.com/shmkit/shmkit/internal/robust"
)

// A RWLock is a lock that one process at a time has for writing, or any number for reading. Lock
// and Unlock are the writer's and work as those of a [Lock], but only the process that writes can
// unlock. What a dead process had is subtracted: read locks are gone, and the next one to lock
// for writing or reading after a dead writer gets [ErrOwnerDied]. A writer that has waited for a
// millisecond keeps new readers out.
//
// Its methods may be called from several goroutines. A goroutine that reads must not ask to
// read again: a writer between the two would wait for it, and it for the writer.
type RWLock struct {
	part
	side *robust.RWLock
}

// NewRWLock opens the read-write lock called name in m, or creates it when there is none: see
// [NewLock].
func NewRWLock(m *Manager, name string) (*RWLock, error) {
	l := new(RWLock)
	if err := l.obtainWords(m, name, record{kind: kindRWLock}, sizeOf(robust.KindRWLock), nil, l.attach); err != nil {
		return nil, wrap("open", name, err)
	}
	endWith(l.use, l)
	return l, nil
}

func (l *RWLock) attach(b []byte) (err error) {
	m := l.m
	l.side, err = sideOf(m, l.object, func() (*robust.RWLock, error) { return robust.NewRWLock(m.seg, b, m.sideOptions()) })
	return err
}

// UnmarshalBinary makes l a handle of the lock of the reference. It fails with [ErrNotExist]
// when that is gone.
func (l *RWLock) UnmarshalBinary(b []byte) error {
	n := new(RWLock)
	if err := n.resolveWords(b, kindRWLock, n.attach); err != nil {
		return err
	}
	*l = *n
	endWith(l.use, l)
	return nil
}

// Lock blocks until this process may write, and nobody else reads or writes: see [Lock.Lock].
func (l *RWLock) Lock(ctx context.Context) error {
	if err := l.begin("lock"); err != nil {
		return err
	}
	return l.end("lock", l.side.Lock(ctx))
}

// TryLock is a Lock that does not wait: see [Lock.TryLock].
func (l *RWLock) TryLock() (bool, error) {
	if err := l.begin("lock"); err != nil {
		return false, err
	}
	ok, err := l.side.TryLock()
	return ok, l.end("lock", err)
}

// Unlock ends this process's writing. The error is [ErrNotOwner] when another process writes, and
// [ErrNotLocked] when nobody does. It never blocks.
func (l *RWLock) Unlock() error {
	if err := l.begin("unlock"); err != nil {
		return err
	}
	return l.end("unlock", l.side.Unlock())
}

// RLock blocks until this process may read, and nobody writes. The errors are as [Lock.Lock]'s.
func (l *RWLock) RLock(ctx context.Context) error {
	if err := l.begin("lock for reading"); err != nil {
		return err
	}
	return l.end("lock for reading", l.side.RLock(ctx))
}

// TryRLock is a RLock that does not wait.
func (l *RWLock) TryRLock() (bool, error) {
	if err := l.begin("lock for reading"); err != nil {
		return false, err
	}
	ok, err := l.side.TryRLock()
	return ok, l.end("lock for reading", err)
}

// RUnlock ends one RLock of this process. The error is [ErrNotLocked] when there is none. It
// never blocks.
func (l *RWLock) RUnlock() error {
	if err := l.begin("unlock for reading"); err != nil {
		return err
	}
	return l.end("unlock for reading", l.side.RUnlock())
}

// With calls f with the lock for writing: see [Lock.With].
func (l *RWLock) With(ctx context.Context, f func(died error) error) error { return with(ctx, l, f) }

// WithRead calls f with the lock for reading.
func (l *RWLock) WithRead(ctx context.Context, f func(died error) error) error {
	return with(ctx, reading{l}, f)
}

// reading is the reading side of a RWLock as a locker.
type reading struct{ l *RWLock }

func (r reading) Lock(ctx context.Context) error { return r.l.RLock(ctx) }
func (r reading) Unlock() error                  { return r.l.RUnlock() }

// Locked tells whether somebody has the lock for writing. The answer may be old.
func (l *RWLock) Locked() bool {
	if l.begin("") != nil {
		return false
	}
	defer l.end("", nil)
	return l.side.Locked()
}

// Readers returns how many read locks all processes have together. The answer may be old.
func (l *RWLock) Readers() int {
	if l.begin("") != nil {
		return 0
	}
	defer l.end("", nil)
	return l.side.Readers()
}

// Token returns the fencing token of the writer: see [Lock.Token].
func (l *RWLock) Token() uint64 {
	if l.begin("") != nil {
		return 0
	}
	defer l.end("", nil)
	return l.side.Token()
}

// Owner returns the writer; false if there is none. The answer may be old.
func (l *RWLock) Owner() (Owner, bool) {
	if l.begin("") != nil {
		return Owner{}, false
	}
	defer l.end("", nil)
	return l.m.ownerOf(l.side.Owner())
}

// String returns the lock's name, and its writer or number of read locks, in a line.
func (l *RWLock) String() string {
	o, ok := l.Owner()
	s := describeLock(kindNames[kindRWLock], l.name, o, ok)
	if n := l.Readers(); !ok && n > 0 {
		return fmt.Sprintf("%s %q: read by %d", kindNames[kindRWLock], l.name, n)
	}
	return s
}
