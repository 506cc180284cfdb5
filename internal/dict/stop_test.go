//go:build faultpoints

package dict_test

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/shmkit/shmkit/internal/dict"
	"github.com/shmkit/shmkit/internal/fault/faulttest"
	"github.com/shmkit/shmkit/internal/mem"
)

// soon calls f on another goroutine, and fails the test if it does not end.
func soon(t *testing.T, what string, f func()) {
	t.Helper()
	done := make(chan bool)
	go func() { defer close(done); f() }()
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		t.Fatalf("%s does not end", what)
	}
}

// TestBesideStopped: a process stands still at any point of a change. Others read every
// key, and change those of other stripes; who wants to change one of the same stripe
// waits until it goes on, or has died.
func TestBesideStopped(t *testing.T) {
	keys := ofStripes(4, 4)
	sc := scene{entries: 50, stripes: 4, op: set(keys[0], "by the stopped", dict.Always), build: func(w *world) {
		for _, key := range keys {
			w.mustSet(w.tables[1], key, "old")
		}
	}}
	held := 0
	for i, step := range pointsIn(sc.make(t), sc.op) {
		for _, dies := range []bool{false, true} {
			w := sc.make(t)
			stopped := faulttest.StandAt(i+1, func() { sc.op(w) })
			soon(t, "working beside one at "+step, func() {
				w.contents(1)
				for _, key := range keys[1:] {
					w.mustSet(w.tables[1], key, "beside")
				}
				if ok, err := w.tables[1].View(hash(keys[0]), []byte(keys[0]), func([]byte) error { return nil }); !ok || err != nil {
					t.Error(ok, err)
				}
			})
			waited := make(chan bool)
			tab := w.tables[2]
			go func() {
				defer close(waited)
				w.mustSet(tab, keys[0], "by the waiter")
			}()
			if l := w.lockOf(t, keys[0]); l.Load()&0xff == 1 {
				held++
				for l.Load()>>31 == 0 { // until it sleeps, or is about to
					runtime.Gosched()
				}
			}
			if dies {
				w.mu.Lock()
				w.dead[0] = true
				w.mu.Unlock()
				soon(t, "waiting for a dead process", func() { <-waited })
			} else {
				stopped.Resume()
				soon(t, "waiting for a stopped process", func() { <-waited })
			}
			w.recover(1, 0)
			if v, ok := w.get(w.tables[3], keys[0]); v != "by the waiter" && v != "by the stopped" || dies && v != "by the waiter" {
				t.Errorf("at %s: %q, %v", step, v, ok)
			}
			w.sound(3)
			if dies {
				stopped.End()
			}
			if t.Failed() {
				t.Fatalf("at %s, dies %v", step, dies)
			}
		}
	}
	if held < 20 {
		t.Errorf("only %d waits", held)
	}
}

// lockOf returns the lock word of a key's stripe in the first table, of 4 stripes.
func (w *world) lockOf(t *testing.T, key string) *atomic.Uint32 {
	t.Helper()
	stripe := int(hash(key) >> 62)
	l, err := mem.At[atomic.Uint32](w.memory.Bytes, (4+stripe)*256) // the first lock is 4
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// TestDeathOfWaiters: a process dies at any point of waiting for a lock, and of being
// waited for. Those who sleep too wake up.
func TestDeathOfWaiters(t *testing.T) {
	keys := ofStripes(1, 4)
	sc := scene{entries: 4, stripes: 4, op: set(keys[0], "by the stopped", dict.Always)}
	at := nth(pointsIn(sc.make(t), sc.op), "dict.slot", 1)
	for k := 1; ; k++ {
		w := sc.make(t)
		holder := faulttest.StandAt(at, func() { sc.op(w) })
		waits := faulttest.StandAt(k, func() {
			w.dead[0] = true // who waits finds out
			w.mustSet(w.tables[1], keys[0], "by the waiter")
		})
		w.mu = new(sync.Mutex) // the waiter may have died in recovery
		w.dead[1] = waits.Step != ""
		soon(t, "the next one", func() { w.mustSet(w.tables[2], keys[0], "by the next") })
		w.recover(2, 0)
		w.recover(2, 1)
		if v, ok := w.get(w.tables[3], keys[0]); v != "by the next" || !ok {
			t.Errorf("waiter dead at %d, %s: %q, %v", k, waits.Step, v, ok)
		}
		w.sound(3)
		through := waits.Step == ""
		waits.End()
		holder.End()
		if t.Failed() || through {
			return
		}
	}
}
