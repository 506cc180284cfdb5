//go:build faultpoints && linux

package robust_test

import (
	"bufio"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/shmkit/shmkit/internal/fault/faulttest"
	"github.com/shmkit/shmkit/internal/robust"
	"github.com/shmkit/shmkit/shm"
)

// dieAt makes this process die at its n-th crash point from now on.
func dieAt(_ *party, args []string) error {
	n, err := strconv.Atoi(args[0])
	if err == nil {
		faulttest.DieAt(n, args[1], stepWriter{})
	}
	return err
}

// stepWriter marks the lines that name crash points.
type stepWriter struct{}

func (stepWriter) Write(name []byte) (int, error) {
	return os.Stdout.Write(append([]byte("step "), name...))
}

// A stepCase is an operation that a process dies in.
type stepCase struct {
	name  string
	setup string             // orders to the victim, before the crash points count
	order string             // to the victim
	meet  func(s *stepScene) // what the survivor does while the victim is at it
}

type stepScene struct {
	t      *testing.T
	p      *party
	victim *peer
	gone   chan struct{} // closed when the victim has died or answered
	got    <-chan error  // of what the survivor began before
}

// untilGone waits until cond is true or the victim has come to its end.
func (s *stepScene) untilGone(cond func() bool) {
	s.t.Helper()
	until(s.t, "the victim is there or gone", func() bool {
		select {
		case <-s.gone:
			return true
		default:
			return cond()
		}
	})
}

func stepCases() []stepCase {
	return []stepCase{
		{"lock", "", "lock", nil},
		{"trylock", "", "trylock", nil},
		{"unlock", "lock", "unlock", nil},
		{"lock_wait", "", "lock", func(s *stepScene) {
			want(s.t, "Lock", s.p.mutex.Lock(within(s.t)), nil)
			s.victim.tell("lock")
			s.untilGone(func() bool { return robust.NextOf(s.p.mutex) >= 0 })
			want(s.t, "Unlock", s.p.mutex.Unlock(), nil)
		}},
		{"unlock_reserved", "lock", "unlock", func(s *stepScene) {
			got := start(func() error { return s.p.mutex.Lock(within(s.t)) })
			until(s.t, "it is reserved", func() bool { return robust.NextOf(s.p.mutex) >= 0 })
			s.victim.tell("unlock")
			want(s.t, "Lock", soon(s.t, "the lock", got), nil, robust.ErrOwnerDied)
			want(s.t, "Unlock", s.p.mutex.Unlock(), nil)
		}},
		{"relock", "", "rerelock", nil},
		{"reunlock", "relock", "reunlock", nil},
		{"retry", "", "retry", nil},
		{"write", "", "write", nil},
		{"unwrite", "write", "unwrite", nil},
		{"read", "", "read", nil},
		{"unread", "read", "unread", nil},
		{"write_wait", "", "write", func(s *stepScene) {
			want(s.t, "RLock", s.p.rw.RLock(within(s.t)), nil)
			s.victim.tell("write")
			s.untilGone(func() bool { return robust.NextRW(s.p.rw) >= 0 })
			want(s.t, "RUnlock", s.p.rw.RUnlock(), nil)
		}},
		{"acquire", "", "acquire", nil},
		{"release", "acquire", "release", nil},
		{"bacquire", "", "bacquire", nil},
		{"brelease", "bacquire", "brelease", nil},
		{"set", "", "set", nil},
		{"clear", "set", "clear", nil},
		{"wait", "ilock", "wait", func(s *stepScene) {
			s.victim.tell("wait")
			s.untilGone(func() bool { return s.p.cond.Waiters() == 1 })
			want(s.t, "Lock", s.p.inner.Lock(within(s.t)), nil, robust.ErrOwnerDied)
			want(s.t, "Notify", s.p.cond.Notify(1), nil)
			want(s.t, "Unlock", s.p.inner.Unlock(), nil)
		}},
		{"wait_cancelled", "ilock", "waitshort", nil},
		{"notify", "", "notify", func(s *stepScene) {
			// The survivor waits too, and is notified, or finds the lock's owner dead
			// and is notified by itself.
			s.victim.tell("notify")
			s.untilGone(func() bool { return false })
			s.victim.kill()
			s.p.seg.RecoverDead()
			if s.p.cond.Waiters() == 1 {
				want(s.t, "Lock", s.p.inner.Lock(within(s.t)), robust.ErrOwnerDied)
				want(s.t, "Notify", s.p.cond.Notify(1), nil)
				want(s.t, "Unlock", s.p.inner.Unlock(), nil)
			}
			want(s.t, "Wait", soon(s.t, "the notification", s.got), nil, robust.ErrOwnerDied)
			want(s.t, "Unlock", s.p.inner.Unlock(), nil)
		}},
		{"join", "", "join", nil},
		{"meet_first", "", "meet", func(s *stepScene) {
			s.victim.tell("meet")
			s.untilGone(func() bool { return s.p.barrier.Arrived() == 1 })
			s.p.seg.RecoverDead() // a death before it is a member breaks nothing
			if s.p.barrier.Arrived() == 0 && !s.p.barrier.Broken() {
				return
			}
			_, err := s.p.barrier.Wait(within(s.t), nil)
			want(s.t, "Wait", err, nil, robust.ErrBroken)
		}},
		{"meet_last", "join", "meet", func(s *stepScene) {
			got := start(func() error { _, err := s.p.barrier.Wait(within(s.t), nil); return err })
			until(s.t, "the survivor waits", func() bool { return s.p.barrier.Arrived() == 1 })
			s.victim.tell("meet")
			want(s.t, "Wait", soon(s.t, "the round", got), nil, robust.ErrBroken)
		}},
		{"meet_action", "join", "meetact", func(s *stepScene) {
			got := start(func() error { _, err := s.p.barrier.Wait(within(s.t), nil); return err })
			until(s.t, "the survivor waits", func() bool { return s.p.barrier.Arrived() == 1 })
			s.victim.tell("meetact")
			want(s.t, "Wait", soon(s.t, "the round", got), nil, robust.ErrBroken)
		}},
		{"abort", "", "abort", nil},
		{"reset", "abort", "reset", nil},
	}
}

// spared are the crash points that these operations don't come to.
var spared = map[string]string{
	"robust.lock.withdraw": "a cancelled Lock: see TestWithdrawnReservation",
	"robust.recover.lock":  "see TestRecoverySteps",
	"robust.recover.cond":  "see TestRecoverySteps",
}

// TestSteps kills a process at each step of each operation. The others must be
// able to use all objects after that, and what the dead one held must be back.
func TestSteps(t *testing.T) {
	steps, err := faulttest.Steps(".", "robust")
	if err != nil || len(steps) == 0 {
		t.Fatalf("%d crash points in the source, %v", len(steps), err)
	}
	died := make(map[string]int)
	for _, c := range stepCases() {
		t.Run(c.name, func(t *testing.T) {
			passed := make(map[string]bool)
			for k := 1; ; k++ {
				if k > 100 {
					t.Fatal("no end of crash points")
				}
				trace, dead := runStep(t, c, k, "robust.")
				for _, step := range trace {
					passed[step] = true
				}
				if !dead {
					if k < 2 {
						t.Fatal("no crash point")
					}
					break
				}
				died[lastStep(trace)]++
				passed[lastStep(trace)] = false
			}
			// Runs differ in how often they arm, so counting may have jumped over a
			// step.
			for step, alive := range passed {
				if alive && died[step] == 0 {
					if trace, dead := runStep(t, c, 1, step); dead {
						died[lastStep(trace)]++
					}
				}
			}
		})
	}
	for name, pos := range steps {
		switch why, ok := spared[name]; {
		case ok && died[name] > 0:
			t.Errorf("%s is not out of reach: %s", name, why)
		case !ok && died[name] == 0:
			t.Errorf("%v: nobody died at %s", pos, name)
		}
	}
	t.Logf("deaths: %v", died)
}

// runStep has a process die at the k-th crash point of the operation, counted from
// the first of that name, and returns the points that it came to.
func runStep(t *testing.T, c stepCase, k int, from string) (trace []string, dead bool) {
	p := newSegment(t)
	defer p.seg.Close()
	victim := p.peer(t)
	for order := range strings.FieldsSeq(c.setup) {
		victim.does(order, "ok")
	}
	s := &stepScene{t: t, p: p, victim: victim, gone: make(chan struct{})}
	if c.name == "notify" {
		s.got = start(func() error {
			if err := p.inner.Lock(within(t)); err != nil {
				return err
			}
			return p.cond.Wait(within(t))
		})
		until(t, "the survivor waits", func() bool { return p.cond.Waiters() == 1 })
		victim.does("ilock", "ok")
	}
	token := p.mutex.Token()
	victim.does("dieat "+strconv.Itoa(k)+" "+from, "ok")
	go func() {
		defer close(s.gone)
		for lines := bufio.NewScanner(victim.out); lines.Scan(); {
			name, isStep := strings.CutPrefix(lines.Text(), "step ")
			if !isStep {
				return // it has answered
			}
			trace = append(trace, name)
		}
		dead = true
	}()
	if c.meet == nil {
		victim.tell(c.order)
	} else {
		c.meet(s)
	}
	soon(t, "the victim's end", s.gone)
	victim.kill()
	p.seg.RecoverDead()
	checkAll(t, p, token)
	if t.Failed() {
		t.Fatalf("after a death at step %d of %v", k, trace)
	}
	return trace, dead
}

// lastStep returns the step that the dead process did not take any more.
func lastStep(trace []string) string { return trace[len(trace)-1] }

// checkAll uses all objects, of which nobody else has anything.
func checkAll(t *testing.T, p *party, token uint64) {
	t.Helper()
	for s, info := range slotStates(p.seg) {
		if s != p.seg.Slot() && info != shm.SlotFree {
			t.Errorf("slot %d is %v", s, info)
		}
	}
	for range 2 {
		first, second := p.mutex.Lock(within(t)), error(nil)
		want(t, "Lock", first, nil, robust.ErrOwnerDied)
		if now := p.mutex.Token(); now <= token {
			t.Errorf("token %d after %d", now, token)
		} else {
			token = now
		}
		want(t, "Unlock", p.mutex.Unlock(), nil)
		second = p.mutex.Lock(within(t))
		want(t, "the next Lock", second, nil)
		want(t, "Unlock", p.mutex.Unlock(), nil)
		token = p.mutex.Token()
	}
	want(t, "RLock.Lock", p.rlock.Lock(within(t)), nil, robust.ErrOwnerDied)
	want(t, "RLock.Unlock", p.rlock.Unlock(), nil)
	want(t, "RWLock.Lock", p.rw.Lock(within(t)), nil, robust.ErrOwnerDied)
	want(t, "RWLock.Unlock", p.rw.Unlock(), nil)
	want(t, "RWLock.RLock", p.rw.RLock(within(t)), nil)
	if n := p.rw.Readers(); n != 1 {
		t.Errorf("%d readers", n)
	}
	want(t, "RWLock.RUnlock", p.rw.RUnlock(), nil)
	for _, s := range []*robust.Semaphore{p.sem, p.bounded} {
		if n := s.Value(); n != permits {
			t.Errorf("the semaphore's value is %d", n)
		}
		for range permits {
			want(t, "Acquire", s.Acquire(within(t)), nil)
		}
		for range permits {
			want(t, "Release", s.Release(), nil)
		}
	}
	p.event.Clear()
	p.event.Set()
	want(t, "Event.Wait", p.event.Wait(within(t)), nil)
	if n := p.cond.Waiters(); n != 0 {
		t.Errorf("%d wait for the condition", n)
	}
	want(t, "inner.Lock", p.inner.Lock(within(t)), nil, robust.ErrOwnerDied)
	want(t, "inner.Unlock", p.inner.Unlock(), nil)
	want(t, "Reset", p.barrier.Reset(), nil)
	other := start(func() error { _, err := p.barrier.Wait(within(t), nil); return err })
	_, err := p.barrier.Wait(within(t), nil)
	want(t, "Barrier.Wait", err, nil)
	want(t, "the other Barrier.Wait", soon(t, "the round", other), nil)
	for i, words := range robust.Shares(p.rw, p.sem, p.bounded, p.barrier) {
		for slot, held := range words {
			if slot != p.seg.Slot() && held != 0 {
				t.Errorf("object %d: slot %d still has %#x", i, slot, held)
			}
		}
	}
}

func slotStates(seg *shm.Segment) map[int]shm.SlotState {
	states := make(map[int]shm.SlotState)
	for i := range seg.Slots() {
		states[i] = seg.SlotInfo(i).State
	}
	return states
}

// TestRecoverySteps kills the process that recovers from a death, at each step.
func TestRecoverySteps(t *testing.T) {
	died := make(map[string]int)
	for k := 1; ; k++ {
		trace, dead := recoveryStep(t, k)
		if t.Failed() {
			t.Fatalf("after a recoverer's death at step %d of %v", k, trace)
		}
		if !dead {
			break
		}
		died[lastStep(trace)]++
	}
	for _, name := range []string{"robust.recover.lock", "robust.recover.cond", "robust.count.sum", "robust.count.share", "robust.cond.notify"} {
		if died[name] == 0 {
			t.Errorf("nobody died at %s", name)
		}
	}
	t.Logf("deaths of recoverers: %v", died)
}

func recoveryStep(t *testing.T, k int) (trace []string, dead bool) {
	p := newSegment(t)
	defer p.seg.Close()
	first := p.peer(t)
	for _, order := range []string{"lock", "relock", "write", "acquire", "bacquire", "join"} {
		first.does(order, "ok")
	}
	first.does("ilock", "ok")
	first.tell("wait")
	until(t, "the victim waits", func() bool { return p.cond.Waiters() == 1 })
	got := start(func() error {
		if err := p.inner.Lock(bg); err != nil {
			return err
		}
		return p.cond.Wait(bg)
	})
	until(t, "both wait", func() bool { return p.cond.Waiters() == 2 })
	second := p.peer(t)
	second.does("dieat "+strconv.Itoa(k)+" robust.", "ok")
	first.stop()
	want(t, "Lock", p.inner.Lock(within(t)), nil)
	if !robust.NotifySlot(p.cond, 1) {
		t.Fatal("the victim does not wait in slot 1")
	}
	want(t, "Unlock", p.inner.Unlock(), nil)
	first.kill()
	second.tell("recover")
	dead = true
	for lines := bufio.NewScanner(second.out); lines.Scan(); {
		name, isStep := strings.CutPrefix(lines.Text(), "step ")
		if !isStep {
			dead = false
			break
		}
		trace = append(trace, name)
	}
	second.kill()
	p.seg.RecoverDead()
	want(t, "Wait", soon(t, "what the victim was notified of", got), nil)
	want(t, "Unlock", p.inner.Unlock(), nil)
	checkAll(t, p, 1)
	if !dead && len(trace) == 0 {
		// The survivor, or the janitor, was faster: nothing has been tried.
		return recoveryStep(t, k)
	}
	return trace, dead
}
