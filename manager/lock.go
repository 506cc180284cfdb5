package manager

import (
	"context"
	"runtime"

	"github.com/shmkit/shmkit/internal/robust"
)

// Errors of locks and other objects of synchronisation.
var (
	// ErrOwnerDied is returned together with a lock when a process died, or left, that held it
	// exclusively: what the lock protects may be half done.
	ErrOwnerDied = robust.ErrOwnerDied
	// ErrNotLocked is returned when a lock is unlocked that nobody holds.
	ErrNotLocked = robust.ErrNotLocked
	// ErrNotOwner is returned when somebody else holds the lock, or nobody does, and the caller
	// would have to.
	ErrNotOwner = robust.ErrNotOwner
	// ErrReleased is returned when a semaphore is released more often than it may be.
	ErrReleased = robust.ErrReleased
	// ErrBroken is returned by a barrier that was aborted, or reset while the caller waited, or
	// one of whose participants died or gave up.
	ErrBroken = robust.ErrBroken
)

// sideOptions are what handles of package robust need to know.
func (m *space) sideOptions() robust.Options {
	return robust.Options{Wait: waitPolicy(m.opts.Wait), Clock: m.coarse.Load}
}

// begin begins an operation on the object: from now on its memory stays.
func (p *part) begin(op string) error {
	if p.use.closed.Load() || p.m.seg.Acquire() != nil {
		return wrap(op, p.name, ErrClosed)
	}
	return nil
}

// end ends it. p is not garbage before.
func (p *part) end(op string, err error) error {
	p.m.seg.Release()
	runtime.KeepAlive(p)
	if err != nil {
		return wrap(op, p.name, err)
	}
	return nil
}

// A Lock is a mutual exclusion lock shared by processes. It belongs to the process, as Python's
// belongs to no thread: any goroutine may unlock it, and any process too. It is not lost with
// its owner: when a process dies, or leaves the manager, that has it, the next one to
// lock it gets it, at most 150 ms later, with [ErrOwnerDied].
//
// Lock and Unlock of a lock that is free, or for which nobody waits, make no system call. Who
// has waited for a millisecond is let in next. A process keeps a lock that it has locked even
// when it gives up its handle.
//
// Its methods may be called from several goroutines.
type Lock struct {
	part
	side *robust.Mutex
}

// NewLock opens the lock called name in m, or creates it when there is none. The empty name makes a
// new one without a name. It fails with [ErrKind] when the name is another kind of object's.
func NewLock(m *Manager, name string) (*Lock, error) {
	l := new(Lock)
	if err := l.obtainWords(m, name, record{kind: kindLock}, sizeOf(robust.KindMutex), nil, l.attach); err != nil {
		return nil, wrap("open", name, err)
	}
	endWith(l.use, l)
	return l, nil
}

func (l *Lock) attach(b []byte) (err error) {
	l.side, err = mutexOf(l.m, l.object, b)
	return err
}

// mutexOf returns this process's side of the mutex at the beginning of an object.
func mutexOf(m *space, o *object, b []byte) (*robust.Mutex, error) {
	return sideOf(m, o, func() (*robust.Mutex, error) { return robust.NewMutex(m.seg, b, m.sideOptions()) })
}

// UnmarshalBinary makes l a handle of the lock of the reference. It fails with [ErrNotExist]
// when that is gone.
func (l *Lock) UnmarshalBinary(b []byte) error {
	n := new(Lock)
	if err := n.resolveWords(b, kindLock, n.attach); err != nil {
		return err
	}
	*l = *n
	endWith(l.use, l)
	return nil
}

// Lock blocks until the lock is this process's. It is, with a nil error and also with
// [ErrOwnerDied]: then somebody died who had it, and what it protects may be half done. With
// any other error it is not: the context's, [ErrClosed]. A lock that is free is taken whatever the
// context.
func (l *Lock) Lock(ctx context.Context) error {
	// begin and end, written out: the compiler does not inline them.
	if l.use.closed.Load() || l.m.seg.Acquire() != nil {
		return wrap("lock", l.name, ErrClosed)
	}
	err := l.side.Lock(ctx)
	l.m.seg.Release()
	runtime.KeepAlive(l)
	if err != nil {
		return wrap("lock", l.name, err)
	}
	return nil
}

// TryLock is a Lock that does not wait. It tells whether the lock is this process's now; the
// error is then nil or [ErrOwnerDied].
func (l *Lock) TryLock() (bool, error) {
	if err := l.begin("lock"); err != nil {
		return false, err
	}
	ok, err := l.side.TryLock()
	return ok, l.end("lock", err)
}

// Unlock frees the lock, whoever has it. The error is [ErrNotLocked] when nobody does. It never
// blocks.
func (l *Lock) Unlock() error {
	if l.use.closed.Load() || l.m.seg.Acquire() != nil { // as in Lock
		return wrap("unlock", l.name, ErrClosed)
	}
	err := l.side.Unlock()
	l.m.seg.Release()
	runtime.KeepAlive(l)
	if err != nil {
		return wrap("unlock", l.name, err)
	}
	return nil
}

// With calls f while the lock is this process's: f(nil), or f(ErrOwnerDied) if the owner before died. It
// returns f's error, or that of Lock or Unlock. The lock is unlocked even if f panics.
func (l *Lock) With(ctx context.Context, f func(died error) error) error {
	return with(ctx, l, f)
}

// Locked tells whether somebody has the lock. The answer may be old. It is false when the manager
// is closed.
func (l *Lock) Locked() bool {
	if l.begin("") != nil {
		return false
	}
	defer l.end("", nil)
	return l.side.Locked()
}

// Token returns the fencing token of who has the lock: a number that each Lock makes larger than
// all before, in whatever process. It is the caller's while it has the lock. Whoever keeps data
// elsewhere can refuse requests with a smaller token than the largest it has seen.
func (l *Lock) Token() uint64 {
	if l.begin("") != nil {
		return 0
	}
	defer l.end("", nil)
	return l.side.Token()
}

// Owner returns who has the lock; false if nobody does. The answer may be old.
func (l *Lock) Owner() (Owner, bool) {
	if l.begin("") != nil {
		return Owner{}, false
	}
	defer l.end("", nil)
	return l.m.ownerOf(l.side.Owner())
}

// String returns the lock's name and owner in a line.
func (l *Lock) String() string {
	o, ok := l.Owner()
	return describeLock(kindNames[kindLock], l.name, o, ok)
}

// A locker is an exclusive lock: [Lock], [RLock], or the writing side of a [RWLock].
type locker interface {
	Lock(ctx context.Context) error
	Unlock() error
}
