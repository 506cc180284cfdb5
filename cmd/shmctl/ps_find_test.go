//go:build linux && !portable

package main

import (
	"os"
	"reflect"
	"testing"
	"time"

	"github.com/shmkit/shmkit/internal/cli/clitest"
	"github.com/shmkit/shmkit/shm"
)

// A process that has a segment open twice holds what both of its slots do.
func TestPsHoldings(t *testing.T) {
	var p proc
	p.hold(nil)
	p.hold(&holding{Segment: "jobs"})
	first := holding{Segment: "jobs", Roles: []string{"consumer"}, Borrowed: 1}
	p.hold(&first)
	p.hold(&holding{Segment: "app", DictLocks: 1})
	p.hold(&holding{Segment: "jobs", Roles: []string{"producer"}, Reserved: 2, Borrowed: 3, DictLocks: 4, Task: "render"})
	want := []holding{
		{Segment: "jobs", Roles: []string{"consumer", "producer"}, Reserved: 2, Borrowed: 4, DictLocks: 4, Task: "render"},
		{Segment: "app", DictLocks: 1},
	}
	if !reflect.DeepEqual(p.Holds, want) {
		t.Errorf("%+v, want %+v", p.Holds, want)
	}
	if first.Borrowed != 1 {
		t.Errorf("the slot's own has become %+v", first)
	}
}

// A slot is that of the process of its PID only if it lives, and was started when that was, in
// this namespace.
func TestPsHolder(t *testing.T) {
	dir := clitest.UseDir(t, "shmctl-test-")
	block, err := shm.Create("pixels", 100, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer block.Close()
	i, err := shm.Inspect(dir + "/pixels")
	if err != nil {
		t.Fatal(err)
	}
	defer i.Close()
	mine := i.Slots()[0]
	me := &proc{PID: os.Getpid(), started: mine.StartTime}
	for what, tt := range map[string]struct {
		change func(*shm.SlotInfo)
		known  bool
	}{
		"itself":    {func(*shm.SlotInfo) {}, true},
		"dead":      {func(s *shm.SlotInfo) { s.Alive = false }, false},
		"another":   {func(s *shm.SlotInfo) { s.StartTime++ }, false},
		"elsewhere": {func(s *shm.SlotInfo) { s.PIDNamespace++ }, false},
	} {
		s := mine
		tt.change(&s)
		f := finder{known: map[int]*proc{me.PID: me}, found: make(map[identity]*proc)}
		p := f.holder(s)
		if (p == me) != tt.known || f.holder(s) != p || len(f.found) != 1 {
			t.Errorf("%s: %+v of %+v", what, p, f.found)
		}
	}
}

func TestPsSince(t *testing.T) {
	then := time.Unix(1000, 0)
	list := func(after time.Duration, seconds float64) *processList {
		return &processList{Time: then.Add(after), Processes: []proc{
			{PID: 1, started: 10, Started: &then, CPUSeconds: seconds, CPUPercent: 7},
			{PID: 2, started: uint64(after), Started: &then, CPUSeconds: seconds, CPUPercent: 7}, // always another
		}}
	}
	last, now := list(1, 3), list(1+2*time.Second, 4)
	now.since(last)
	if a, b := now.Processes[0].CPUPercent, now.Processes[1].CPUPercent; a != 50 || b != 7 {
		t.Errorf("shares %v and %v, want 50 and 7", a, b)
	}
	last.since(nil)
	if share := last.Processes[0].CPUPercent; share != 7 {
		t.Errorf("share %v without an earlier look, want 7", share)
	}
	same := list(1, 9)
	same.since(last)
	if share := same.Processes[0].CPUPercent; share != 7 {
		t.Errorf("share %v of no time, want 7", share)
	}
}
