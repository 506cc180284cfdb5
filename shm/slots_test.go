package shm_test

import (
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/shmkit/shmkit/shm"
)

func TestNoSlots(t *testing.T) {
	o := &shm.Options{Dir: testDir(t)}
	s := create(t, "x", 8, o)
	if s.Slots() != 256 {
		t.Fatalf("%d slots", s.Slots())
	}
	handles := []*shm.Segment{s}
	for i := 1; i < 256; i++ {
		h := open(t, "x", o)
		if h.Slot() != i {
			t.Fatalf("handle %d has slot %d", i, h.Slot())
		}
		handles = append(handles, h)
	}
	_, err := shm.Open("x", o)
	wantError(t, "257th open", err, shm.ErrNoSlots)
	handles[100].Close()
	if h := open(t, "x", o); h.Slot() != 100 {
		t.Fatalf("took slot %d, not the one given back", h.Slot())
	}
	_, err = shm.Open("x", o)
	wantError(t, "257th open", err, shm.ErrNoSlots)
}

func TestSlotInfo(t *testing.T) {
	o := &shm.Options{Dir: testDir(t), Slots: 4}
	s := create(t, "x", 8, o)
	p := startAgent(t, o.Dir, related)
	p.want(t, "open x", "slot 1")
	pid := p.ask(t, "pid")
	mine, its, free := s.SlotInfo(0), s.SlotInfo(1), s.SlotInfo(2)
	if mine.PID != os.Getpid() || !mine.Alive || mine.State != shm.SlotLive || mine.Generation != 1 {
		t.Errorf("my slot: %+v", mine)
	}
	if strconv.Itoa(its.PID) != pid || !its.Alive || its.Slot != 1 || time.Since(its.Joined).Abs() > time.Hour {
		t.Errorf("its slot: %+v", its)
	}
	if !strings.Contains(its.Command, "shm") {
		t.Errorf("its command: %q", its.Command)
	}
	if runtime.GOOS == "linux" && (its.StartTime < mine.StartTime || its.StartTime == 0 || its.PIDNamespace != mine.PIDNamespace || its.PIDNamespace == 0) {
		t.Errorf("start times and namespaces: %+v %+v", mine, its)
	}
	if (free != shm.SlotInfo{Slot: 2}) {
		t.Errorf("a free slot: %+v", free)
	}
	p.kill()
	if i := s.SlotInfo(1); i.State != shm.SlotDead || i.Alive {
		t.Errorf("after the death: %+v", i)
	}
	p = startAgent(t, o.Dir, related)
	p.want(t, "open x", "slot 2") // free ones first
	if i := s.SlotInfo(1); i.State != shm.SlotFree || i.PID != 0 || i.Command != "" {
		t.Errorf("the open did not recover the dead: %+v", i)
	}
	p.want(t, "open x", "slot 1")
	if i := s.SlotInfo(1); i.Generation != 2 || !i.Alive {
		t.Errorf("taken again: %+v", i)
	}
}

// A stopped process is slow, not dead.
func TestStoppedIsNotDead(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no way to stop a process")
	}
	o := &shm.Options{Dir: testDir(t)}
	s := must(shm.CreateSpec("x", graveSpec(nil), o))(t)
	defer s.Close()
	p := startAgent(t, o.Dir, related)
	p.want(t, "join x", "slot 1")
	stopProcess(t, p.cmd.Process)
	defer continueProcess(p.cmd.Process)
	if s.Probe(1) || s.RecoverDead() != 0 || !s.SlotInfo(1).Alive {
		t.Fatal("a stopped process was robbed")
	}
	if swept := must(shm.Dir(o.Dir).Sweep())(t); len(swept) > 0 {
		t.Fatalf("swept %q", swept)
	}
}

func TestProbeLeavesTheLivingAlone(t *testing.T) {
	o := &shm.Options{Dir: testDir(t), Slots: 3}
	a := must(shm.CreateSpec("x", graveSpec(nil), o))(t)
	defer a.Close()
	b := must(shm.OpenSpec("x", graveSpec(nil), o))(t)
	defer b.Close()
	for range 3 {
		for slot := -1; slot <= 3; slot++ {
			if a.Probe(slot) || b.Probe(slot) {
				t.Fatalf("slot %d recovered", slot)
			}
		}
	}
	// Had a probe dropped a lock, a third handle would take that slot.
	c := must(shm.OpenSpec("x", graveSpec(nil), o))(t)
	defer c.Close()
	if c.Slot() != 2 || word(a, 0).Load() != 0 {
		t.Fatalf("slot %d, %d recoveries", c.Slot(), word(a, 0).Load())
	}
	_, err := shm.OpenSpec("x", graveSpec(nil), o)
	wantError(t, "fourth open", err, shm.ErrNoSlots)
}

// Each death is recovered exactly once, whoever tries: several handles, their
// goroutines and the janitor at once.
func TestRecoverOnce(t *testing.T) {
	o := &shm.Options{Dir: testDir(t)}
	s := must(shm.CreateSpec("x", graveSpec(nil), o))(t)
	defer s.Close()
	second := must(shm.OpenSpec("x", graveSpec(nil), o))(t)
	defer second.Close()
	const deaths = 10
	for n := range deaths {
		p := startAgent(t, o.Dir, related)
		p.want(t, "join x", "slot 2")
		p.kill()
		var wg sync.WaitGroup
		var recovered atomic.Int64
		for i := range 8 {
			wg.Go(func() {
				if []*shm.Segment{s, second}[i%2].Probe(2) {
					recovered.Add(1)
				}
			})
		}
		wg.Wait()
		s.Probe(2) // if the other handle's attempts all met
		eventually(t, "a free slot", func() bool { return s.SlotInfo(2).State == shm.SlotFree })
		if hooks := word(s, 0).Load(); hooks != uint64(n+1) || recovered.Load() > 1 {
			t.Fatalf("%d hooks after %d deaths, %d winners", hooks, n+1, recovered.Load())
		}
	}
	if total := s.Total(shm.Recoveries); total != deaths {
		t.Fatalf("%d recoveries counted", total)
	}
}

// The join itself recovers, when only dead slots are left.
func TestJoinRecovers(t *testing.T) {
	o := &shm.Options{Dir: testDir(t), Slots: 2}
	s := must(shm.CreateSpec("x", graveSpec(nil), o))(t)
	defer s.Close()
	for n := 1; n <= 5; n++ {
		p := startAgent(t, o.Dir, related)
		p.want(t, "join x", "slot 1")
		if hooks := word(s, 0).Load(); hooks != uint64(n-1) {
			t.Fatalf("%d hooks after %d deaths", hooks, n-1)
		}
		p.kill()
	}
}

func TestJanitorRecovers(t *testing.T) {
	o := &shm.Options{Dir: testDir(t)}
	s := must(shm.CreateSpec("x", graveSpec(nil), o))(t)
	defer s.Close()
	p := startAgent(t, o.Dir, related)
	p.want(t, "join x", "slot 1")
	p.kill()
	eventually(t, "the janitor", func() bool { return s.SlotInfo(1).State == shm.SlotFree })
	if hooks := word(s, 1).Load(); hooks != 1 {
		t.Fatalf("%d hooks", hooks)
	}
}

// A recoverer that is killed in the hook leaves the slot to the next one.
func TestRecovererKilled(t *testing.T) {
	o := &shm.Options{Dir: testDir(t)}
	// Nobody recovers through this handle, which has no hook: its probes only
	// happen at the end, and it has no janitor.
	spec := graveSpec(nil)
	s := must(shm.CreateSpec("x", &shm.Spec{Kind: spec.Kind, Layout: spec.Layout, Size: spec.Size}, o))(t)
	defer s.Close()
	first := startAgent(t, o.Dir, related)
	first.want(t, "join x", "slot 1")
	first.kill()
	const killed = 3
	for n := 1; n <= killed; n++ {
		p := startAgent(t, o.Dir, related)
		if got := p.ask(t, "joinanddie x"); got != "" {
			t.Fatalf("the recoverer answered %q", got)
		}
		p.end()
		if begun, done := word(s, 0).Load(), word(s, 1).Load(); begun != uint64(n) || done != 0 {
			t.Fatalf("after %d recoverers: %d hooks begun, %d done", n, begun, done)
		}
		if s.SlotInfo(1).State != shm.SlotDead {
			t.Fatal("the slot was freed without its recovery")
		}
	}
	// The recoverers took slots too, before they died.
	last := startAgent(t, o.Dir, related)
	last.want(t, "join x", "slot")
	eventually(t, "all dead slots", func() bool {
		for i := range s.Slots() {
			if s.SlotInfo(i).State == shm.SlotDead {
				return false
			}
		}
		return true
	})
	if done := word(s, 1).Load(); done != killed+1 {
		t.Fatalf("%d hooks done for %d deaths", done, killed+1)
	}
}

func TestFailingRecovery(t *testing.T) {
	o := &shm.Options{Dir: testDir(t), Slots: 2}
	var fail atomic.Bool
	fail.Store(true)
	spec := graveSpec(nil)
	recover := spec.Recover
	spec.Recover = func(s *shm.Segment, slot int) error {
		if fail.Load() {
			return shm.ErrCorrupt
		}
		return recover(s, slot)
	}
	s := must(shm.CreateSpec("x", spec, o))(t)
	defer s.Close()
	p := startAgent(t, o.Dir, related)
	p.want(t, "join x", "slot 1")
	p.kill()
	if s.Probe(1) || s.SlotInfo(1).State != shm.SlotDead {
		t.Fatal("a failed recovery freed the slot")
	}
	_, err := shm.OpenSpec("x", spec, o)
	wantError(t, "join", err, shm.ErrCorrupt)
	fail.Store(false)
	h := must(shm.OpenSpec("x", spec, o))(t)
	defer h.Close()
	if h.Slot() != 1 {
		t.Fatalf("slot %d", h.Slot())
	}
}

func TestCounters(t *testing.T) {
	o := &shm.Options{Dir: testDir(t)}
	s := create(t, "x", 8, o)
	h := open(t, "x", o)
	for i, c := range shm.Counters() {
		s.Counter(c).Add(uint64(i + 1))
		h.Counter(c).Add(100)
		if h.CounterOf(0, c).Load() != uint64(i+1) || s.CounterOf(1, c).Load() != 100 {
			t.Errorf("%v: not each slot's own word", c)
		}
	}
	h.Close()
	for i, c := range shm.Counters() {
		if got := s.Total(c); got != uint64(i+101) {
			t.Errorf("%v: total %d after a leave", c, got)
		}
	}
	h = open(t, "x", o)
	if h.Slot() != 1 || h.Counter(shm.Gets).Load() != 100 {
		t.Error("the slot's counters did not survive its reuse")
	}
	if shm.Puts.String() != "puts" || shm.Counter(-1).String() != "" || shm.Counter(99).String() != "" {
		t.Error("names of counters")
	}
}

// Locks work where PIDs don't: in another PID namespace.
func TestPIDNamespaces(t *testing.T) {
	if out, err := exec.Command("unshare", "-pf", "true").CombinedOutput(); err != nil {
		t.Skipf("no PID namespaces: unshare -pf: %v %s", err, out)
	}
	o := &shm.Options{Dir: testDir(t)}
	s := must(shm.CreateSpec("x", graveSpec(nil), o))(t)
	defer s.Close()
	exe := must(os.Executable())(t)
	// Process 1 of a namespace can't kill itself: let the shell be that.
	p := startCommand(t, o.Dir, "unshare", "-pf", "sh", "-c", `exec 2>/dev/null; "$0"; exit 0`, exe)
	p.want(t, "join x", "slot 1")
	pid := p.ask(t, "pid")
	i := s.SlotInfo(1)
	if strconv.Itoa(i.PID) != pid || i.PID > 10 || !i.Alive {
		t.Errorf("the slot of process %s there: %+v", pid, i)
	}
	p.want(t, "probe 0", "false") // from there, this process lives
	if s.Probe(1) {
		t.Fatal("a living process of another namespace was robbed")
	}
	p.kill()
	eventually(t, "the recovery", func() bool { s.Probe(1); return s.SlotInfo(1).State == shm.SlotFree })
	if hooks := word(s, 1).Load(); hooks != 1 {
		t.Fatalf("%d hooks", hooks)
	}
}
