package shm_test

import (
	"runtime"
	"testing"
	"time"

	"github.com/shmkit/shmkit/shm"
)

// TestStoppedRecoverer stops a process in the middle of a recovery, for longer
// than the janitor's second: it holds the dead slot's lock, so nobody else
// recovers the slot or takes it, nobody hangs for it, and it finishes when it is
// continued.
func TestStoppedRecoverer(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no way to stop a process")
	}
	o := &shm.Options{Dir: testDir(t), Slots: 4}
	// Nobody else's janitor must come first: this handle has no hook.
	spec := graveSpec(nil)
	bare := must(shm.CreateSpec("x", &shm.Spec{Kind: spec.Kind, Layout: spec.Layout, Size: spec.Size}, o))(t)
	defer bare.Close()
	victim := startAgent(t, o.Dir, related)
	victim.want(t, "join x", "slot 1")
	victim.kill()
	p := startAgent(t, o.Dir, related)
	p.want(t, "joinandstand x", "recovering")
	stopProcess(t, p.cmd.Process)

	s := must(shm.OpenSpec("x", spec, o))(t)
	defer s.Close()
	if s.Slot() != 3 { // 1 is being recovered, 2 is the recoverer's
		t.Fatalf("slot %d", s.Slot())
	}
	tick := time.NewTicker(50 * time.Millisecond) // as somebody who waits looks
	defer tick.Stop()
	for end := time.Now().Add(2500 * time.Millisecond); time.Now().Before(end); <-tick.C {
		if s.Probe(1) || s.RecoverDead() != 0 {
			t.Fatal("somebody else recovered the slot")
		}
		if i := s.SlotInfo(1); !i.Alive {
			t.Fatalf("the slot that is being recovered: %+v", i)
		}
	}
	if begun, done := word(s, 0).Load(), word(s, 1).Load(); begun != 1 || done != 0 {
		t.Fatalf("%d hooks begun, %d done", begun, done)
	}
	continueProcess(p.cmd.Process)
	p.want(t, "", "slot 2")
	if begun, done := word(s, 0).Load(), word(s, 1).Load(); begun != 1 || done != 1 {
		t.Fatalf("in the end %d hooks begun, %d done", begun, done)
	}
	if i := s.SlotInfo(1); i.State != shm.SlotFree {
		t.Fatalf("in the end: %+v", i)
	}
	if n := s.Total(shm.Recoveries); n != 1 {
		t.Fatalf("%d recoveries counted", n)
	}
}
