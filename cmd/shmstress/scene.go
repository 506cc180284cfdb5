package main

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/shmkit/shmkit/shm"
)

// common is what the command line says about a run of either kind.
type common struct {
	Duration  time.Duration
	HangAfter time.Duration // how long nothing may pass
	KillRate  float64       // a second, over all members
	StopRate  float64
	Seed      uint64
	Dir       string // of the segments, never empty
	Faults    faults // StepKills is over all members here
}

// A scene is what runs of either kind have: the court, and where things are.
type scene struct {
	common
	*court
	name   string // of the main segment
	log    *tail  // what members write
	status *statusLine
	counts counts

	mu       sync.Mutex
	evidence string // directory of it; "" if there is none
}

// counts are what has been done to the members.
type counts struct {
	started, killed, stopped atomic.Uint64

	mu    sync.Mutex
	steps map[string]int // crash points at which they killed themselves
}

func (c *counts) stepKill(step string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.steps == nil {
		c.steps = map[string]int{}
	}
	c.steps[step]++
}

func (c *counts) figures() memberFigures {
	c.mu.Lock()
	defer c.mu.Unlock()
	f := memberFigures{
		Started: c.started.Load(),
		Killed:  c.killed.Load(),
		Stopped: c.stopped.Load(),
		Steps:   map[string]int{},
	}
	maps.Copy(f.Steps, c.steps)
	for _, n := range c.steps {
		f.StepKilled += uint64(n)
	}
	return f
}

// newScene prepares a run. The scene must be cleared.
func newScene(c common, status *statusLine) (*scene, error) {
	id := make([]byte, 6)
	rand.Read(id)
	// What earlier runs left that were killed with all their members.
	if _, err := shm.Dir(c.Dir).Sweep(); err != nil && !os.IsNotExist(err) {
		return nil, err
	}
	return &scene{common: c, court: newCourt(), name: "stress-" + hex.EncodeToString(id), log: new(tail), status: status}, nil
}

// clear ends the scene. What the members have written is kept with the evidence
// if there is any.
func (s *scene) clear() {
	if b := s.log.bytes(); len(b) > 0 && s.evidenceDir() != "" {
		s.dump("output.txt", b)
	}
}

// evidencePath is where evidence goes.
func (s *scene) evidencePath() string { return filepath.Join(s.Dir, "evidence-"+s.name) }

// evidenceDir returns the directory of the evidence, and "" if there is none.
func (s *scene) evidenceDir() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.evidence == "" {
		if _, err := os.Stat(s.evidencePath()); err == nil { // a member's
			s.evidence = s.evidencePath()
		}
	}
	return s.evidence
}

// dump keeps evidence as a file. It can't fail loudly: the run has a verdict
// already, which must be told.
func (s *scene) dump(name string, content []byte) {
	err := os.MkdirAll(s.evidencePath(), 0o700)
	if err == nil {
		err = os.WriteFile(filepath.Join(s.evidencePath(), name), content, 0o600)
	}
	if err != nil {
		s.status.say(fmt.Sprintf("evidence %s: %v", name, err))
	}
}

// dumpVerdict keeps the violations themselves.
func (s *scene) dumpVerdict() {
	vs, _ := s.verdict()
	var b strings.Builder
	for _, v := range vs {
		fmt.Fprintf(&b, "%8.3fs  %s: %s\n", v.Seconds, v.Kind, v.Text)
	}
	s.dump("violations.txt", []byte(b.String()))
}

// copySegment keeps the file of a segment as evidence, and returns the path of
// the copy.
func (s *scene) copySegment(seg *shm.Segment) string {
	name := seg.Name() + ".segment"
	b, err := os.ReadFile(seg.Path())
	if err != nil {
		s.status.say(fmt.Sprintf("evidence: %v", err))
		return ""
	}
	s.dump(name, b)
	return filepath.Join(s.evidencePath(), name)
}

// A watch tells when nothing has happened for too long.
type watch struct {
	last  uint64
	quiet time.Duration // time without a change in which there should have been one
	at    time.Time
}

// see takes a look at a figure that ought to change while due is set, and tells
// whether it has not for longer than most.
func (w *watch) see(now time.Time, figure uint64, due bool, most time.Duration) bool {
	if figure != w.last || w.at.IsZero() {
		w.last, w.quiet = figure, 0
	} else if due {
		// A referee that was itself kept from running must not blame others.
		w.quiet += min(now.Sub(w.at), time.Second)
	}
	w.at = now
	return w.quiet > most
}
