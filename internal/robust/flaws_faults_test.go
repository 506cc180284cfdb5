//go:build faultpoints

package robust_test

import (
	"runtime"
	"sync"
	"testing"

	"github.com/shmkit/shmkit/internal/fault"
	"github.com/shmkit/shmkit/internal/robust"
)

// dies runs f until it comes to the step for the n-th time, and no further.
func dies(t *testing.T, step string, n int, f func()) {
	t.Helper()
	ended, dead := make(chan struct{}), false
	var once sync.Once
	go func() {
		defer close(ended)
		fault.SetHook(func(s string) {
			if s == step {
				if n--; n == 0 {
					once.Do(func() { dead = true })
					fault.SetHook(nil)
					runtime.Goexit()
				}
			}
		})
		f()
	}()
	<-ended
	fault.SetHook(nil)
	if !dead {
		t.Fatalf("not at %s", step)
	}
}

// B3 and B4: a list of held locks that is written too late, or cleared too early,
// leaves a lock in a dead process's name. There is no list: wherever in Lock and
// Unlock it dies, the word tells.
func TestFlawB3B4LockWithoutItsRecord(t *testing.T) {
	for _, c := range []struct {
		step string
		died bool
	}{
		{"robust.lock.take", false},
		{"robust.lock.token", true},
		{"robust.lock.since", true},
		{"robust.unlock", true},
		{"futex.notify", false},
	} {
		w := newWorld(t)
		a, b := w.party(t, 0), w.party(t, 1)
		if c.step == "futex.notify" {
			// Somebody waits, so that there is a wake-up, and its place is behind
			// the swap.
			want(t, "Lock", b.mutex.Lock(bg), nil)
			got := start(func() error { return a.mutex.Lock(bg) })
			until(t, "it is reserved", func() bool { return robust.NextOf(b.mutex) == 0 })
			dies(t, c.step, 1, func() { b.mutex.Unlock() })
			want(t, c.step, soon(t, "the lock", got), nil)
			continue
		}
		dies(t, c.step, 1, func() {
			b.mutex.Lock(bg)
			b.mutex.Unlock()
		})
		w.kill(1)
		err := a.mutex.Lock(within(t))
		if c.died {
			want(t, c.step, err, robust.ErrOwnerDied)
		} else {
			want(t, c.step, err, nil)
		}
	}
}

// C1, C2, C3 and C4: two words, the sum and the dead one's share, and a death
// between their stores. A change is made or not made, and its share is known.
func TestFlawC1C2C3C4DeathBetweenTheWords(t *testing.T) {
	acquire := func(p *party) { p.sem.Acquire(bg) }
	cycle := func(p *party) { p.sem.Acquire(bg); p.sem.Release() }
	for _, c := range []struct {
		step  string
		n     int
		f     func(p *party)
		value int // before recovery
	}{
		{"robust.count.sum", 1, acquire, 2},
		{"robust.count.share", 1, acquire, 1},
		{"robust.count.sum", 2, cycle, 1},
		{"robust.count.share", 2, cycle, 2},
	} {
		for _, others := range []bool{false, true} {
			w := newWorld(t)
			a, b := w.party(t, 0), w.party(t, 1)
			dies(t, c.step, c.n, func() { c.f(b) })
			if n := a.sem.Value(); n != c.value {
				t.Fatalf("%s: value %d, not %d", c.step, n, c.value)
			}
			if others { // who comes by completes the dead one's change
				want(t, "Acquire", a.sem.Acquire(bg), nil)
				want(t, "Release", a.sem.Release(), nil)
			}
			for range 2 { // as by a second recoverer, after the first has died
				want(t, "Recover", recoverObjects(w.body, 1), nil)
				if n := a.sem.Value(); n != permits {
					t.Errorf("%s: value %d after recovery", c.step, n)
				}
			}
		}
	}
}

// C6: a helper that comes late must not apply an old result. It stands still with
// all it needs, right before the swap, while the others go on.
func TestFlawC6LateHelper(t *testing.T) {
	w := newWorld(t)
	a, b, c := w.party(t, 0), w.party(t, 1), w.party(t, 2)
	dies(t, "robust.count.share", 1, func() { b.sem.Acquire(bg) })
	standing, goOn := make(chan struct{}), make(chan struct{})
	var once sync.Once
	fault.SetHook(func(step string) {
		if step == "robust.count.share" {
			first := false
			once.Do(func() { first = true })
			if first {
				close(standing)
				<-goOn
			}
		}
	})
	defer fault.SetHook(nil)
	helper := start(func() error { return c.sem.Release() })
	<-standing
	for range 3 {
		want(t, "Release", b.sem.Release(), nil)
		want(t, "Acquire", b.sem.Acquire(bg), nil)
	}
	want(t, "Release", b.sem.Release(), nil) // it has none now
	before := a.sem.Value()
	close(goOn)
	want(t, "Release", soon(t, "the helper", helper), nil)
	if n := b.sem.Held(); n != 0 {
		t.Errorf("the late helper gave %d permits", n)
	}
	if n := a.sem.Value(); n != before+1 {
		t.Errorf("value %d, not %d", n, before+1)
	}
}
