//go:build faultpoints

package futex_test

import (
	"os"
	"strings"
	"testing"

	"github.com/shmkit/shmkit/internal/fault/faulttest"
	"github.com/shmkit/shmkit/internal/futex"
)

// childSteps takes or puts an item, and is killed at its n-th crash point.
func childSteps(args []string) {
	b := attach[box](args[0])
	faulttest.DieAt(number(args, 2), "", os.Stdout)
	switch args[1] {
	case "take":
		must(futex.NewGate(&b.word, futex.Block).Wait(bg, take{box: b}))
	case "put":
		b.put(1)
	}
}

// TestSteps kills a waiter and a notifier at each of their steps, while another
// process sleeps on the word. Whatever the step, that one has its item, no later
// than at the end of its slice, and the next item is announced as ever.
func TestSteps(t *testing.T) {
	steps, err := faulttest.Steps(".", "futex")
	if err != nil || len(steps) == 0 {
		t.Fatalf("%d crash points in the source, %v", len(steps), err)
	}
	for _, c := range []struct {
		name   string
		deaths []string
	}{
		{"take", []string{"futex.arm", "futex.arm", "futex.arm"}}, // first, and behind each slice
		{"put", []string{"futex.notify", "futex.wake"}},
	} {
		for k, want := range c.deaths {
			b, path := newShared[box](t)
			g := futex.NewGate(&b.word, futex.Block)
			got := start(bg, g, take{box: b})
			until(t, "the survivor is armed", func() bool { return b.word.Load()&1 != 0 })
			victim := startChild(t, "steps", path, c.name, k+1)
			trace := ""
			for range k + 1 {
				trace += victim.hear() + " "
			}
			if err := victim.cmd.Wait(); err == nil || !strings.HasSuffix(trace, want+" ") {
				t.Fatalf("%s ended with %v at %q, not at step %d, %s", c.name, err, trace, k+1, want)
			}
			delete(steps, want)
			looked := b.looked.Load()
			if c.name == "take" {
				b.put(1)
			}
			if err := soon(t, "the item", got); err != nil {
				t.Fatal(err)
			}
			if n := b.looked.Load() - looked; c.name == "put" && n > 1 {
				t.Errorf("death at %s: it took %d slices", want, n)
			}
			next := start(bg, g, take{box: b})
			until(t, "it waits again", func() bool { return g.Waiting() == 1 })
			b.put(1)
			if err := soon(t, "the next item", next); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, pos := range steps {
		t.Errorf("%v: nobody died at %s", pos, name)
	}
}
