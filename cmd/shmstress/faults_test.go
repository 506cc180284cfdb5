//go:build faultpoints && unix

package main

import (
	"context"
	"strings"
	"testing"
)

// TestFaults lets members kill themselves between the steps of operations, and
// lose wake-ups.
func TestFaults(t *testing.T) {
	for _, mode := range []string{"queue", "pool", "queue -single-producer -single-consumer"} {
		t.Run(mode, func(t *testing.T) {
			dir := useDir(t)
			args := strings.Fields(mode + " -o json -duration 3s -kill-rate 3 -stop-rate 3 -step-kill-rate 20 -drop-wakes 0.2")
			s := wantClean(t, shmstress(context.Background(), args...))
			var steps uint64
			for _, n := range s.Members.Steps {
				steps += uint64(n)
			}
			if s.Members.StepKilled < 5 || len(s.Members.Steps) < 3 || steps != s.Members.StepKilled {
				t.Errorf("%+v", s.Members)
			}
			wantNothingLeft(t, dir)
		})
	}
}
