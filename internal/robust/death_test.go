//go:build linux

package robust_test

import (
	"testing"
	"time"

	"github.com/shmkit/shmkit/internal/robust"
)

// soonEnough is how long a survivor may wait after a death: some slices on a
// machine that is busy with other things. The aim is 150 ms.
const soonEnough = 5 * time.Second

// TestDeaths kills a process that holds, or waits for, each thing, while another
// waits. That one goes on, and says how long it took.
func TestDeaths(t *testing.T) {
	for _, c := range []struct {
		name   string
		orders []string // to the victim
		wait   func(p *party) error
		want   error
	}{
		{"X1_lock_holder", []string{"lock"}, func(p *party) error { return p.mutex.Lock(bg) }, robust.ErrOwnerDied},
		{"rlock_holder", []string{"relock", "relock"}, func(p *party) error { return p.rlock.Lock(bg) }, robust.ErrOwnerDied},
		{"writer", []string{"write"}, func(p *party) error { return p.rw.RLock(bg) }, robust.ErrOwnerDied},
		{"reader", []string{"read"}, func(p *party) error { return p.rw.Lock(bg) }, nil},
		{"permit_holder", []string{"acquire", "acquire"}, func(p *party) error { return p.sem.Acquire(bg) }, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newSegment(t)
			victim := p.peer(t)
			for _, order := range c.orders {
				victim.does(order, "ok")
			}
			got := start(func() error { return c.wait(p) })
			until(t, "the survivor waits", func() bool {
				return p.mutex.Waiting()+p.rlock.Waiting()+p.rw.Waiting()+p.sem.Waiting() == 1
			})
			victim.kill()
			begin := time.Now()
			want(t, c.name, soon(t, "the end", got), c.want)
			d := time.Since(begin)
			t.Logf("after %v", d)
			if d > soonEnough {
				t.Errorf("it took %v", d)
			}
		})
	}
}

// TestX2DeadEventWaiter: setting an event waits for nobody, be they dead or
// stopped.
func TestX2DeadEventWaiter(t *testing.T) {
	p := newSegment(t)
	dead, stopped, alive := p.peer(t), p.peer(t), p.peer(t)
	for _, c := range []*peer{dead, stopped, alive} {
		c.tell("await")
	}
	dead.kill()
	stopped.stop()
	done := start(func() error { p.event.Set(); return nil })
	want(t, "Set", soon(t, "Set", done), nil)
	alive.answers("ok")
	if !p.event.IsSet() {
		t.Error("not set")
	}
	stopped.resume()
	stopped.answers("ok")
}

// TestX3BarrierWaiterDies: of two that wait for a third, one is killed. The other
// hears of it at once, and so does the third when it comes.
func TestX3BarrierWaiterDies(t *testing.T) {
	p := newSegment(t)
	victim := p.peer(t)
	victim.tell("meetthree")
	until(t, "the victim waits", func() bool { return p.trio.Arrived() == 1 })
	got := start(func() error { _, err := p.trio.Wait(bg, nil); return err })
	until(t, "both wait", func() bool { return p.trio.Arrived() == 2 })
	victim.kill()
	want(t, "Wait", soon(t, "the end", got), robust.ErrBroken)
	_, err := p.trio.Wait(bg, nil)
	want(t, "the third's Wait", err, robust.ErrBroken)
	want(t, "Reset", p.trio.Reset(), nil)
	if p.trio.Broken() {
		t.Error("broken after a reset")
	}
}

// TestStoppedOwner: a stopped process keeps its lock, and finds it its own when it
// goes on.
func TestStoppedOwner(t *testing.T) {
	p := newSegment(t)
	c := p.peer(t)
	c.does("lock", "ok")
	c.stop()
	got := start(func() error { return p.mutex.Lock(bg) })
	until(t, "it is reserved", func() bool { return robust.NextOf(p.mutex) == p.seg.Slot() })
	for range 3 {
		if n := p.seg.RecoverDead(); n != 0 {
			t.Fatalf("recovered %d", n)
		}
	}
	if o, ok := p.mutex.Owner(); !ok || o.Slot != 1 {
		t.Fatalf("owner %v, %v", o, ok)
	}
	c.resume()
	c.does("unlock", "ok")
	want(t, "Lock", soon(t, "the lock", got), nil)
}

// TestStoppedWaiter: a process that waits, has reserved the lock and is stopped
// keeps nobody from it; neither does one that waits to write keep readers out.
func TestStoppedWaiter(t *testing.T) {
	p := newSegment(t)
	for _, c := range []struct {
		order   string
		hold    func() error
		free    func() error
		next    func() int
		another func() error
		after   string
	}{
		{"lock", func() error { return p.mutex.Lock(bg) }, p.mutex.Unlock, func() int { return robust.NextOf(p.mutex) },
			func() error { return p.mutex.Lock(bg) }, "unlock"},
		{"write", func() error { return p.rw.RLock(bg) }, p.rw.RUnlock, func() int { return robust.NextRW(p.rw) },
			func() error { return p.rw.RLock(bg) }, "unwrite"},
	} {
		waiter := p.peer(t)
		want(t, "the lock", c.hold(), nil)
		waiter.tell(c.order)
		until(t, "it is reserved", func() bool { return c.next() == 1 })
		waiter.stop()
		want(t, "the unlock", c.free(), nil)
		for range 5 {
			got := start(c.another)
			want(t, "the next lock", soon(t, "a lock that a stopped process has reserved", got), nil)
			want(t, "the unlock", c.free(), nil)
		}
		waiter.resume()
		waiter.answers("ok")
		waiter.does(c.after, "ok")
		waiter.kill()
		p.seg.RecoverDead()
	}
}

// TestUnlockByAnotherProcess: a child locks and exits; see M14 of the conformance
// list. Until it exits anybody may unlock, and behind that the lock is free.
func TestUnlockByAnotherProcess(t *testing.T) {
	p := newSegment(t)
	c := p.peer(t)
	c.does("lock", "ok")
	if !p.mutex.Locked() {
		t.Error("not locked")
	}
	want(t, "Unlock", p.mutex.Unlock(), nil)
	want(t, "second Unlock", p.mutex.Unlock(), robust.ErrNotLocked)
	c.does("trylock", "ok")
	c.does("trylock", "refused")
	want(t, "Unlock", p.mutex.Unlock(), nil)
	c.does("unlock", "unlocked")
	c.does("relock", "ok")
	want(t, "Unlock", p.rlock.Unlock(), robust.ErrNotOwner)
	c.does("reunlock", "ok")
}

// TestB11Thousand: a thousand passes of a barrier by two processes.
func TestB11Thousand(t *testing.T) {
	p := newSegment(t)
	c := p.peer(t)
	const passes = 1000
	go func() {
		for range passes {
			c.tell("meet")
		}
	}()
	begin := time.Now()
	for range passes {
		_, err := p.barrier.Wait(within(t), nil)
		want(t, "Wait", err, nil)
		c.answers("ok")
	}
	t.Logf("%d passes in %v", passes, time.Since(begin))
}
