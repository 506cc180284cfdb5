package robust_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/shmkit/shmkit/internal/robust"
)

// expired is a context that has ended.
func expired() context.Context {
	ctx, cancel := context.WithDeadline(bg, time.Unix(1, 0))
	cancel()
	return ctx
}

func TestMutex(t *testing.T) {
	w := newWorld(t)
	a, b := w.party(t, 0), w.party(t, 1)
	want(t, "Unlock of a free one", a.mutex.Unlock(), robust.ErrNotLocked)
	if _, ok := a.mutex.Owner(); ok || a.mutex.Locked() {
		t.Error("a free lock has an owner")
	}
	want(t, "Lock with an ended context", a.mutex.Lock(expired()), nil)
	first := a.mutex.Token()
	o, ok := b.mutex.Owner()
	if !ok || o.Slot != 0 || o.Token != first || time.Since(o.Since).Abs() > time.Hour || !b.mutex.Locked() {
		t.Errorf("owner %v, %v", o, ok)
	}
	if ok, err := b.mutex.TryLock(); ok || err != nil {
		t.Errorf("TryLock: %v, %v", ok, err)
	}
	want(t, "Lock with an ended context", b.mutex.Lock(expired()), context.DeadlineExceeded)
	want(t, "Unlock by another process", b.mutex.Unlock(), nil)
	want(t, "second Unlock", a.mutex.Unlock(), robust.ErrNotLocked)
	if ok, err := b.mutex.TryLock(); !ok || err != nil {
		t.Errorf("TryLock: %v, %v", ok, err)
	}
	if b.mutex.Token() <= first {
		t.Errorf("token %d after %d", b.mutex.Token(), first)
	}
	want(t, "Unlock", b.mutex.Unlock(), nil)
}

func TestMutexBetweenGoroutines(t *testing.T) {
	w := newWorld(t)
	parties := []*party{w.party(t, 0), w.party(t, 1), w.party(t, 2)}
	inside, tokens := 0, uint64(0)
	const goroutines, each = 4, 500
	var wg sync.WaitGroup
	for i := range goroutines * len(parties) {
		m := parties[i%len(parties)].mutex
		wg.Go(func() {
			for range each {
				if err := m.Lock(bg); err != nil {
					t.Error(err)
				}
				inside++
				if tok := m.Token(); tok <= tokens {
					t.Errorf("token %d after %d", tok, tokens)
				} else {
					tokens = tok
				}
				if err := m.Unlock(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if want := goroutines * each * len(parties); inside != want || tokens != uint64(want) {
		t.Errorf("%d times inside, token %d, want %d", inside, tokens, want)
	}
}

// A cancelled wait leaves nothing, and a closed handle's ends.
func TestMutexWaitEnds(t *testing.T) {
	w := newWorld(t)
	a, b := w.party(t, 0), w.party(t, 1)
	want(t, "Lock", a.mutex.Lock(bg), nil)
	ctx, cancel := context.WithCancel(bg)
	got := start(func() error { return b.mutex.Lock(ctx) })
	until(t, "it waits", func() bool { return b.mutex.Waiting() == 1 })
	cancel()
	want(t, "cancelled Lock", soon(t, "the end", got), context.Canceled)
	got = start(func() error { return b.mutex.Lock(bg) })
	until(t, "it waits", func() bool { return b.mutex.Waiting() == 1 })
	b.close()
	want(t, "Lock of a closed handle", soon(t, "the end", got), robust.ErrClosed)
	want(t, "Unlock", a.mutex.Unlock(), nil)
	want(t, "Lock", a.mutex.Lock(within(t)), nil)
}

// TestWithdrawnReservation: who has reserved the lock and gives up is not waited
// for.
func TestWithdrawnReservation(t *testing.T) {
	w := newWorld(t)
	a, b := w.party(t, 0), w.party(t, 1)
	for _, c := range []struct {
		name   string
		lock   func(ctx context.Context) error
		hold   func() error
		free   func() error
		next   func() int
		unlock func() error
	}{
		{"mutex", b.mutex.Lock, func() error { return a.mutex.Lock(bg) }, a.mutex.Unlock, func() int { return robust.NextOf(a.mutex) }, b.mutex.Unlock},
		{"rwlock", b.rw.Lock, func() error { return a.rw.RLock(bg) }, a.rw.RUnlock, func() int { return robust.NextRW(a.rw) }, b.rw.Unlock},
	} {
		want(t, c.name, c.hold(), nil)
		ctx, cancel := context.WithCancel(bg)
		got := start(func() error { return c.lock(ctx) })
		until(t, "it is reserved", func() bool { return c.next() == 1 })
		cancel()
		want(t, c.name, soon(t, "the end", got), context.Canceled)
		if n := c.next(); n != -1 {
			t.Errorf("%s: reserved for %d", c.name, n)
		}
		want(t, c.name, c.free(), nil)
		want(t, c.name, c.hold(), nil)
		want(t, c.name, c.free(), nil)
	}
}

// TestReservation: a lock that is reserved goes to who waits, however fast the one
// who has it comes again.
func TestReservation(t *testing.T) {
	w := newWorld(t)
	a, b := w.party(t, 0), w.party(t, 1)
	want(t, "Lock", a.mutex.Lock(bg), nil)
	got := start(func() error { return b.mutex.Lock(bg) })
	until(t, "it is reserved", func() bool { return robust.NextOf(a.mutex) == 1 })
	want(t, "Unlock", a.mutex.Unlock(), nil)
	again := start(func() error { return a.mutex.Lock(bg) })
	want(t, "Lock", soon(t, "its turn", got), nil)
	select {
	case <-again:
		t.Fatal("both have the lock")
	default:
	}
	want(t, "Unlock", b.mutex.Unlock(), nil)
	want(t, "Lock", soon(t, "the lock", again), nil)
}

func TestRLock(t *testing.T) {
	w := newWorld(t)
	a, other, b := w.party(t, 0), w.party(t, 0), w.party(t, 1)
	want(t, "Unlock of a free one", a.rlock.Unlock(), robust.ErrNotOwner)
	for range 3 {
		want(t, "Lock", a.rlock.Lock(bg), nil)
	}
	if o, ok := b.rlock.Owner(); !ok || o.Slot != 0 || o.Depth != 3 {
		t.Errorf("owner %+v, %v", o, ok)
	}
	for _, p := range []*party{other, b} {
		if ok, err := p.rlock.TryLock(); ok || err != nil {
			t.Errorf("TryLock of another handle: %v, %v", ok, err)
		}
		want(t, "Unlock of another handle", p.rlock.Unlock(), robust.ErrNotOwner)
		want(t, "Lock of another handle", p.rlock.Lock(expired()), context.DeadlineExceeded)
	}
	if ok, err := a.rlock.TryLock(); !ok || err != nil {
		t.Errorf("TryLock: %v, %v", ok, err)
	}
	for i := range 4 {
		if !b.rlock.Locked() {
			t.Errorf("free after %d of 4", i)
		}
		want(t, "Unlock", a.rlock.Unlock(), nil)
	}
	if b.rlock.Locked() {
		t.Error("not free")
	}
	want(t, "Unlock too often", a.rlock.Unlock(), robust.ErrNotOwner)
	want(t, "Lock", b.rlock.Lock(bg), nil)
	got := start(func() error { return a.rlock.Lock(bg) })
	both := start(func() error { return a.rlock.Lock(bg) })
	until(t, "both wait", func() bool { return a.rlock.Waiting() == 2 })
	want(t, "Unlock", b.rlock.Unlock(), nil)
	want(t, "Lock", soon(t, "the lock", got), nil)
	want(t, "Lock of the same handle", soon(t, "the lock", both), nil)
}

func TestCorrupt(t *testing.T) {
	w := newWorld(t)
	a := w.party(t, 0)
	for _, word := range []uint64{testSlots + 1, (testSlots + 1) << 16, 1 << 40} {
		robust.SetWord(a.mutex, word)
		want(t, "Lock", a.mutex.Lock(bg), robust.ErrCorrupt)
		_, err := a.mutex.TryLock()
		want(t, "TryLock", err, robust.ErrCorrupt)
		want(t, "Unlock", a.mutex.Unlock(), robust.ErrCorrupt)
	}
	robust.SetSum(a.sem, 400<<24)
	want(t, "Acquire", a.sem.Acquire(bg), robust.ErrCorrupt)
	want(t, "Release", a.sem.Release(), robust.ErrCorrupt)
	if _, err := robust.NewMutex(citizen{w, 0}, w.body[:64], robust.Options{}); err == nil {
		t.Error("a mutex in 64 bytes")
	}
	for _, err := range []error{
		robust.Recover(99, w.body, testSlots, 0),
		robust.Recover(robust.KindMutex, w.body, testSlots, testSlots),
		robust.Recover(robust.KindMutex, w.body, 1000, 0),
		robust.Recover(robust.KindSemaphore, w.body[:128], testSlots, 0),
	} {
		want(t, "Recover", err, robust.ErrCorrupt)
	}
}
