package robust_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/shmkit/shmkit/internal/robust"
)

func TestSemaphore(t *testing.T) {
	w := newWorld(t)
	a, b := w.party(t, 0), w.party(t, 1)
	want(t, "Acquire", a.sem.Acquire(expired()), nil)
	want(t, "Acquire", b.sem.Acquire(bg), nil)
	if ok, err := a.sem.TryAcquire(); ok || err != nil || a.sem.Value() != 0 {
		t.Errorf("TryAcquire at %d: %v, %v", a.sem.Value(), ok, err)
	}
	want(t, "Acquire", a.sem.Acquire(expired()), context.DeadlineExceeded)
	got := start(func() error { return b.sem.Acquire(bg) })
	until(t, "it waits", func() bool { return b.sem.Waiting() == 1 })
	want(t, "Release", a.sem.Release(), nil)
	want(t, "Acquire", soon(t, "a permit", got), nil)
	for i := 1; i <= 4; i++ { // beyond the initial value, by whoever it is
		want(t, "Release", a.sem.Release(), nil)
		if n := b.sem.Value(); n != i {
			t.Errorf("value %d, not %d", n, i)
		}
	}
	for range permits {
		want(t, "Acquire", a.bounded.Acquire(bg), nil)
	}
	for range permits {
		want(t, "Release", a.bounded.Release(), nil)
	}
	want(t, "Release of a bounded one", a.bounded.Release(), robust.ErrReleased)
	for _, initial := range []int{-1, robust.MaxPermits + 1} {
		if robust.InitSemaphore(w.body, testSlots, initial, false) == nil {
			t.Errorf("a semaphore of %d", initial)
		}
	}
}

// A semaphore of signals, that some release and others acquire, gives none back
// when one of them dies; one of permits gives back exactly what was held.
func TestSemaphoreDeath(t *testing.T) {
	w := newWorld(t)
	a, b := w.party(t, 0), w.party(t, 1)
	for range permits {
		want(t, "Acquire", b.sem.Acquire(bg), nil)
	}
	want(t, "Release", b.sem.Release(), nil)
	got := make(chan error, 2)
	for range 2 {
		go func() { got <- a.sem.Acquire(bg) }()
	}
	want(t, "Acquire", soon(t, "the released permit", got), nil)
	w.kill(1)
	want(t, "Acquire", soon(t, "the dead one's permit", got), nil)
	if n := a.sem.Value(); n != 0 || a.sem.Held() != 2 {
		t.Errorf("value %d, %d held", n, a.sem.Held())
	}

	signals := newWorld(t)
	if err := robust.InitSemaphore(signals.body[16<<10:], testSlots, 0, false); err != nil {
		t.Fatal(err)
	}
	open := func(slot int) *robust.Semaphore {
		s, err := robust.NewSemaphore(citizen{signals, slot}, signals.body[16<<10:], robust.Options{})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	from, to := open(0), open(1)
	for range 3 {
		want(t, "Release", from.Release(), nil)
	}
	want(t, "Acquire", to.Acquire(bg), nil)
	for slot := range 2 {
		want(t, "Recover", robust.Recover(robust.KindSemaphore, signals.body[16<<10:], testSlots, slot), nil)
		if n := from.Value(); n != 2 {
			t.Errorf("%d signals after the death of %d", n, slot)
		}
	}
}

func TestRWLock(t *testing.T) {
	w := newWorld(t)
	a, b := w.party(t, 0), w.party(t, 1)
	want(t, "Unlock of a free one", a.rw.Unlock(), robust.ErrNotLocked)
	want(t, "RUnlock of a free one", a.rw.RUnlock(), robust.ErrNotLocked)
	want(t, "RLock", a.rw.RLock(expired()), nil)
	want(t, "RLock", a.rw.RLock(bg), nil)
	want(t, "RLock", b.rw.RLock(bg), nil)
	if a.rw.Readers() != 3 || a.rw.Locked() {
		t.Errorf("%d readers, locked %v", a.rw.Readers(), a.rw.Locked())
	}
	if ok, err := b.rw.TryLock(); ok || err != nil {
		t.Errorf("TryLock: %v, %v", ok, err)
	}
	want(t, "Lock", b.rw.Lock(expired()), context.DeadlineExceeded)
	got := start(func() error { return b.rw.Lock(bg) })
	until(t, "it is reserved", func() bool { return robust.NextRW(a.rw) == 1 })
	for range 2 {
		want(t, "RUnlock", a.rw.RUnlock(), nil)
	}
	want(t, "RUnlock too often", a.rw.RUnlock(), robust.ErrNotLocked)
	want(t, "RUnlock", b.rw.RUnlock(), nil)
	want(t, "Lock", soon(t, "the lock", got), nil)
	if o, ok := a.rw.Owner(); !ok || o.Slot != 1 || o.Token != 1 || a.rw.Token() != 1 || !a.rw.Locked() {
		t.Errorf("owner %+v, %v, token %d", o, ok, a.rw.Token())
	}
	want(t, "Unlock by another process", a.rw.Unlock(), robust.ErrNotOwner)
	if ok, err := a.rw.TryRLock(); ok || err != nil {
		t.Errorf("TryRLock: %v, %v", ok, err)
	}
	reader := start(func() error { return a.rw.RLock(bg) })
	until(t, "it waits", func() bool { return a.rw.Waiting() == 1 })
	want(t, "Unlock", b.rw.Unlock(), nil)
	want(t, "RLock", soon(t, "the lock", reader), nil)
	want(t, "RUnlock", a.rw.RUnlock(), nil)
}

// A reader that dies is subtracted. A writer's death is told to all until a
// writer unlocks.
func TestRWLockDeath(t *testing.T) {
	w := newWorld(t)
	a, b := w.party(t, 0), w.party(t, 1)
	want(t, "RLock", b.rw.RLock(bg), nil)
	got := start(func() error { return a.rw.Lock(bg) })
	until(t, "it waits", func() bool { return a.rw.Waiting() == 1 })
	w.kill(1)
	want(t, "Lock", soon(t, "the dead reader's end", got), nil)
	want(t, "Unlock", a.rw.Unlock(), nil)

	want(t, "Lock", b.rw.Lock(bg), nil)
	w.kill(1)
	want(t, "RLock", a.rw.RLock(bg), robust.ErrOwnerDied)
	want(t, "RUnlock", a.rw.RUnlock(), nil)
	want(t, "Lock", a.rw.Lock(bg), robust.ErrOwnerDied)
	want(t, "Unlock", a.rw.Unlock(), nil)
	ok, err := a.rw.TryRLock()
	if !ok || err != nil {
		t.Errorf("TryRLock: %v, %v", ok, err)
	}
}

// TestRWLockBetweenGoroutines checks that writers are alone, and that neither
// side starves.
func TestRWLockBetweenGoroutines(t *testing.T) {
	w := newWorld(t)
	parties := []*party{w.party(t, 0), w.party(t, 1)}
	var shared [2]int
	const each = 500
	var wg sync.WaitGroup
	for i := range 8 {
		l := parties[i%2].rw
		wg.Go(func() {
			for range each {
				if i < 4 {
					if err := l.Lock(bg); err != nil {
						t.Error(err)
					}
					shared[0]++
					shared[1]++
					if err := l.Unlock(); err != nil {
						t.Error(err)
					}
					continue
				}
				if err := l.RLock(bg); err != nil {
					t.Error(err)
				}
				if shared[0] != shared[1] {
					t.Error("read while somebody wrote")
				}
				if err := l.RUnlock(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if shared[0] != 4*each || parties[0].rw.Token() != 4*each || parties[0].rw.Readers() != 0 {
		t.Errorf("%d writes, token %d, %d readers", shared[0], parties[0].rw.Token(), parties[0].rw.Readers())
	}
}

func TestBarrier(t *testing.T) {
	w := newWorld(t)
	a, b := w.party(t, 0), w.party(t, 1)
	meet := func(p *party, action func() error) <-chan error {
		return start(func() error { _, err := p.barrier.Wait(bg, action); return err })
	}
	// Lockstep, each number once a round, the action once a round and before all.
	const rounds = 200
	var mu sync.Mutex
	came, actions := [rounds][parties]int{}, 0
	var wg sync.WaitGroup
	for _, p := range []*party{a, b} {
		wg.Go(func() {
			for r := range rounds {
				i, err := p.barrier.Wait(bg, func() error { actions++; return nil })
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				came[r][i]++
				if actions < r+1 {
					t.Errorf("round %d has passed after %d actions", r, actions)
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	for r, n := range came {
		if n != [parties]int{1, 1} {
			t.Fatalf("round %d: %v", r, n)
		}
	}
	if actions != rounds || a.barrier.Arrived() != 0 || a.barrier.Broken() || a.barrier.Parties() != parties {
		t.Errorf("%d actions, %d wait, broken %v", actions, a.barrier.Arrived(), a.barrier.Broken())
	}

	// Abort breaks it, reset mends it.
	got := meet(a, nil)
	until(t, "it waits", func() bool { return b.barrier.Arrived() == 1 })
	want(t, "Abort", b.barrier.Abort(), nil)
	want(t, "Wait", soon(t, "the end", got), robust.ErrBroken)
	want(t, "Wait", soon(t, "the end", meet(b, nil)), robust.ErrBroken)
	want(t, "Reset", b.barrier.Reset(), nil)
	got = meet(a, nil)
	until(t, "it waits", func() bool { return b.barrier.Arrived() == 1 })
	want(t, "Reset", b.barrier.Reset(), nil)
	want(t, "Wait", soon(t, "the end", got), robust.ErrBroken)
	if a.barrier.Broken() {
		t.Error("broken after a reset")
	}
	got = meet(a, nil)
	want(t, "Wait", soon(t, "the round", meet(b, nil)), nil)
	want(t, "Wait", soon(t, "the round", got), nil)

	// A context that ends breaks it for all, and so does an action that fails.
	got = meet(a, nil)
	until(t, "it waits", func() bool { return b.barrier.Arrived() == 1 })
	ctx, cancel := context.WithCancel(bg)
	late := start(func() error { _, err := a.trio.Wait(ctx, nil); return err })
	until(t, "it waits", func() bool { return a.trio.Arrived() == 1 })
	other := start(func() error { _, err := b.trio.Wait(bg, nil); return err })
	until(t, "both wait", func() bool { return a.trio.Arrived() == 2 })
	cancel()
	err := soon(t, "the end", late)
	want(t, "Wait", err, robust.ErrBroken)
	want(t, "Wait", err, context.Canceled)
	want(t, "the other Wait", soon(t, "the end", other), robust.ErrBroken)
	failed := errors.New("failed")
	want(t, "Wait", soon(t, "the action", meet(b, func() error { return failed })), failed)
	want(t, "Wait", soon(t, "the end", got), robust.ErrBroken)
}

// TestBarrierLeave: who leaves in order and is not waiting breaks nothing.
func TestBarrierLeave(t *testing.T) {
	w := newWorld(t)
	a, b := w.party(t, 0), w.party(t, 1)
	leave := func(slot int) {
		want(t, "Leave", robust.Leave(robust.KindBarrier, place(w.body, testSlots, 8), testSlots, slot), nil)
	}
	want(t, "Join", b.barrier.Join(), nil)
	leave(1)
	got := start(func() error { _, err := a.barrier.Wait(bg, nil); return err })
	until(t, "it waits", func() bool { return a.barrier.Arrived() == 1 })
	_, err := b.barrier.Wait(bg, nil)
	want(t, "Wait", err, nil)
	want(t, "Wait", soon(t, "the round", got), nil)
	got = start(func() error { _, err := a.barrier.Wait(bg, nil); return err })
	until(t, "it waits in the next round", func() bool { return a.barrier.Arrived() == 1 })
	leave(1)
	if a.barrier.Broken() {
		t.Error("broken by somebody who had passed and left")
	}
	_, err = b.barrier.Wait(bg, nil)
	want(t, "Wait", err, nil)
	want(t, "Wait", soon(t, "the round", got), nil)
	got = start(func() error { _, err := b.barrier.Wait(bg, nil); return err })
	until(t, "it waits", func() bool { return a.barrier.Arrived() == 1 })
	leave(1)
	want(t, "Wait", soon(t, "the end", got), robust.ErrBroken)
}
