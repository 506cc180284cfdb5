package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/shmkit/shmkit/shm"
)

// settleUp looks whether what is left is what must be. All members have ended.
func (r *dictRun) settleUp() {
	r.m.Segment().RecoverDead()
	for _, look := range []func() error{r.settleValues, r.settleCounts, r.settleBanks, r.settleMemory} {
		if err := look(); err != nil {
			kind, text, _ := strings.Cut(err.Error(), ": ")
			if !slices.Contains(append(findings, leaked), kind) {
				kind, text = failedOp, err.Error()
			}
			r.charge(kind, "at the end: %s", text)
		}
	}
	seg := r.m.Segment()
	for i := range seg.Slots() {
		if s := seg.SlotInfo(i); s.State != shm.SlotFree && i != seg.Slot() {
			r.charge(miscounted, "slot %d is %v (pid %d), and all members have ended", i, s.State, s.PID)
		}
	}
}

// settleValues looks at each key of each place.
func (r *dictRun) settleValues() error {
	m, present := mint{r.Seed, r.cfg.Sizes}, 0
	for place, lines := range r.board.keys {
		for i := range lines {
			s, err := settleKey(r.hoard, &m, ownKey{uint32(place), uint32(i)}, &lines[i])
			if err != nil {
				return err
			}
			if s.present {
				present++
			}
		}
	}
	if n := r.values.Len(); n != present {
		return found(miscounted, "Len is %d, and %d keys are there", n, present)
	}
	return nil
}

func (r *dictRun) settleCounts() error {
	for i := range counters {
		n, _, err := r.totals.Get(i)
		if err != nil {
			return err
		}
		if low, high := r.board.count(i); uint64(n) < low || uint64(n) > high {
			return found(miscounted, "counter %d is %d, and was added to %d times for sure, %d at most", i, n, low, high)
		}
	}
	return nil
}

func (r *dictRun) settleBanks() error {
	const all = accounts * deposit
	bank, err := r.bank.Snapshot()
	if err != nil {
		return err
	}
	if err := balance(bank, all, "the bank"); err != nil {
		return err
	}
	left, err := r.left.Snapshot()
	if err != nil {
		return err
	}
	right, err := r.right.Snapshot()
	if err != nil {
		return err
	}
	for k, v := range right {
		left[k+accounts] = v
	}
	return balance(left, 2*all, "left and right")
}

// settleMemory collects what nobody refers to any more, and looks at each block.
func (r *dictRun) settleMemory() error {
	if _, err := r.m.Collect(); err != nil {
		return err
	}
	var err error
	if r.report, err = r.m.Fsck(); err != nil {
		return err
	}
	if !r.report.OK() {
		return found(leaked, "%d problems: %s", len(r.report.Problems), strings.Join(r.report.Problems[:min(5, len(r.report.Problems))], "; "))
	}
	if names, err := r.m.Names(); err != nil || r.report.Objects-len(names) > nestKeys {
		return found(leaked, "%d objects, of which %d have names and %d can be in others (%v)", r.report.Objects, len(names), nestKeys, err)
	}
	return nil
}

// gather keeps as evidence how things are: members are stopped while their memory is copied,
// and made to print their goroutines if something hangs.
func (r *dictRun) gather() {
	for _, p := range r.places {
		p.heed(p.signal(sigStop))
	}
	r.copySegment(r.m.Segment())
	r.copySegment(r.board.seg)
	var b strings.Builder
	for _, p := range r.places {
		fmt.Fprintf(&b, "%v, life %d: in %s, %d duties done, %d changes\n", p, p.line.life.Load(), p.doing(), p.line.beat.Load(), p.line.changes.Load())
	}
	r.dump("places.txt", []byte(b.String()))
	r.dumpVerdict()
	for _, p := range r.places {
		p.heed(p.signal(sigCont))
	}
	if r.hanging.Load() {
		r.interrogate()
	}
}

// interrogate ends the members so that they print their goroutines.
func (r *dictRun) interrogate() {
	for _, p := range r.places {
		p.heed(p.signal(sigQuit))
	}
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(2 * time.Second); time.Now().Before(deadline); <-tick.C {
		if !slices.ContainsFunc(r.places, func(p *stand) bool { return p.taken() }) {
			return
		}
	}
}
