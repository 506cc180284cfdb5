package main

import "errors"

// faults are what only a build with crash points can do to a process.
type faults struct {
	DropWakes float64 // this fraction of wake-ups is lost
	StepKills float64 // it kills itself at a crash point, so often a second
}

func (f faults) any() bool { return f.DropWakes > 0 || f.StepKills > 0 }

// check returns an error if this build can't do it.
func (f faults) check() error {
	if f.DropWakes < 0 || f.DropWakes > 1 {
		return errors.New("--drop-wakes is a fraction, from 0 to 1")
	}
	if f.StepKills < 0 {
		return errors.New("--step-kill-rate is negative")
	}
	if f.any() && !canFault {
		return errors.New("--drop-wakes and --step-kill-rate need crash points: build with go build -tags faultpoints ./cmd/shmstress")
	}
	return nil
}
