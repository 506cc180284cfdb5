//go:build faultpoints && unix

package main

import (
	"strings"
	"testing"

	"github.com/shmkit/shmkit/internal/cli/clitest"
	"github.com/shmkit/shmkit/manager"
	"github.com/shmkit/shmkit/shm"
)

// TestFaults lets members kill themselves between the steps of operations, and
// lose wake-ups.
func TestFaults(t *testing.T) {
	for _, mode := range []string{"queue", "pool", "queue -single-producer -single-consumer", "dict"} {
		t.Run(mode, func(t *testing.T) {
			dir := clitest.UseDir(t, "shmstress-test-")
			kind := strings.Fields(mode)[0]
			if kind == "dict" {
				kind = manager.Kind
			}
			s := wantClean(t, runUntil(t, "40 processes have died", func() bool {
				dead := figures(t, dir, kind, func(i *shm.Inspection) uint64 { return i.Total(shm.Recoveries) })
				var n uint64
				for _, d := range dead {
					n += d
				}
				return n >= 40
			}, mode+" -kill-rate 5 -stop-rate 3 -step-kill-rate 30 -drop-wakes 0.2"))
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
