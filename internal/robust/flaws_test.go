package robust_test

import (
	"sync"
	"testing"
	"time"

	"github.com/shmkit/shmkit/internal/robust"
)

// The flaws of simpler protocols, as the model checker found them: see the numbers
// in the names. Those that need a death between two steps are in
// flaws_faults_test.go.

// B1 and B2: a waiter has seen a dead owner's slot, and before it acts the slot is
// recovered, taken by a new process, and is the owner again: the word is the
// same, however short a generation in it would be. The lock must not be taken from
// the living.
func TestFlawB1StolenFromNextOwnerOfSlot(t *testing.T) {
	w := newWorld(t)
	a := w.party(t, 0)
	dead := w.party(t, 1)
	want(t, "Lock", dead.mutex.Lock(bg), nil)
	var once sync.Once
	reborn := make(chan *party, 1)
	w.beforeProbe = func(slot int) {
		once.Do(func() {
			if slot != 1 {
				t.Errorf("probes slot %d", slot)
			}
			if err := recoverObjects(w.body, 1); err != nil {
				t.Error(err)
			}
			p := w.party(t, 1)
			ok, err := p.mutex.TryLock() // whatever the waiter has reserved
			if !ok {
				t.Error("the new process can't lock")
			}
			want(t, "TryLock of the new process", err, robust.ErrOwnerDied)
			reborn <- p
		})
	}
	got := start(func() error { return a.mutex.Lock(bg) })
	p := soon(t, "the probe", reborn)
	until(t, "the waiter has looked again", func() bool { return w.probes.Load() > 2 })
	if o, ok := a.mutex.Owner(); !ok || o.Slot != 1 || a.mutex.Waiting() != 1 {
		t.Fatalf("the owner is %v, %v", o, ok)
	}
	want(t, "Unlock", p.mutex.Unlock(), nil)
	want(t, "Lock", soon(t, "the lock", got), nil)
}

// C5 is B1 for permits.
func TestFlawC5PermitsOfNextOwnerOfSlot(t *testing.T) {
	w := newWorld(t)
	a, dead := w.party(t, 0), w.party(t, 1)
	for range permits {
		want(t, "Acquire", dead.sem.Acquire(bg), nil)
	}
	var once sync.Once
	reborn := make(chan *party, 1)
	w.beforeProbe = func(int) {
		once.Do(func() {
			if err := recoverObjects(w.body, 1); err != nil {
				t.Error(err)
			}
			p := w.party(t, 1)
			for range permits {
				want(t, "Acquire of the new process", p.sem.Acquire(bg), nil)
			}
			reborn <- p
		})
	}
	got := start(func() error { return a.sem.Acquire(bg) })
	p := soon(t, "the probe", reborn)
	until(t, "the waiter has looked again", func() bool { return w.probes.Load() > 2 })
	if n := p.sem.Held(); n != permits || a.sem.Waiting() != 1 {
		t.Fatalf("the new process has %d permits", n)
	}
	want(t, "Release", p.sem.Release(), nil)
	want(t, "Acquire", soon(t, "the permit", got), nil)
}

// B5: recovery that leaves a plain free word loses the news. They go to the first
// Lock that returns, and again to the next if that one dies too, with the lock
// or before it had returned.
func TestFlawB5NewsOfDeathLost(t *testing.T) {
	w := newWorld(t)
	a := w.party(t, 0)
	for slot := 1; slot < 4; slot++ {
		err := w.party(t, slot).mutex.Lock(within(t))
		if slot == 1 {
			want(t, "Lock", err, nil)
		} else {
			want(t, "Lock", err, robust.ErrOwnerDied)
		}
		w.kill(slot)
		if slot == 2 {
			w.kill(slot)
			citizen{w, 0}.Probe(slot) // recovered before anybody waits
		}
	}
	want(t, "Lock", a.mutex.Lock(within(t)), robust.ErrOwnerDied)
	if o, ok := a.mutex.Owner(); !ok || !o.Died {
		t.Errorf("the owner is %+v, %v: it does not say that one died", o, ok)
	}
	want(t, "Unlock", a.mutex.Unlock(), nil)
	want(t, "Lock", a.mutex.Lock(within(t)), nil)
	want(t, "Unlock", a.mutex.Unlock(), nil)

	b := w.party(t, 1)
	want(t, "Lock", b.mutex.Lock(bg), nil)
	w.kill(1)
	citizen{w, 0}.Probe(1)
	ok, err := a.mutex.TryLock() // the word is not zero, and nobody has it
	if !ok {
		t.Error("TryLock fails")
	}
	want(t, "TryLock", err, robust.ErrOwnerDied)
}

// B6 and B7: wake-ups lost between Unlock's load and store, and behind a woken
// waiter that forgets those that still sleep. The lock goes through the hands of
// all who sleep, without any of them sleeping to the end of its slice. On a busy
// machine that may take as long for other reasons, but not each time.
func TestFlawB6B7WakeUpsLost(t *testing.T) {
	best := time.Hour
	for range 11 {
		w := newWorld(t)
		a := w.party(t, 0)
		want(t, "Lock", a.mutex.Lock(bg), nil)
		done := make(chan error, 3)
		for slot := 1; slot <= cap(done); slot++ {
			p := w.party(t, slot)
			go func() {
				if err := p.mutex.Lock(bg); err != nil {
					done <- err
					return
				}
				done <- p.mutex.Unlock()
			}()
			until(t, "it sleeps", func() bool { return robust.Sleeps(p.mutex) > 0 })
		}
		begin := time.Now()
		want(t, "Unlock", a.mutex.Unlock(), nil)
		for range cap(done) {
			want(t, "Lock and Unlock", soon(t, "the lock", done), nil)
		}
		best = min(best, time.Since(begin))
	}
	t.Logf("%v at best", best)
	if best > 20*time.Millisecond {
		t.Errorf("it takes %v at best: somebody sleeps on", best)
	}
}

// B8: a process that probes its own slot ends its own life.
func TestFlawB8OwnSlotProbed(t *testing.T) {
	w := newWorld(t)
	a, b := w.party(t, 0), w.party(t, 1)
	want(t, "Lock", a.mutex.Lock(bg), nil)
	want(t, "RLock.Lock", b.rlock.Lock(bg), nil)
	want(t, "RWLock.Lock", a.rw.Lock(bg), nil)
	for range permits {
		want(t, "Acquire", a.sem.Acquire(bg), nil)
	}
	handle := w.party(t, 0)
	got := []<-chan error{
		start(func() error { return a.mutex.Lock(bg) }),
		start(func() error { return handle.rw.RLock(bg) }),
		start(func() error { return a.sem.Acquire(bg) }),
		start(func() error { _, err := a.barrier.Wait(bg, nil); return err }),
	}
	other := start(func() error { return handle.rlock.Lock(bg) }) // waits for slot 1
	until(t, "slices have gone by", func() bool { return w.probes.Load() >= 3 })
	if n := w.own.Load(); n != 0 {
		t.Errorf("%d probes of the prober's own slot", n)
	}
	want(t, "Unlock", a.mutex.Unlock(), nil)
	want(t, "Unlock", a.rw.Unlock(), nil)
	want(t, "Unlock", b.rlock.Unlock(), nil)
	want(t, "Release", a.sem.Release(), nil)
	_, err := b.barrier.Wait(bg, nil)
	want(t, "Wait", err, nil)
	for _, c := range append(got, other) {
		want(t, "the operation", soon(t, "the operation", c), nil)
	}
}

// C7: who dies before it is a member breaks nothing, and who has joined does, at
// once and for those who wait already.
func TestFlawC7Membership(t *testing.T) {
	w := newWorld(t)
	a, b := w.party(t, 0), w.party(t, 1)
	want(t, "Recover", recoverObjects(w.body, 1), nil)
	if a.barrier.Broken() {
		t.Fatal("broken by a stranger's death")
	}
	want(t, "Join", b.barrier.Join(), nil)
	got := start(func() error { _, err := a.barrier.Wait(bg, nil); return err })
	until(t, "it waits", func() bool { return a.barrier.Arrived() == 1 })
	w.kill(1)
	want(t, "Wait", soon(t, "the end", got), robust.ErrBroken)
}
