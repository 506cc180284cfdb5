package robust_test

import (
	"sync/atomic"
	"testing"

	"github.com/shmkit/shmkit/internal/robust"
)

// TestEveryReleaseWakes: whatever may let somebody go on wakes who sleeps. The
// waiting bit of the object's word stands for the sleeper: the wake-up takes it.
func TestEveryReleaseWakes(t *testing.T) {
	const mutex, rlock, rw, sem, event, cond, barrier = 0, 1, 2, 3, 4, 5, 6
	meet := func(p *party) error { _, err := p.barrier.Wait(bg, nil); return err }
	for _, c := range []struct {
		name   string
		object int
		before func(p, other *party) error
		free   func(p *party) error // nil: the death of the other
	}{
		{"Unlock", mutex, func(p, _ *party) error { return p.mutex.Lock(bg) }, func(p *party) error { return p.mutex.Unlock() }},
		{"Unlock of another's", mutex, func(_, o *party) error { return o.mutex.Lock(bg) }, func(p *party) error { return p.mutex.Unlock() }},
		{"death of an owner", mutex, func(_, o *party) error { return o.mutex.Lock(bg) }, nil},
		{"RLock.Unlock", rlock, func(p, _ *party) error { return p.rlock.Lock(bg) }, func(p *party) error { return p.rlock.Unlock() }},
		{"RWLock.Unlock", rw, func(p, _ *party) error { return p.rw.Lock(bg) }, func(p *party) error { return p.rw.Unlock() }},
		{"RUnlock", rw, func(p, _ *party) error { return p.rw.RLock(bg) }, func(p *party) error { return p.rw.RUnlock() }},
		{"death of a reader", rw, func(_, o *party) error { return o.rw.RLock(bg) }, nil},
		{"Release", sem, func(p, _ *party) error { return p.sem.Acquire(bg) }, func(p *party) error { return p.sem.Release() }},
		{"death of a permit's holder", sem, func(_, o *party) error { return o.sem.Acquire(bg) }, nil},
		{"Set", event, nil, func(p *party) error { p.event.Set(); return nil }},
		{"Abort", barrier, nil, func(p *party) error { return p.barrier.Abort() }},
		{"Reset", barrier, func(p, _ *party) error { return p.barrier.Abort() }, func(p *party) error { return p.barrier.Reset() }},
		{"death of a member", barrier, func(_, o *party) error { return o.barrier.Join() }, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			a, b := w.party(t, 0), w.party(t, 1)
			if c.before != nil {
				want(t, "before", c.before(a, b), nil)
			}
			word := robust.Events(a.mutex, a.rlock, a.rw, a.sem, a.event, a.cond, a.barrier)[c.object]
			word.Store(1)
			if c.free != nil {
				want(t, c.name, c.free(a), nil)
			} else {
				want(t, c.name, recoverObjects(w.body, 1), nil)
			}
			if v := word.Load(); v != 2 {
				t.Errorf("the word is %d: nobody was woken", v)
			}
		})
	}
	t.Run("the last to come", func(t *testing.T) {
		w := newWorld(t)
		a, b := w.party(t, 0), w.party(t, 1)
		got := start(func() error { return meet(b) })
		until(t, "it waits", func() bool { return a.barrier.Arrived() == 1 })
		word := robust.Events(a.mutex, a.rlock, a.rw, a.sem, a.event, a.cond, a.barrier)[barrier]
		word.Or(1)
		before := word.Load()
		want(t, "Wait", meet(a), nil)
		want(t, "Wait", soon(t, "the round", got), nil)
		if v := word.Load(); v == before {
			t.Errorf("the word is still %d: nobody was woken", v)
		}
	})
	t.Run("Notify", func(t *testing.T) {
		w := newWorld(t)
		a := w.party(t, 0)
		done := waiters(t, a, 0, 1)
		word := robust.Events(a.mutex, a.rlock, a.rw, a.sem, a.event, a.cond, a.barrier)[cond]
		word.Or(1)
		before := word.Load()
		notify(t, a, 1)
		soon(t, "the notification", done)
		if v := word.Load(); v == before {
			t.Errorf("the word is still %d: nobody was woken", v)
		}
	})
}

// What has been notified and has not gone on can't be notified again.
func TestGrant(t *testing.T) {
	var share atomic.Uint64
	share.Store(3)
	for _, c := range []struct{ n, want int }{{1, 1}, {5, 2}, {1, 0}} {
		if got := robust.Grant(&share, c.n); got != c.want {
			t.Errorf("%d of %d notified, not %d", got, c.n, c.want)
		}
	}
	if v := share.Load(); v != 3<<32|3 {
		t.Errorf("the share is %#x", v)
	}
}

// The reservation of a dead process goes with it.
func TestReservationOfTheDead(t *testing.T) {
	w := newWorld(t)
	a := w.party(t, 0)
	robust.Reserve(a.mutex, a.rw, 0, 1)
	if robust.NextOf(a.mutex) != 1 || robust.NextRW(a.rw) != 1 {
		t.Fatal("not reserved")
	}
	want(t, "Recover", recoverObjects(w.body, 1), nil)
	if m, l := robust.NextOf(a.mutex), robust.NextRW(a.rw); m != -1 || l != -1 {
		t.Errorf("reserved for %d and %d", m, l)
	}
	if !a.mutex.Locked() || !a.rw.Locked() {
		t.Error("the owner has lost its lock")
	}
}
