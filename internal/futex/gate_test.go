package futex_test

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/shmkit/shmkit/internal/futex"
)

func TestWaitEnds(t *testing.T) {
	policies(t, func(t *testing.T, b *box, g *futex.Gate) {
		t.Run("at once", func(t *testing.T) {
			b.put(1)
			done, cancel := context.WithCancel(bg)
			cancel()
			if err := g.Wait(done, take{box: b}); err != nil {
				t.Errorf("an item was there: %v", err)
			}
		})
		t.Run("by a put", func(t *testing.T) {
			c := start(bg, g, take{box: b})
			until(t, "it waits", func() bool { return g.Waiting() == 1 })
			b.put(1)
			if err := soon(t, "the item", c); err != nil {
				t.Error(err)
			}
		})
		t.Run("by an error", func(t *testing.T) {
			broken := errors.New("broken")
			var closed atomic.Pointer[error]
			closed.Store(&broken)
			if err := g.Wait(bg, take{box: b, closed: &closed}); err != broken {
				t.Errorf("Wait: %v, want %v", err, broken)
			}
		})
		t.Run("by a cancel", func(t *testing.T) {
			ctx, cancel := context.WithCancelCause(bg)
			c := start(ctx, g, take{box: b})
			until(t, "it waits", func() bool { return g.Waiting() == 1 })
			cancel(errors.New("a cause"))
			if err := soon(t, "the cancelled wait", c); err != context.Canceled {
				t.Errorf("Wait: %v, want context.Canceled", err)
			}
		})
		t.Run("by a deadline", func(t *testing.T) {
			ctx, cancel := context.WithTimeout(bg, 5*time.Millisecond)
			defer cancel()
			if err := soon(t, "the deadline", start(ctx, g, take{box: b})); err != context.DeadlineExceeded {
				t.Errorf("Wait: %v, want context.DeadlineExceeded", err)
			}
		})
		if n := g.Waiting(); n != 0 {
			t.Errorf("%d still wait", n)
		}
	})
}

// A follower that is cancelled leaves at once; those behind it keep their turn.
func TestFollowersLeave(t *testing.T) {
	policies(t, func(t *testing.T, b *box, g *futex.Gate) {
		lead := start(bg, g, take{box: b})
		until(t, "there is a leader", func() bool { return g.Waiting() == 1 })
		ctx, cancel := context.WithCancel(bg)
		second := start(ctx, g, take{box: b})
		until(t, "two wait", func() bool { return g.Waiting() == 2 })
		third := start(bg, g, take{box: b})
		until(t, "three wait", func() bool { return g.Waiting() == 3 })
		cancel()
		if err := soon(t, "the cancelled follower", second); err != context.Canceled {
			t.Errorf("Wait: %v, want context.Canceled", err)
		}
		b.put(2)
		for _, c := range []<-chan error{lead, third} {
			if err := soon(t, "an item", c); err != nil {
				t.Error(err)
			}
		}
	})
}

// The oldest follower leads next.
func TestHandOverInOrder(t *testing.T) {
	const n = 20
	b := new(box)
	g := futex.NewGate(&b.word, futex.Block)
	g.SetSlice(forever)
	got := make(chan int, n)
	for i := range n {
		go func() {
			if err := g.Wait(bg, take{box: b}); err != nil {
				t.Error(err)
			}
			got <- i
		}()
		until(t, "one more waits", func() bool { return g.Waiting() == i+1 })
	}
	for i := range n {
		b.put(1)
		if j := soon(t, "an item", got); j != i {
			t.Fatalf("number %d was served as number %d", j, i)
		}
	}
}

func TestInterrupt(t *testing.T) {
	const n = 50
	shut := errors.New("shut")
	policies(t, func(t *testing.T, b *box, g *futex.Gate) {
		var closed atomic.Pointer[error]
		var tries atomic.Int64
		w := looker{take{box: b, closed: &closed}, func() bool { return false }, &tries}
		errs := make(chan error, n)
		for range n {
			go func() { errs <- g.Wait(bg, w) }()
		}
		until(t, "all wait", func() bool { return g.Waiting() == n })

		// Without a reason to leave, each tries and stays.
		until(t, "the leader has settled", func() bool { return tries.Load() > 0 })
		before := tries.Load()
		g.Interrupt()
		until(t, "all have tried", func() bool { return tries.Load() >= before+n })
		if got := g.Waiting(); got != n {
			t.Errorf("%d of %d still wait", got, n)
		}

		closed.Store(&shut)
		g.Interrupt()
		for range n {
			if err := soon(t, "an interrupted wait", errs); err != shut {
				t.Errorf("Wait: %v, want %v", err, shut)
			}
		}
		g.Interrupt() // with nobody there
	})
}

// With slices that last forever every interrupt must be heard, whatever the
// leader is doing just then.
func TestInterruptIsNeverMissed(t *testing.T) {
	shut := errors.New("shut")
	policies(t, func(t *testing.T, b *box, g *futex.Gate) {
		for range 500 {
			var closed atomic.Pointer[error]
			var tries atomic.Int64
			c := start(bg, g, looker{take{box: b, closed: &closed}, func() bool { return false }, &tries})
			for g.Waiting() == 0 {
				runtime.Gosched()
			}
			closed.Store(&shut)
			g.Interrupt()
			if err := soon(t, "the interrupted wait", c); err != shut {
				t.Fatalf("Wait: %v, want %v", err, shut)
			}
		}
	})
}

// A waiter that panics leaves the gate in order.
func TestPanic(t *testing.T) {
	b := new(box)
	g := futex.NewGate(&b.word, futex.Block)
	g.SetSlice(forever)
	panicking := func(onTry func()) <-chan any {
		c := make(chan any, 1)
		go func() {
			defer func() { c <- recover() }()
			g.Wait(bg, take{box: b, onTry: onTry})
		}()
		return c
	}
	var blow atomic.Bool
	leader := panicking(func() {
		if blow.Load() {
			panic("leader")
		}
	})
	until(t, "there is a leader", func() bool { return g.Waiting() == 1 })
	follower := panicking(func() { panic("follower") })
	until(t, "two wait", func() bool { return g.Waiting() == 2 })
	last := start(bg, g, take{box: b})
	until(t, "three wait", func() bool { return g.Waiting() == 3 })
	g.Interrupt()
	if v := soon(t, "the follower", follower); v != "follower" {
		t.Errorf("recovered %v", v)
	}
	blow.Store(true)
	g.Interrupt()
	if v := soon(t, "the leader", leader); v != "leader" {
		t.Errorf("recovered %v", v)
	}
	b.put(1)
	if err := soon(t, "the item", last); err != nil {
		t.Error(err)
	}
	if n := g.Waiting(); n != 0 {
		t.Errorf("%d still wait", n)
	}
}

// Goroutines and cancels at random, several gates on one word as several
// processes have, and slices that last forever: each item is taken once, and
// nobody sleeps while there is one. Every wait that ends by its context in the
// very instant that it is made leader (F-A9) is among them.
func TestNothingIsLost(t *testing.T) {
	const (
		gates, getters, putters = 2, 8, 2
		items                   = 2000 // of each putter
	)
	b := new(box)
	var got atomic.Int64
	var get, put sync.WaitGroup
	for i := range gates {
		g := futex.NewGate(&b.word, []futex.Policy{futex.Adaptive, futex.Block}[i%2])
		g.SetSlice(forever)
		for j := range getters {
			get.Go(func() {
				for got.Load() < putters*items {
					ctx, cancel := bg, context.CancelFunc(func() {})
					if j%2 == 0 {
						ctx, cancel = context.WithTimeout(bg, time.Duration(j*20)*time.Microsecond)
					}
					err := g.Wait(ctx, take{box: b})
					cancel()
					if err == nil && got.Add(1) == putters*items {
						b.put(gates * getters) // sends the others home
					}
				}
			})
		}
	}
	for range putters {
		put.Go(func() {
			for i := range items {
				b.put(1)
				if i%8 == 0 { // let them run dry, and wait
					for b.items.Load() > 0 {
						runtime.Gosched()
					}
				}
			}
		})
	}
	ended := make(chan struct{})
	go func() {
		put.Wait()
		get.Wait()
		close(ended)
	}()
	select {
	case <-ended:
	case <-time.After(60 * time.Second):
		t.Fatalf("%d of %d items taken, %d there, and nobody moves", got.Load(), putters*items, b.items.Load())
	}
	if n := got.Load(); n < putters*items {
		t.Errorf("%d of %d items taken", n, putters*items)
	}
}

// Slice is called at its rhythm while waiting is in vain, also when the word
// changes more often than that, and also by waits that are too short for it.
func TestSliceRhythm(t *testing.T) {
	const slice = 10 * time.Millisecond
	rhythm := func(b *box, p futex.Policy) *futex.Gate {
		g := futex.NewGate(&b.word, p)
		g.SetSlice(slice)
		return g
	}
	for name, p := range map[string]futex.Policy{"adaptive": futex.Adaptive, "spin": futex.Spin, "block": futex.Block} {
		t.Run(name+" in vain", func(t *testing.T) {
			b := new(box)
			begun := time.Now()
			c := start(bg, rhythm(b, p), take{box: b})
			until(t, "it has looked around", func() bool { return b.looked.Load() >= 3 })
			if d := time.Since(begun); d < 3*slice {
				t.Errorf("looked around 3 times within %v", d)
			}
			b.put(1)
			soon(t, "the item", c)
		})
		t.Run(name+" woken for nothing", func(t *testing.T) {
			b := new(box)
			c := start(bg, rhythm(b, p), take{box: b})
			until(t, "it has looked around", func() bool {
				futex.Notify(&b.word)
				return b.looked.Load() >= 3
			})
			b.put(1)
			soon(t, "the item", c)
		})
		t.Run(name+" in short waits", func(t *testing.T) {
			b := new(box)
			g := rhythm(b, p)
			until(t, "it has looked around", func() bool {
				ctx, cancel := context.WithTimeout(bg, slice/10)
				defer cancel()
				if err := g.Wait(ctx, take{box: b}); err != context.DeadlineExceeded {
					t.Fatalf("Wait: %v, want context.DeadlineExceeded", err)
				}
				return b.looked.Load() >= 3
			})
		})
	}
	t.Run("not after a success", func(t *testing.T) {
		b := new(box)
		g := futex.NewGate(&b.word, futex.Block)
		g.SetSlice(forever)
		ctx, cancel := context.WithTimeout(bg, time.Millisecond)
		defer cancel()
		g.Wait(ctx, take{box: b}) // Slice is due an hour from now
		b.put(1)
		if err := g.Wait(bg, take{box: b}); err != nil {
			t.Fatal(err)
		}
		g.SetSlice(time.Millisecond) // and from here on, after the success, soon
		c := start(bg, g, take{box: b})
		until(t, "it has looked around", func() bool { return b.looked.Load() > 0 })
		b.put(1)
		soon(t, "the item", c)
	})
}

// Spinning tries at least once a slice, whatever Ready says.
func TestReadyMayErr(t *testing.T) {
	if runtime.NumCPU() == 1 {
		t.Skip("one processor: nobody spins")
	}
	b := new(box)
	g := futex.NewGate(&b.word, futex.Spin)
	g.SetSlice(time.Millisecond)
	var tries atomic.Int64
	c := start(bg, g, looker{take{box: b}, func() bool { return false }, &tries})
	until(t, "it waits", func() bool { return tries.Load() > 0 })
	b.put(1)
	if err := soon(t, "the item", c); err != nil {
		t.Error(err)
	}
}

func TestWithOneProc(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	policies(t, func(t *testing.T, b *box, g *futex.Gate) {
		const n = 100
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() {
				for range n {
					if err := g.Wait(bg, take{box: b}); err != nil {
						t.Error(err)
					}
				}
			})
		}
		for range 3 * n {
			b.put(1)
			runtime.Gosched()
		}
		ended := make(chan struct{})
		go func() { wg.Wait(); close(ended) }()
		soon(t, "all items", ended)
	})
}
