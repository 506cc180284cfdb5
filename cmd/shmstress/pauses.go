package main

import (
	"context"
	"sync"
	"time"
)

// pauses measures how long it takes after a member's death until the others go
// on.
type pauses struct {
	wake chan struct{}

	mu      sync.Mutex
	pending []pause
	times   histogram
}

// A pause begins with a death, and is over when over says so.
type pause struct {
	since time.Time
	over  func() bool
}

func newPauses() *pauses { return &pauses{wake: make(chan struct{}, 1)} }

// begin waits for the end of a pause.
func (p *pauses) begin(since time.Time, over func() bool) {
	p.mu.Lock()
	p.pending = append(p.pending, pause{since, over})
	p.mu.Unlock()
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// run measures until ctx is done. It looks often, but only while there is
// something to wait for.
func (p *pauses) run(ctx context.Context) {
	const often, never = 200 * time.Microsecond, time.Hour
	tick := time.NewTicker(never)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-p.wake:
		case <-tick.C:
		}
		if p.look() {
			tick.Reset(often)
		} else {
			tick.Reset(never)
		}
	}
}

// look ends the pauses that are over, and tells whether others are not.
func (p *pauses) look() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	rest := p.pending[:0]
	for _, d := range p.pending {
		if d.over() {
			p.times.add(time.Since(d.since))
		} else {
			rest = append(rest, d)
		}
	}
	clear(p.pending[len(rest):])
	p.pending = rest
	return len(rest) > 0
}

// forget ends the measuring of pauses that the end of the run cuts short.
func (p *pauses) forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pending = nil
}

// figures returns what was measured.
func (p *pauses) figures() pauseFigures {
	p.mu.Lock()
	defer p.mu.Unlock()
	return figuresOf(&p.times)
}
