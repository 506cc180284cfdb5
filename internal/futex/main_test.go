package futex_test

import (
	"context"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/shmkit/shmkit/internal/futex"
)

// childEnv names the function that a re-executed test binary runs instead of the
// tests.
const childEnv = "FUTEX_TEST_CHILD"

func TestMain(m *testing.M) {
	if name := os.Getenv(childEnv); name != "" {
		runChild(name, os.Args[1:])
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// forever is longer than any test: with slices of that length a lost wake-up
// makes the test time out.
const forever = time.Hour

// bg is the context of those who wait for ever.
var bg = context.Background()

// A box holds items, and may be shared.
type box struct {
	word   atomic.Uint32
	_      [124]byte
	items  atomic.Int64
	_      [120]byte
	looked atomic.Int64 // calls of Slice
}

func (b *box) put(n int64) {
	b.items.Add(n)
	futex.Notify(&b.word)
}

// take is a wait for one item.
type take struct {
	box    *box
	closed *atomic.Pointer[error]
	onTry  func()
}

func (w take) Try() (bool, error) {
	if w.onTry != nil {
		w.onTry()
	}
	for {
		n := w.box.items.Load()
		if n > 0 {
			if w.box.items.CompareAndSwap(n, n-1) {
				return true, nil
			}
			continue
		}
		if w.closed != nil {
			if err := w.closed.Load(); err != nil {
				return false, *err
			}
		}
		return false, nil
	}
}

func (w take) Slice() { w.box.looked.Add(1) }

// looker is a take that can look cheaply, and counts its tries.
type looker struct {
	take
	ready func() bool
	tries *atomic.Int64
}

func (w looker) Ready() bool { return w.ready() }

func (w looker) Try() (bool, error) {
	w.tries.Add(1)
	return w.take.Try()
}

// until waits until cond is true.
func until(t testing.TB, what string, cond func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !cond(); time.Sleep(100 * time.Microsecond) {
		if time.Now().After(deadline) {
			t.Fatalf("timed out waiting until %s", what)
		}
	}
}

// soon receives from c.
func soon[T any](t testing.TB, what string, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(30 * time.Second):
		t.Fatalf("timed out waiting for %s", what)
		panic("unreachable")
	}
}

// start calls Wait on a new goroutine.
func start(ctx context.Context, g *futex.Gate, w futex.Waiter) <-chan error {
	c := make(chan error, 1)
	go func() { c <- g.Wait(ctx, w) }()
	return c
}

// policies runs f with each policy and a gate of it whose slices last forever.
func policies(t *testing.T, f func(t *testing.T, b *box, g *futex.Gate)) {
	for name, p := range map[string]futex.Policy{"adaptive": futex.Adaptive, "spin": futex.Spin, "block": futex.Block} {
		t.Run(name, func(t *testing.T) {
			b := new(box)
			g := futex.NewGate(&b.word, p)
			g.SetSlice(forever)
			f(t, b, g)
		})
	}
}
