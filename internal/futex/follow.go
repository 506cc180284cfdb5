package futex

import (
	"context"
	"sync"
)

// A party is a follower: a goroutine that waits to lead. The gate's mutex guards
// it while it is queued; a nudge is sent with the mutex held. Taking it out of
// the queue is what makes it the leader, or what lets it leave.
type party struct {
	look       chan struct{} // holds at most one nudge
	queued     bool          // in the gate's list
	prev, next *party
}

var parties = sync.Pool{New: func() any { return &party{look: make(chan struct{}, 1)} }}

// nudge makes the party look what has changed.
func (p *party) nudge() {
	select {
	case p.look <- struct{}{}:
	default: // it has not looked since the last nudge
	}
}

// follow parks until p leads. If it returns false the wait is over with err.
func (g *Gate) follow(ctx context.Context, p *party, w Waiter) (leads bool, err error) {
	defer func() { // also when w.Try panics
		if !leads && !g.leave(p) {
			// Made leader in the same instant: leave as one, so that
			// somebody else leads.
			g.handOver()
		}
		p.free()
	}()
	for {
		select {
		case <-p.look:
		case <-ctx.Done():
			return false, ctx.Err()
		}
		if !g.follows(p) {
			return true, nil
		}
		if done, err := w.Try(); done || err != nil {
			return false, err
		}
	}
}

// follows tells whether p has not been made leader yet.
func (g *Gate) follows(p *party) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return p.queued
}

// leave takes p out of the queue. It returns false when p has been taken out,
// and made leader, already.
func (g *Gate) leave(p *party) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !p.queued {
		return false
	}
	g.remove(p)
	g.waiting--
	return true
}

// free gives back a party that is in no queue any more, so that nobody nudges it.
func (p *party) free() {
	select {
	case <-p.look:
	default:
	}
	parties.Put(p)
}

// queue appends a new party. Called with mu held.
func (g *Gate) queue() *party {
	p := parties.Get().(*party)
	p.queued = true
	p.prev = g.last
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
