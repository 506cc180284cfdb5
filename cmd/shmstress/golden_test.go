package main

import (
	"bytes"
	"path/filepath"
	"testing"

	"github.com/shmkit/shmkit/internal/cli"
	"github.com/shmkit/shmkit/internal/cli/clitest"
)

// TestGolden pins the summaries. The JSON is a contract.
func TestGolden(t *testing.T) {
	dir := "/dev/shm/shmkit-1000/evidence-stress-0123456789ab"
	steps := map[string]int{"ring.claim": 5, "ring.borrow": 2}
	pause := pauseFigures{Count: 107, Median: 1.25, P99: 46.7, Worst: 50.75}
	for name, s := range map[string]*summary{
		"queue": {
			Mode: "queue", Command: "shmstress queue --kill-rate=20 --seed=1", Seed: 1, Ended: endedByTime, Seconds: 60.01,
			Violations: []violation{},
			Members:    memberFigures{Started: 115, Killed: 100, StepKilled: 7, Stopped: 12, Steps: steps},
			Queue: &queueFigures{PerSecond: 526703.4, Put: 2347892, PutInDoubt: 590, Taken: 276087, Acked: 2072021, Nacked: 295586,
				Redelivered: 292206, LostInGet: 3, LostInGetMost: 4, AckInDoubt: 2, Unnoted: 1, RoleWaits: 1, Pause: pause},
		},
		"pool": {
			Mode: "pool", Command: "shmstress pool --seed=1", Seed: 1, Ended: endedByUser, Seconds: 4000,
			Violations: []violation{},
			Members:    memberFigures{Started: 55, Killed: 26, Stopped: 9, Steps: map[string]int{}},
			Pool: &poolFigures{PerSecond: 39923.2, Tasks: 202825, Outcomes: map[string]uint64{fateResult: 199740, fateDeath: 16},
				Retried: 17, Restarts: 47, SelfInflicted: 21, Pause: pause},
		},
		"dict": {
			Mode: "dict", Command: "shmstress dict --seed=1", Seed: 1, Ended: endedByTime, Seconds: 20.1,
			Violations: []violation{},
			Members:    memberFigures{Started: 392, Killed: 388, Stopped: 85, Steps: map[string]int{}},
			Dict: &dictFigures{PerSecond: 75421.9, Operations: map[string]uint64{"reads": 378815, "writes": 379169}, Changes: 901111,
				Entries: 714, Blocks: 1294, Bytes: 6437392, Pause: pause},
		},
		"violation": {
			Mode: "queue", Command: "shmstress queue --seed=1", Seed: 1, Ended: endedByViolation, Seconds: 0.3,
			Violations: []violation{{duplicate, "consumer 3: p1.1#1621 came with attempt 1, and had before", 0.25}, {lost, "a\x1b[2Jb", 0.3}},
			Violated:   7, Evidence: &dir,
			Members: memberFigures{Started: 8, Steps: map[string]int{}},
			Queue:   &queueFigures{},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var asJSON, asText bytes.Buffer
			if err := cli.PrintJSON(&asJSON, s); err != nil {
				t.Fatal(err)
			}
			if err := s.print(&app{out: &asText}); err != nil {
				t.Fatal(err)
			}
			clitest.Compare(t, filepath.Join("testdata", name+".json"), asJSON.String(), nil)
			clitest.Compare(t, filepath.Join("testdata", name+".txt"), asText.String(), nil)
		})
	}
}
