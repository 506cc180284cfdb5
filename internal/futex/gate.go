package futex

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/shmkit/shmkit/internal/fault"
)

// Slice is the longest time that a wait goes on without looking around: the
// longest sleep, and the rhythm of [Waiter].Slice.
const Slice = 50 * time.Millisecond

// A Policy says how a leader waits.
type Policy uint8

const (
	Adaptive Policy = iota // spin as long as that pays, then sleep
	Spin                   // never sleep; needs a processor to itself
	Block                  // sleep at once
)

// A Waiter is one goroutine's wait for something. The methods are called on
// the goroutine that waits, without any lock, and must not block.
type Waiter interface {
	// Try makes the attempt. The wait ends when it is done or returns an
	// error. The leader calls it, when it spins very often; other waiting
	// goroutines call it only after [Gate.Interrupt].
	Try() (done bool, err error)

	// Slice is called each time that waiting at the gate has been in vain
	// for another [Slice]: the moment to look whether whoever is waited for
	// has died. Another Try follows. The rhythm is the gate's and not the
	// single wait's, so that it is kept by a sequence of short waits that
	// all time out, and by a waiter that is woken again and again for
	// nothing.
	Slice()
}

// A Looker is a [Waiter] that knows a cheaper look than Try. Spinning then
// calls Ready, and Try only when it returns true. Ready may err either way, but
// not for longer than a Slice: so often Try is called in any case.
type Looker interface {
	Waiter
	Ready() bool
}

// A Gate is where the goroutines of one handle wait for one word. One of them,
// the leader, spins and sleeps in the kernel; the others, the followers, park.
// So any number of waiting goroutines occupies one thread. A leader that leaves
// hands on to the follower that has waited longest.
//
// Its methods may be called from several goroutines at once.
type Gate struct {
	word   *atomic.Uint32 // in shared memory
	policy Policy
	slice  time.Duration // Slice, except in tests
	bell   bell
	sleeps atomic.Uint64

	// The leader's. They are handed on with the leadership.
	patience patience
	next     time.Time // when Slice is due; zero after a wait that was not in vain

	mu      sync.Mutex
	led     bool   // there is a leader
	first   *party // the followers, oldest first
	last    *party
	waiting int
}

// NewGate returns a gate for the word, which stays mapped until the last Wait
// has returned.
//
// Where there is only one processor all policies mean Block, because whoever is
// to bring about the change needs it; with GOMAXPROCS of 1 Adaptive does.
func NewGate(word *atomic.Uint32, p Policy) *Gate {
	procs := runtime.GOMAXPROCS(0)
	if runtime.NumCPU() == 1 || p == Adaptive && procs == 1 {
		p = Block
	}
	return &Gate{word: word, policy: p, slice: Slice, bell: bell{word: word}, patience: newPatience(procs)}
}

// Wait blocks until w.Try is done, and returns nil, or Try's error, or
// ctx.Err() when ctx is done first. The caller has tried before; a leader tries
// once more before it looks at ctx.
//
// When Wait has returned, nothing of it touches the word any more.
func (g *Gate) Wait(ctx context.Context, w Waiter) error {
	g.mu.Lock()
	g.waiting++
	if !g.led {
		g.led = true
		g.mu.Unlock()
	} else {
		p := g.queue()
		g.mu.Unlock()
		if leads, err := g.follow(ctx, p, w); !leads {
			return err
		}
	}
	defer g.handOver() // also when a method of w panics
	done, err := g.lead(ctx, w)
	if done {
		g.next = time.Time{}
	}
	return err
}

// Waiting returns how many goroutines are in Wait. The number may be old.
func (g *Gate) Waiting() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.waiting
}

// Sleeps returns how many times a goroutine of this gate has gone to sleep in
// the kernel.
func (g *Gate) Sleeps() uint64 { return g.sleeps.Load() }

// Interrupt makes every goroutine in Wait try again at once: something outside
// of the shared memory has changed, such as that the handle was closed. What
// was stored before Interrupt is seen by these tries. Who waits for the word in
// other processes may be woken too, for nothing. It must not be called after the
// word has been unmapped.
func (g *Gate) Interrupt() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.led {
		g.bell.ring()
		Notify(g.word) // a leader that can't be cancelled does not hear the bell
	}
	for p := g.first; p != nil; p = p.next {
		p.nudge()
	}
}

// lead is the leader's wait.
func (g *Gate) lead(ctx context.Context, w Waiter) (done bool, err error) {
	heard := g.bell.rings.Load()
	if done, err := w.Try(); done || err != nil {
		return done, err
	}
	if g.next.IsZero() {
		g.next = time.Now().Add(g.slice)
	}
	if g.policy != Block {
		if done, err := g.spin(ctx, w, heard); done || err != nil {
			return done, err
		}
	}
	if ctx.Done() != nil {
		defer g.ringWhenDone(ctx)()
	}
	for {
		heard = g.bell.rings.Load()
		fault.Point("futex.arm")
		v := g.word.Or(waiting) | waiting
		// The bit is set: from here on a change either is seen by this try,
		// or its notifier sees the bit.
		if done, err := w.Try(); done || err != nil {
			return done, err
		}
		if err := ctx.Err(); err != nil {
			return false, err
		}
		if left := time.Until(g.next); left > 0 {
			g.sleep(ctx, v, heard, left)
		} else {
			g.lookAround(w)
		}
		if done, err := w.Try(); done || err != nil {
			return done, err
		}
	}
}

// sleep sleeps in the kernel while the word is val, the bell has rung no more
// often than heard, and for at most d. With a context that can't end the bell is
// not listened to, because one word is cheaper than two.
func (g *Gate) sleep(ctx context.Context, val, heard uint32, d time.Duration) {
	g.sleeps.Add(1)
	if ctx.Done() == nil {
		Wait(g.word, val, d)
		return
	}
	g.bell.sleep(val, heard, d)
}

// lookAround calls w.Slice, which is due.
func (g *Gate) lookAround(w Waiter) {
	w.Slice()
	g.next = time.Now().Add(g.slice)
}

// ringWhenDone makes the leader return from sleep when ctx is done. The function
// returned undoes that. Once it has returned the bell is not rung any more, nor
// the word touched, even if ctx was done in the same instant.
func (g *Gate) ringWhenDone(ctx context.Context) (undo func()) {
	rung := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		g.bell.ring()
		close(rung)
	})
	return func() {
		if !stop() {
			<-rung
		}
	}
}

// handOver ends a leadership.
func (g *Gate) handOver() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.waiting--
	if p := g.first; p != nil {
		g.remove(p)
		p.nudge()
	} else {
		g.led = false
	}
}
