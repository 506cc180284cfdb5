package main

import (
	"context"
	"sync"
	"time"
)

// pauses measures how long it takes after a member's death until the others
// have taken the next record.
type pauses struct {
	ledger *ledger
	wake   chan struct{}

	mu      sync.Mutex
	pending []death
	times   histogram
}

// A death is one after which nobody has taken a record yet.
type death struct {
	at     time.Time
	seat   int
	life   uint64
	others uint64 // what the other seats had taken then
	own    uint64 // and this one
}

func newPauses(l *ledger) *pauses { return &pauses{ledger: l, wake: make(chan struct{}, 1)} }

// deathOf describes the death of the member on a seat that is about to happen
// now.
func (p *pauses) deathOf(seat int) death {
	line := &p.ledger.lines[seat]
	return death{time.Now(), seat, line.life.Load(), p.ledger.taken(seat), line.passed.Load()}
}

// begin waits for the end of the pause after a death.
func (p *pauses) begin(d death) {
	p.mu.Lock()
	p.pending = append(p.pending, d)
	p.mu.Unlock()
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// run measures until ctx is done. It looks often, but only while there is
// something to wait for.
func (p *pauses) run(ctx context.Context) {
	tick := time.NewTicker(time.Hour)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-p.wake:
		case <-tick.C:
		}
		if p.look() {
			tick.Reset(200 * time.Microsecond)
		} else {
			tick.Reset(time.Hour)
		}
	}
}

// look ends the pauses that are over, and tells whether others are not.
func (p *pauses) look() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	rest := p.pending[:0]
	for _, d := range p.pending {
		line := &p.ledger.lines[d.seat]
		// The next life on the same seat is one of the others, too.
		if p.ledger.taken(d.seat) > d.others || line.life.Load() != d.life && line.passed.Load() > d.own {
			p.times.add(time.Since(d.at))
		} else {
			rest = append(rest, d)
		}
	}
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
