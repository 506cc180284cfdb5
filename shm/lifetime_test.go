package shm_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"sync"
	"testing"

	"github.com/shmkit/shmkit/shm"
)

func TestLastLeaverRemoves(t *testing.T) {
	o := &shm.Options{Dir: testDir(t)}
	s := create(t, "x", 8, o)
	p := startAgent(t, o.Dir, related)
	p.want(t, "open x", "slot 1")
	s.Close()
	if !exists(s.Path()) {
		t.Fatal("removed while it was held")
	}
	p.want(t, "close", "ok")
	if left := names(t, o.Dir); len(left) > 0 {
		t.Fatalf("left behind: %q", left)
	}
}

func TestKilledLastLeaver(t *testing.T) {
	o := &shm.Options{Dir: testDir(t)}
	s := create(t, "x", 8, o)
	p := startAgent(t, o.Dir, related)
	p.want(t, "open x", "slot 1")
	s.Close()
	if swept := must(shm.Dir(o.Dir).Sweep())(t); len(swept) > 0 {
		t.Fatalf("swept %q while it was held", swept)
	}
	p.kill()
	if !exists(s.Path()) {
		t.Fatal("nobody can have removed it")
	}
	if swept := must(shm.Dir(o.Dir).Sweep())(t); len(swept) != 1 || swept[0] != "x" {
		t.Fatalf("swept %q", swept)
	}
	if left := names(t, o.Dir); len(left) > 0 {
		t.Fatalf("left behind: %q", left)
	}
}

// A leave that finds somebody left gives back whatever it locked to find out.
func TestLeaveKeepsNoLocks(t *testing.T) {
	o := &shm.Options{Dir: testDir(t)}
	first := must(shm.CreateSpec("x", &shm.Spec{Kind: "grave", Layout: 7, Size: 4096}, o))(t)
	defer first.Close()
	p := startAgent(t, o.Dir, related)
	p.want(t, "join x", "slot 1")
	third := must(shm.OpenSpec("x", &shm.Spec{Kind: "grave", Layout: 7}, o))(t)
	defer third.Close()
	p.kill()
	first.Close()
	if third.Slot() != 2 || !third.Probe(1) {
		t.Fatalf("slot %d can't recover the dead one", third.Slot())
	}
}

func TestPersistent(t *testing.T) {
	o := &shm.Options{Dir: testDir(t), Persistent: true}
	s := create(t, "x", 8, o)
	id := s.ID()
	s.Bytes()[0] = 5
	s.Close()
	p := startAgent(t, o.Dir, related)
	p.want(t, "open x", "slot 0")
	p.want(t, "get 0", "5")
	p.kill()
	if swept := must(shm.Dir(o.Dir).Sweep())(t); len(swept) > 0 {
		t.Fatalf("swept %q", swept)
	}
	_, err := shm.Create("x", 8, o)
	wantError(t, "create", err, shm.ErrExist)
	again := open(t, "x", &shm.Options{Dir: o.Dir})
	if !again.Persistent() || again.ID() != id || again.Bytes()[0] != 5 {
		t.Fatal("not the same segment")
	}
	again.Close()
	if err := shm.Dir(o.Dir).Remove("x"); err != nil {
		t.Fatal(err)
	}
	if left := names(t, o.Dir); len(left) > 0 {
		t.Fatalf("left behind: %q", left)
	}
}

// A removed segment lives on in those who hold it, beside a new one of its name,
// and their leaves do not touch that one.
func TestRemovedUnderUse(t *testing.T) {
	o := &shm.Options{Dir: testDir(t)}
	old := must(shm.CreateSpec("x", graveSpec(nil), o))(t)
	p := startAgent(t, o.Dir, related)
	p.want(t, "join x", "slot 1")
	if err := shm.Dir(o.Dir).Remove("x"); err != nil {
		t.Fatal(err)
	}
	again := create(t, "x", 8, o)
	p.kill()
	if !old.Probe(1) {
		t.Fatal("no recovery in a removed segment")
	}
	old.Close()
	if swept := must(shm.Dir(o.Dir).Sweep())(t); len(swept) > 0 {
		t.Fatalf("swept %q", swept)
	}
	if h := open(t, "x", o); h.ID() != again.ID() {
		t.Fatal("the new segment was replaced")
	}
	again.Close()
}

// Creators killed at any moment leave nothing that a sweep doesn't take away.
func TestKilledCreatorLeavesNothing(t *testing.T) {
	for _, kind := range []string{"unnamed", "named"} {
		t.Run(kind, func(t *testing.T) {
			dir := testDir(t)
			for round := range 15 {
				p := startAgent(t, dir, related)
				if kind == "named" {
					p.want(t, "named", "ok")
				}
				p.send("churn")
				for range rand.IntN(30) {
					if got := p.answer(t); got != "ok" {
						t.Fatalf("churn: %q", got)
					}
				}
				_ = p.cmd.Process.Kill()
				p.end()
				if l := must(shm.Dir(dir).List())(t); len(l) > 1 || len(l) == 1 && l[0].Err != nil {
					t.Fatalf("round %d: half-made segment: %+v", round, l)
				}
				must(shm.Dir(dir).Sweep())(t)
				if left := names(t, dir); len(left) > 0 {
					t.Fatalf("round %d: left behind: %q", round, left)
				}
			}
		})
	}
}

// A draft under a temporary name is swept when its creator is gone, and not before.
func TestSweepDrafts(t *testing.T) {
	o := shm.Named(shm.Options{Dir: testDir(t)})
	s := must(shm.CreateSpec("x", &shm.Spec{Kind: "k", Size: 8, Init: func(*shm.Segment) error {
		before := names(t, o.Dir)
		if _, err := shm.Dir(o.Dir).Sweep(); err != nil {
			t.Error(err)
		}
		if after := names(t, o.Dir); len(after) != len(before) || len(after) == 0 {
			t.Errorf("the sweep of a living creator's draft: %q, then %q", before, after)
		}
		return nil
	}}, o))(t)
	// Two names of one file, as between link and unlink: the segment stays.
	temp := pathOf(o.Dir, fmt.Sprintf("%s%x", shm.TempPrefix, s.ID()))
	if err := os.Link(s.Path(), temp); err != nil {
		t.Fatal(err)
	}
	must(shm.Dir(o.Dir).Sweep())(t)
	if !exists(s.Path()) {
		t.Fatal("the segment was swept by its second name")
	}
	s.Close()
	if exists(s.Path()) {
		t.Fatal("the last leaver did not remove it")
	}
	if swept := must(shm.Dir(o.Dir).Sweep())(t); len(swept) != 0 || exists(temp) {
		t.Fatalf("swept %q; the draft exists: %v", swept, exists(temp))
	}
}

// Processes that open, create, close and sweep one name, and are killed at it,
// never take away what somebody holds, and never fail.
func TestStorm(t *testing.T) {
	dir := testDir(t)
	rounds := 150
	if testing.Short() {
		rounds = 30
	}
	var wg sync.WaitGroup
	for range 3 {
		p := startAgent(t, dir, related)
		wg.Go(func() {
			if got := p.ask(t, fmt.Sprintf("storm x %d", rounds)); got != "ok" {
				t.Errorf("storm: %q", got)
			}
			p.end()
		})
	}
	for range 10 {
		p := startAgent(t, dir, related)
		p.want(t, "pid", "")
		p.send("storm x 1000000")
		for range 100 * rand.IntN(100) {
			runtime.Gosched() // some moment
		}
		_ = p.cmd.Process.Kill()
		p.end()
	}
	wg.Wait()
	must(shm.Dir(dir).Sweep())(t)
	if left := names(t, dir); len(left) > 0 {
		t.Fatalf("left behind: %q", left)
	}
}

// One of many that open or create at once creates.
func TestOpenOrCreateRace(t *testing.T) {
	o := &shm.Options{Dir: testDir(t)}
	for range 20 {
		handles := make([]*shm.Segment, 8)
		var wg sync.WaitGroup
		for i := range handles {
			wg.Go(func() {
				var err error
				if handles[i], err = shm.OpenOrCreate("x", 8, o); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		for _, h := range handles {
			if h == nil {
				t.FailNow()
			}
			if h.ID() != handles[0].ID() {
				t.Error("two segments of one name")
			}
		}
		for _, h := range handles {
			wg.Go(func() { h.Close() })
		}
		wg.Wait()
		if exists(handles[0].Path()) {
			t.Fatal("nobody removed it: each thought another one was left")
		}
	}
}

// The directory's lock, held by a process that is stopped, delays nobody for ever.
func TestDirectoryLocked(t *testing.T) {
	o := shm.Impatient(shm.Options{Dir: testDir(t)})
	s := create(t, "x", 8, o)
	unlock := must(shm.LockDir(o.Dir))(t)
	if _, err := shm.LockDir(o.Dir); !errors.Is(err, shm.ErrBusy) {
		t.Fatalf("second lock: %v", err)
	}
	s.Close()
	if !exists(s.Path()) {
		t.Fatal("removed without the lock")
	}
	unlock()
	if swept := must(shm.Dir(o.Dir).Sweep())(t); len(swept) != 1 {
		t.Fatalf("swept %q", swept)
	}
}
