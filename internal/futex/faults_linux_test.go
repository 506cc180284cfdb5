//go:build faultpoints

package futex_test

import (
	"os"
	"slices"
	"sync"
	"syscall"
	"testing"

	"github.com/shmkit/shmkit/internal/fault"
	"github.com/shmkit/shmkit/internal/futex"
)

// Each store to the word has its crash point, and so has the wake-up.
func TestPoints(t *testing.T) {
	var mu sync.Mutex
	var steps []string
	fault.SetHook(func(step string) {
		mu.Lock()
		defer mu.Unlock()
		if n := len(steps); n == 0 || steps[n-1] != step { // it may arm again
			steps = append(steps, step)
		}
	})
	defer fault.SetHook(nil)
	b := new(box)
	g := futex.NewGate(&b.word, futex.Block)
	g.SetSlice(forever)
	c := start(bg, g, take{box: b})
	until(t, "it is armed", func() bool { return b.word.Load()&1 != 0 })
	b.put(1)
	if err := soon(t, "the item", c); err != nil {
		t.Error(err)
	}
	want := []string{"futex.arm", "futex.notify", "futex.wake"}
	mu.Lock()
	defer mu.Unlock()
	if !slices.Equal(steps, want) {
		t.Errorf("steps %q, want %q", steps, want)
	}
}

// A wake-up that is lost is made good by the end of the slice.
func TestDroppedWake(t *testing.T) {
	futex.DropWakes(func() bool { return true })
	defer futex.DropWakes(nil)
	b := new(box)
	g := futex.NewGate(&b.word, futex.Block)
	c := start(bg, g, take{box: b})
	until(t, "it has slept a slice", func() bool { return b.looked.Load() > 0 && b.word.Load()&1 != 0 })
	looked := b.looked.Load()
	b.put(1)
	if err := soon(t, "the item", c); err != nil {
		t.Error(err)
	}
	if n := b.looked.Load() - looked; n > 1 {
		t.Errorf("it took %d slices", n)
	}
}

// childDieWaking puts an item and is killed after it has advanced the sequence,
// and before the wake-up.
func childDieWaking(args []string) {
	b := attach[box](args[0])
	fault.SetHook(func(step string) {
		if step == "futex.wake" {
			syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
	})
	b.put(1)
}

func TestKilledWaker(t *testing.T) {
	b, path := newShared[box](t)
	g := futex.NewGate(&b.word, futex.Block)
	c := start(bg, g, take{box: b})
	until(t, "it is armed", func() bool { return b.word.Load()&1 != 0 })
	waker := startChild(t, "dieWaking", path)
	if err := waker.cmd.Wait(); err == nil {
		t.Fatal("the waker was not killed")
	}
	looked := b.looked.Load()
	if err := soon(t, "the item", c); err != nil {
		t.Error(err)
	}
	if n := b.looked.Load() - looked; n > 1 {
		t.Errorf("it took %d slices", n)
	}
}
