package futex

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/shmkit/shmkit/internal/fault"
)

// Slice is the longest sleep. After it a waiter looks around.
const Slice = 50 * time.Millisecond

// A Policy says how a leader waits.
type Policy uint8

const (
	Adaptive Policy = iota // spin as long as that pays, then sleep
	Spin                   // never sleep; needs a processor to itself
	Block                  // sleep at once
)

// A Waiter is one goroutine's wait for something.
type Waiter interface {
	// Ready is a cheap look whether Try is worth while. Spinning calls it
	// between tries. It may err either way, but not for long.
	Ready() bool

	// Try makes the attempt. The wait ends when it is done or returns an
	// error. It must not block, and is called without any lock.
	Try() (done bool, err error)

	// Slice is called after each [Slice] of waiting in vain: the moment to
	// look whether whoever is waited for has died. It is called without any
	// lock, before another Try.
	Slice()
}

// A Gate is where the goroutines of one handle wait for one word. One of them,
// the leader, spins and sleeps in the kernel; the others park. So any number of
// waiting goroutines occupies one thread. A leader that leaves hands on to the
// goroutine that has waited longest.
//
// Its methods may be called from several goroutines at once.
type Gate struct {
	word   *atomic.Uint32
	policy Policy
	budget atomic.Int64 // how long the leader spins; only leaders write it

	mu      sync.Mutex
	led     bool   // there is a leader
	bell    *bell  // of the leader, once it has slept
	first   *party // those who wait to lead, oldest first
	last    *party
	waiting int
}

// A party is a goroutine that waits to lead.
type party struct {
	lead       chan struct{} // closed when it is made leader
	again      chan struct{} // it shall try again by itself
	queued     bool          // in the gate's list; guarded by its mu
	prev, next *party
}

// NewGate returns a gate for the word.
func NewGate(word *atomic.Uint32, p Policy) *Gate {
	if p != Block && (runtime.GOMAXPROCS(0) == 1 || runtime.NumCPU() == 1) {
		p = Block // whoever is to bring about the change needs the processor
	}
	g := &Gate{word: word, policy: p}
	g.budget.Store(int64(firstBudget))
	return g
}

// Wait calls w.Try until it is done or returns an error, and sleeps in between.
// It returns that error, or ctx's when ctx is done first. Try is called at least
// once if ctx is not done.
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
	defer g.handOver() // also when Try panics
	return g.lead(ctx, w)
}

// Waiting returns how many goroutines wait at the moment.
func (g *Gate) Waiting() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.waiting
}

// Interrupt makes every goroutine that waits try again at once: something
// outside of the shared memory has changed.
func (g *Gate) Interrupt() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.bell != nil {
		g.bell.ring()
	}
	for p := g.first; p != nil; p = p.next {
		select {
		case p.again <- struct{}{}:
		default:
		}
	}
}

// follow waits until p leads. If it returns false the wait is over with err.
func (g *Gate) follow(ctx context.Context, p *party, w Waiter) (leads bool, err error) {
	for {
		select {
		case <-p.lead:
			return true, nil
		case <-ctx.Done():
			err = ctx.Err()
		case <-p.again:
			done, e := w.Try()
			if !done && e == nil {
				continue
			}
			err = e
		}
		g.mu.Lock()
		queued := p.queued
		if queued {
			g.remove(p)
			g.waiting--
		}
		g.mu.Unlock()
		if !queued { // made leader in the same instant: leave as one
			g.handOver()
		}
		return false, err
	}
}

// lead is the leader's wait.
func (g *Gate) lead(ctx context.Context, w Waiter) error {
	if done, err := w.Try(); done || err != nil {
		return err
	}
	if g.policy != Block {
		if over, err := g.spin(ctx, w); over {
			return err
		}
	}
	b := g.hangBell()
	stop := context.AfterFunc(ctx, b.ring)
	defer stop()
	for {
		fault.Point("futex.arm")
		v := g.word.Or(waiting) | waiting
		// The bit is set: from here on a change either is seen by this try,
		// or its notifier sees the bit.
		if done, err := w.Try(); done || err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if sleep(g.word, v, b, Slice) {
			w.Slice()
		}
		if done, err := w.Try(); done || err != nil {
			return err
		}
	}
}

// handOver ends a leadership.
func (g *Gate) handOver() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.waiting--
	g.bell = nil
	p := g.first
	if p == nil {
		g.led = false
		return
	}
	g.remove(p)
	close(p.lead)
}

// hangBell gives the leader something to be woken by from this process.
func (g *Gate) hangBell() *bell {
	b := &bell{word: g.word}
	g.mu.Lock()
	g.bell = b
	g.mu.Unlock()
	return b
}

// queue appends a new party. Called with mu held.
func (g *Gate) queue() *party {
	p := &party{lead: make(chan struct{}), again: make(chan struct{}, 1), queued: true, prev: g.last}
	if g.last != nil {
		g.last.next = p
	} else {
		g.first = p
	}
	g.last = p
	return p
}

// remove takes p out of the list. Called with mu held.
func (g *Gate) remove(p *party) {
	if p.prev != nil {
		p.prev.next = p.next
	} else {
		g.first = p.next
	}
	if p.next != nil {
		p.next.prev = p.prev
	} else {
		g.last = p.prev
	}
	p.prev, p.next, p.queued = nil, nil, false
}
