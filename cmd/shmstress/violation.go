package main

import (
	"fmt"
	"sync"
	"time"
)

// A violation is something that the library promises not to happen. Its field
// tags are part of the JSON contract.
type violation struct {
	Kind    string  `json:"kind"`    // one of the names below
	Text    string  `json:"text"`    // what was seen
	Seconds float64 `json:"seconds"` // since the start
}

// Kinds of violations.
const (
	lost       = "lost"       // a record that was put for sure never came
	duplicate  = "duplicate"  // a record came again though nobody had given it back
	late       = "late"       // a record came after it had been acknowledged
	torn       = "torn"       // bytes that are not those of a record
	invented   = "invented"   // a record that nobody had put
	aborted    = "aborted"    // a record whose reservation was given up
	reordered  = "reordered"  // a first delivery out of its producer's order
	attempts   = "attempt"    // an attempt number that can't be
	hang       = "hang"       // nothing passes
	stuck      = "stuck"      // a member's operation does not return
	crashed    = "crashed"    // a member died that nobody had killed
	failedOp   = "error"      // an operation returned an error that it must not
	miscounted = "miscounted" // lengths or counters that can't be
	wrong      = "wrong"      // a task's result is not the right one
	unearned   = "unearned"   // a task failed for a death that was not its worker's
	repeated   = "repeated"   // a task ran more often than it may
	weakened   = "weakened"   // a pool is not what it was after the storm
	stale      = "stale"      // a value that is older than one that was there
	unbalanced = "unbalanced" // money made or lost
	leaked     = "leaked"     // memory is lost or leaked
)

// mostViolations is how many are kept in words.
const mostViolations = 20

// A court collects violations. It is used from several goroutines.
type court struct {
	start time.Time

	mu    sync.Mutex
	list  []violation
	count int
	first chan struct{} // closed at the first one
}

func newCourt() *court { return &court{start: time.Now(), first: make(chan struct{})} }

// charge writes a violation down.
func (c *court) charge(kind, format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.count++
	if c.count == 1 {
		close(c.first)
	}
	if len(c.list) < mostViolations {
		c.list = append(c.list, violation{kind, fmt.Sprintf(format, args...), time.Since(c.start).Seconds()})
	}
}

// verdict returns the first violations, and how many there are.
func (c *court) verdict() ([]violation, int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]violation{}, c.list...), c.count
}
