package manager_test

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"time"

	"github.com/shmkit/shmkit/manager"
)

// TestLockObjects uses each kind of object of synchronisation with two handles of the
// manager, which stand for two processes.
func TestLockObjects(t *testing.T) {
	dir := tempDir(t)
	m, n := open(t, &manager.Options{Dir: dir}), open(t, &manager.Options{Dir: dir})
	short := func() context.Context {
		ctx, cancel := context.WithTimeout(bg, 10*time.Millisecond)
		t.Cleanup(cancel)
		return ctx
	}

	a, err := manager.NewLock(m, "lock")
	must(t, err)
	b, err := manager.NewLock(n, "lock")
	must(t, err)
	must(t, a.Lock(bg))
	first := a.Token()
	if err := b.Lock(short()); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	if ok, err := b.TryLock(); ok || err != nil {
		t.Error(ok, err)
	}
	if o, ok := b.Owner(); !ok || o.Self || !o.Alive || o.Token != first {
		t.Errorf("%+v, %v", o, ok)
	}
	t.Log(b)
	must(t, a.Unlock())
	must(t, b.Lock(bg))
	if b.Token() <= first || !a.Locked() {
		t.Error(b.Token(), first)
	}
	must(t, a.Unlock()) // of another process
	if err := a.Unlock(); !errors.Is(err, manager.ErrNotLocked) {
		t.Error(err)
	}

	ra, err := manager.NewRLock(m, "rlock")
	must(t, err)
	rb, err := manager.NewRLock(m, "rlock") // another handle in the same process
	must(t, err)
	must(t, ra.Lock(bg))
	must(t, ra.Lock(bg))
	if err := rb.Lock(short()); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	must(t, ra.Close())
	if err := rb.Lock(bg); !errors.Is(err, manager.ErrOwnerDied) {
		t.Error(err)
	}
	must(t, rb.Unlock())

	wa, err := manager.NewRWLock(m, "rwlock")
	must(t, err)
	wb, err := manager.NewRWLock(n, "rwlock")
	must(t, err)
	must(t, wa.RLock(bg))
	must(t, wb.RLock(bg))
	if wa.Readers() != 2 {
		t.Error(wa.Readers())
	}
	if ok, err := wb.TryLock(); ok || err != nil {
		t.Error(ok, err)
	}
	must(t, wa.RUnlock())
	must(t, wb.RUnlock())
	must(t, wb.Lock(bg))
	if err := wa.Unlock(); !errors.Is(err, manager.ErrNotOwner) {
		t.Error(err)
	}
	must(t, wb.Unlock())

	sa, err := manager.NewBoundedSemaphore(m, "sem", 2)
	must(t, err)
	sb, err := manager.NewBoundedSemaphore(n, "sem", 2)
	must(t, err)
	if _, err := manager.NewSemaphore(n, "sem", 2); !errors.Is(err, manager.ErrType) {
		t.Error(err)
	}
	if _, err := manager.NewLock(n, "sem"); !errors.Is(err, manager.ErrKind) {
		t.Error(err)
	}
	must(t, sa.Acquire(bg))
	must(t, sb.Acquire(bg))
	if ok, err := sa.TryAcquire(); ok || err != nil {
		t.Error(ok, err)
	}
	must(t, sa.Release())
	must(t, sa.Release())
	if err := sb.Release(); !errors.Is(err, manager.ErrReleased) {
		t.Error(err)
	}

	ea, err := manager.NewEvent(m, "event")
	must(t, err)
	eb, err := manager.NewEvent(n, "event")
	must(t, err)
	woken := make(chan error, 1)
	go func() { woken <- eb.Wait(bg) }()
	must(t, ea.Set())
	must(t, <-woken)
	must(t, eb.Clear())
	if ea.IsSet() {
		t.Error(ea)
	}

	for _, lock := range []string{"", "lock", "rlock"} {
		var la, lb manager.Locker
		switch lock {
		case "lock":
			la, lb = a, b
		case "rlock":
			rc, err := manager.NewRLock(n, "rlock")
			must(t, err)
			la, lb = rb, rc
		}
		ca, err := manager.NewCond(m, "cond "+lock, la)
		must(t, err)
		cb, err := manager.NewCond(n, "cond "+lock, lb)
		must(t, err)
		must(t, cb.Lock(bg))
		go func() { woken <- errors.Join(cb.Wait(bg), cb.Unlock()) }()
		must(t, ca.Lock(bg)) // it is free when the other one waits
		if ca.Waiters() != 1 {
			t.Error(ca)
		}
		must(t, ca.Notify(1))
		must(t, ca.Unlock())
		must(t, <-woken)
		if err := ca.Wait(bg); !errors.Is(err, manager.ErrNotOwner) {
			t.Error(err)
		}
		must(t, ca.Close())
		must(t, cb.Close())
		runtime.GC()
	}

	ba, err := manager.NewBarrier(m, "barrier", 2, nil)
	must(t, err)
	bb, err := manager.NewBarrier(n, "barrier", 2, nil)
	must(t, err)
	go func() { _, err := bb.Wait(bg); woken <- err }()
	_, err = ba.Wait(bg)
	must(t, err)
	must(t, <-woken)
	if _, err := ba.Wait(short()); !errors.Is(err, manager.ErrBroken) || !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	if !bb.Broken() {
		t.Error(bb)
	}
	must(t, bb.Reset())

	r, err := m.Fsck()
	must(t, err)
	if !r.OK() {
		t.Error(r.Problems)
	}
}

// TestLockOutlivesHandle: a lock that is held is not lost with its handle.
func TestLockOutlivesHandle(t *testing.T) {
	m := open(t, &manager.Options{Dir: tempDir(t)})
	l, err := manager.NewLock(m, "lock")
	must(t, err)
	must(t, l.Lock(bg))
	must(t, l.Close())
	again, err := manager.NewLock(m, "lock")
	must(t, err)
	if o, ok := again.Owner(); !ok || !o.Self {
		t.Errorf("%+v, %v", o, ok)
	}
	must(t, again.Unlock())
}

// TestCloseWakes: who waits for an object when its manager is closed gets ErrClosed.
func TestCloseWakes(t *testing.T) {
	dir := tempDir(t)
	m, n := open(t, &manager.Options{Dir: dir}), open(t, &manager.Options{Dir: dir})
	l, err := manager.NewLock(m, "lock")
	must(t, err)
	must(t, l.Lock(bg))
	theirs, err := manager.NewLock(n, "lock")
	must(t, err)
	e, err := manager.NewEvent(n, "event")
	must(t, err)
	b, err := manager.NewBarrier(n, "barrier", 2, nil)
	must(t, err)
	done := make(chan error, 3)
	go func() { done <- theirs.Lock(bg) }()
	go func() { done <- e.Wait(bg) }()
	go func() { _, err := b.Wait(bg); done <- err }()
	until(t, "one waits at the barrier", func() bool { return b.Waiting() == 1 })
	must(t, n.Close())
	for range cap(done) {
		if err := <-done; !errors.Is(err, manager.ErrClosed) {
			t.Error(err)
		}
	}
}

// TestLeaveWithLock: who leaves with a lock gives it up as the dead do.
func TestLeaveWithLock(t *testing.T) {
	dir := tempDir(t)
	m, n := open(t, &manager.Options{Dir: dir}), open(t, &manager.Options{Dir: dir})
	l, err := manager.NewLock(m, "lock")
	must(t, err)
	theirs, err := manager.NewLock(n, "lock")
	must(t, err)
	must(t, theirs.Lock(bg))
	must(t, n.Close())
	if err := l.Lock(bg); !errors.Is(err, manager.ErrOwnerDied) {
		t.Error(err)
	}
	must(t, l.Unlock())
	must(t, l.Lock(bg))
	must(t, l.Unlock())
}
