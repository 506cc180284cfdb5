package robust_test

import (
	"context"
	"testing"
	"time"

	"github.com/shmkit/shmkit/internal/robust"
)

func TestEvent(t *testing.T) {
	w := newWorld(t)
	a, b := w.party(t, 0), w.party(t, 1)
	want(t, "Wait", a.event.Wait(expired()), context.DeadlineExceeded)
	got := start(func() error { return a.event.Wait(bg) })
	until(t, "it waits", func() bool { return a.event.Waiting() == 1 })
	b.event.Set()
	b.event.Clear() // who waited is released all the same
	want(t, "Wait", soon(t, "the event", got), nil)
	if a.event.IsSet() {
		t.Error("set after Clear")
	}
	b.event.Set()
	b.event.Set()
	want(t, "Wait", a.event.Wait(expired()), nil)
	b.event.Clear()
	got = start(func() error { return a.event.Wait(bg) })
	until(t, "it waits", func() bool { return a.event.Waiting() == 1 })
	a.close()
	want(t, "Wait of a closed handle", soon(t, "the end", got), robust.ErrClosed)
}

// waiters starts n goroutines of p that wait for the condition, one behind the
// other. Each sends its number when it has been notified.
func waiters(t *testing.T, p *party, from, n int) <-chan int {
	t.Helper()
	done := make(chan int, n)
	for i := range n {
		before := p.cond.Waiters()
		go func() {
			if err := p.inner.Lock(bg); err != nil {
				t.Error(err)
			}
			if err := p.cond.Wait(bg); err != nil {
				t.Error(err)
			}
			if err := p.inner.Unlock(); err != nil {
				t.Error(err)
			}
			done <- from + i
		}()
		until(t, "it waits", func() bool { return p.cond.Waiters() == before+1 })
	}
	return done
}

func notify(t *testing.T, p *party, n int) {
	t.Helper()
	want(t, "Lock", p.inner.Lock(bg), nil)
	want(t, "Notify", p.cond.Notify(n), nil)
	want(t, "Unlock", p.inner.Unlock(), nil)
}

// TestCondNotify: each notification wakes exactly one, the longest-waiting of its
// process; and those with nobody to wake are not kept.
func TestCondNotify(t *testing.T) {
	w := newWorld(t)
	a, b := w.party(t, 0), w.party(t, 1)
	want(t, "Notify without the lock", a.cond.Notify(1), robust.ErrNotOwner)
	want(t, "Wait without the lock", a.cond.Wait(bg), robust.ErrNotOwner)
	notify(t, a, 3) // nobody
	mine := waiters(t, a, 0, 3)
	theirs := waiters(t, b, 10, 3)
	nextMine, nextTheirs := 0, 10
	for n := 6; n > 0; n-- {
		if got := a.cond.Waiters(); got != n {
			t.Fatalf("%d wait, not %d", got, n)
		}
		notify(t, b, 1)
		select {
		case got := <-mine:
			if got != nextMine {
				t.Errorf("%d was notified before %d", got, nextMine)
			}
			nextMine++
		case got := <-theirs:
			if got != nextTheirs {
				t.Errorf("%d was notified before %d", got, nextTheirs)
			}
			nextTheirs++
		case <-time.After(30 * time.Second):
			t.Fatal("a notification has woken nobody")
		}
	}
	all, more := waiters(t, a, 0, 2), waiters(t, b, 0, 2)
	notify(t, a, 3)
	until(t, "three of four went on", func() bool { return len(all)+len(more) == 3 })
	if n := a.cond.Waiters(); n != 1 {
		t.Errorf("%d wait, not 1", n)
	}
	want(t, "Lock", a.inner.Lock(bg), nil)
	want(t, "NotifyAll", a.cond.NotifyAll(), nil)
	want(t, "Unlock", a.inner.Unlock(), nil)
	until(t, "the fourth went on", func() bool { return len(all)+len(more) == 4 })
}

// A wait that ends otherwise does not eat a notification.
func TestCondWaitEnds(t *testing.T) {
	w := newWorld(t)
	a, b := w.party(t, 0), w.party(t, 1)
	ctx, cancel := context.WithCancel(bg)
	ended := start(func() error {
		if err := a.inner.Lock(bg); err != nil {
			return err
		}
		return a.cond.Wait(ctx)
	})
	until(t, "it waits", func() bool { return a.cond.Waiters() == 1 })
	second := waiters(t, a, 2, 1)
	cancel()
	want(t, "Wait", soon(t, "the end", ended), context.Canceled)
	if ok, err := b.inner.TryLock(); ok || err != nil {
		t.Fatalf("after Wait the lock is free: %v, %v", ok, err)
	}
	want(t, "Unlock", a.inner.Unlock(), nil)
	if n := a.cond.Waiters(); n != 1 {
		t.Errorf("%d wait, not 1", n)
	}
	notify(t, b, 1)
	soon(t, "the notification", second)
}

// What a process was notified of before it died goes to others.
func TestCondDeath(t *testing.T) {
	w := newWorld(t)
	a, b := w.party(t, 0), w.party(t, 1)
	want(t, "Lock", b.inner.Lock(bg), nil)
	ctx, cancel := context.WithCancel(bg)
	victim := start(func() error { return b.cond.Wait(ctx) })
	until(t, "the victim waits", func() bool { return a.cond.Waiters() == 1 })
	mine := waiters(t, a, 0, 1)
	// The victim is dead now, so its goroutine must get nothing of what comes. It
	// is in the same process as the test, and has to be kept from it by the mutex.
	w.kill(1)
	want(t, "Recover", recoverObjects(w.body, 1), nil)
	if n := a.cond.Waiters(); n != 1 {
		t.Errorf("%d wait, not 1", n)
	}
	notify(t, a, 1)
	soon(t, "the notification", mine)
	cancel()
	want(t, "the dead one's Wait", soon(t, "the end", victim), context.Canceled)
}

// A Cond works with an RLock, and gives back all Locks of it.
func TestCondWithRLock(t *testing.T) {
	w := newWorld(t)
	a, b := w.party(t, 0), w.party(t, 1)
	c, err := robust.NewCond(citizen{w, 0}, place(w.body, testSlots, 6), a.rlock, robust.Options{})
	if err != nil {
		t.Fatal(err)
	}
	want(t, "Wait without the lock", c.Wait(bg), robust.ErrNotOwner)
	for range 3 {
		want(t, "Lock", a.rlock.Lock(bg), nil)
	}
	got := start(func() error { return c.Wait(bg) })
	until(t, "the lock is free", func() bool { return !b.rlock.Locked() })
	want(t, "Lock", b.rlock.Lock(bg), nil)
	want(t, "Unlock", b.rlock.Unlock(), nil)
	until(t, "it can be notified", func() bool { return robust.NotifySlot(c, 0) })
	c.Wake()
	want(t, "Wait", soon(t, "the notification", got), nil)
	if o, ok := b.rlock.Owner(); !ok || o.Depth != 3 {
		t.Errorf("owner %+v, %v", o, ok)
	}
	for range 3 {
		want(t, "Unlock", a.rlock.Unlock(), nil)
	}
	want(t, "Unlock", a.rlock.Unlock(), robust.ErrNotOwner)
}
