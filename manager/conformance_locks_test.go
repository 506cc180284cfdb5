package manager_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/shmkit/shmkit/manager"
	"github.com/shmkit/shmkit/shm"
)

// lockRows are those of locks and other objects of synchronisation.
var lockRows = []row{
	{"L01_lock", rowLock},
	{"L02_rlock", rowRLock},
	{"L03_lock_context", rowLockContext},
	{"L04_locked_by_another_process", rowLockedElsewhere},
	{"L05_string", rowLockString},
	{"S01_semaphore", rowSemaphore},
	{"S02_bounded_semaphore", rowBoundedSemaphore},
	{"S03_timeout", rowSemaphoreTimeout},
	{"K01_notify", rowNotify},
	{"K02_notify_all", rowNotifyAll},
	{"K03_notify_n", rowNotifyN},
	{"K04_timeout", rowCondTimeout},
	{"K05_wait_for", rowWaitFor},
	{"K06_wait_for_timeout", rowWaitForTimeout},
	{"K07_wait_result", rowWaitResult},
	{"E01_event", rowEvent},
	{"B01_B02_barrier", rowBarrier},
	{"B03_wait_return", rowBarrierReturn},
	{"B04_action", rowBarrierAction},
	{"B05_abort", rowBarrierAbort},
	{"B06_reset", rowBarrierReset},
	{"B07_abort_and_reset", rowBarrierAbortAndReset},
	{"B08_B09_timeout", rowBarrierTimeout},
	{"B10_single", rowBarrierSingle},
	{"M14_locks", rowLockEffects},
	{"X02_event_waiter_killed", rowEventWaiterKilled},
	{"X03_barrier_waiter_killed", rowBarrierWaiterKilled},
	{"X13_holder_killed", rowHolderKilled},
}

const parties = 5

// conds opens the condition of the K rows, and the counts of who sleeps and who has woken.
type conds struct {
	c               *manager.Cond
	sleeping, woken *manager.Semaphore
	state           *manager.Value[int64]
}

func openConds(m *manager.Manager) (k conds, err error) {
	var errs [4]error
	k.c, errs[0] = manager.NewCond(m, "cond", nil)
	k.sleeping, errs[1] = manager.NewSemaphore(m, "sleeping", 0)
	k.woken, errs[2] = manager.NewSemaphore(m, "woken", 0)
	k.state, errs[3] = manager.NewValue(m, "state", int64(0))
	return k, errors.Join(errs[:]...)
}

// sleep waits once.
func (k conds) sleep(ctx context.Context) error {
	if err := k.c.Lock(bg); err != nil {
		return err
	}
	err := k.sleeping.Release()
	if err == nil {
		err = k.c.Wait(ctx)
	}
	if err == nil || errors.Is(err, context.DeadlineExceeded) {
		err = k.woken.Release()
	}
	return errors.Join(err, k.c.Unlock())
}

func sleeper(n int, timeout time.Duration) func(m *manager.Manager) error {
	return func(m *manager.Manager) error {
		k, err := openConds(m)
		if err != nil {
			return err
		}
		errs := make(chan error, n)
		for range n {
			go func() {
				ctx, cancel := bg, func() {}
				if timeout > 0 {
					ctx, cancel = context.WithTimeout(bg, timeout)
				}
				defer cancel()
				errs <- k.sleep(ctx)
			}()
		}
		for range n {
			err = errors.Join(err, <-errs)
		}
		return err
	}
}

// atBarrier passes a barrier with so many goroutines, each so often, strictly in step.
func atBarrier(n, passes int) func(m *manager.Manager) error {
	return func(m *manager.Manager) error {
		b, err := manager.NewBarrier(m, "barrier", parties, nil)
		if err != nil {
			return err
		}
		steps, err := manager.NewArray[int64](m, "steps", 2)
		if err != nil {
			return err
		}
		errs := make(chan error, n)
		for range n {
			go func() { errs <- inStep(b, steps, passes) }()
		}
		for range n {
			err = errors.Join(err, <-errs)
		}
		return err
	}
}

// inStep counts who has come to each of two phases, and wants all to have come before any goes on.
func inStep(b *manager.Barrier, steps *manager.Array[int64], passes int) error {
	for i := range passes {
		for phase := range 2 {
			if _, err := steps.Add(phase, 1); err != nil {
				return err
			}
			if _, err := b.Wait(bg); err != nil {
				return err
			}
			if n, err := steps.Get(phase); err != nil || n < int64(parties*(i+1)) {
				return errors.Join(err, fmt.Errorf("pass %d: only %d have come", i, n))
			}
		}
	}
	return nil
}

// brokenAt waits at the barrier with n goroutines, which all want it to break.
func brokenAt(n int) func(m *manager.Manager) error {
	return func(m *manager.Manager) error {
		b, err := manager.NewBarrier(m, "barrier", parties, nil)
		if err != nil {
			return err
		}
		errs := make(chan error, n)
		for range n {
			go func() { _, err := b.Wait(bg); errs <- err }()
		}
		for range n {
			if e := <-errs; !errors.Is(e, manager.ErrBroken) {
				err = errors.Join(err, fmt.Errorf("not broken: %w", e))
			}
		}
		return err
	}
}

var lockOthers = map[string]func(m *manager.Manager) error{
	"hold": func(m *manager.Manager) error { // until told, and leaves with both locks
		l, err := manager.NewLock(m, "lock")
		r, err2 := manager.NewRLock(m, "rlock")
		held, err3 := manager.NewEvent(m, "held")
		leave, err4 := manager.NewEvent(m, "leave")
		if err := errors.Join(err, err2, err3, err4); err != nil {
			return err
		}
		return errors.Join(l.Lock(bg), r.Lock(bg), r.Lock(bg), held.Set(), leave.Wait(bg))
	},
	"sleep":       sleeper(1, 0),
	"sleep six":   sleeper(3, 0),
	"sleep short": sleeper(3, 50*time.Millisecond),
	"wait for": func(m *manager.Manager) error {
		k, err := openConds(m)
		if err != nil {
			return err
		}
		if err := k.c.Lock(bg); err != nil {
			return err
		}
		for i := range int64(4) {
			if err := k.c.WaitFor(bg, func() bool { return must1(k.state.Load()) == 2*i+1 }); err != nil {
				return err
			}
			if err := errors.Join(k.state.Store(2*i+2), k.c.NotifyAll()); err != nil {
				return err
			}
		}
		return k.c.Unlock()
	},
	"set event": func(m *manager.Manager) error {
		e, err := manager.NewEvent(m, "event")
		if err != nil {
			return err
		}
		return e.Set()
	},
	"barrier":         atBarrier(parties-1, 10),
	"barrier of five": atBarrier(1, 1000),
	"broken":          brokenAt(parties - 1),
	"use locks": func(m *manager.Manager) error {
		s, err := manager.NewSemaphore(m, "sem", 1)
		b, err2 := manager.NewBoundedSemaphore(m, "bounded", 2)
		e, err3 := manager.NewEvent(m, "event")
		w, err4 := manager.NewRWLock(m, "rwlock")
		if err := errors.Join(err, err2, err3, err4); err != nil {
			return err
		}
		return errors.Join(s.Release(), b.Acquire(bg), b.Release(), e.Set(), w.Lock(bg), w.Unlock(), w.RLock(bg), w.RUnlock())
	},
	"wait event": func(m *manager.Manager) error {
		e, err := manager.NewEvent(m, "event")
		about, err2 := manager.NewEvent(m, "about to wait")
		if err := errors.Join(err, err2); err != nil {
			return err
		}
		return errors.Join(about.Set(), e.Wait(bg))
	},
}

func within(t *testing.T, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(bg, d)
	t.Cleanup(cancel)
	return ctx
}

func wantErr(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) || want == nil && err != nil {
		t.Errorf("%v, want %v", err, want)
	}
}

func rowLock(t *testing.T, m *manager.Manager, _ func(string) func() error) {
	l, err := manager.NewLock(m, "lock")
	must(t, err)
	must(t, l.Lock(bg))
	if !l.Locked() {
		t.Error("not locked")
	}
	if ok, err := l.TryLock(); ok || err != nil {
		t.Error(ok, err)
	}
	must(t, l.Unlock())
	if l.Locked() {
		t.Error("locked")
	}
	wantErr(t, l.Unlock(), manager.ErrNotLocked)
}

func rowRLock(t *testing.T, m *manager.Manager, _ func(string) func() error) {
	l, err := manager.NewRLock(m, "rlock")
	must(t, err)
	for range 3 {
		must(t, l.Lock(bg))
	}
	for range 3 {
		if !l.Locked() {
			t.Error("not locked")
		}
		must(t, l.Unlock())
	}
	if l.Locked() {
		t.Error("locked")
	}
	wantErr(t, l.Unlock(), manager.ErrNotOwner)
}

func rowLockContext(t *testing.T, m *manager.Manager, _ func(string) func() error) {
	l, err := manager.NewLock(m, "lock")
	must(t, err)
	r, err := manager.NewRLock(m, "rlock")
	must(t, err)
	no := errors.New("no")
	wantErr(t, l.With(bg, func(died error) error {
		if !l.Locked() || died != nil {
			t.Error(l.Locked(), died)
		}
		return r.With(bg, func(error) error {
			return r.With(bg, func(error) error { return no })
		})
	}), no)
	func() {
		defer func() { _ = recover() }()
		l.With(bg, func(error) error { panic("no") })
	}()
	if l.Locked() || r.Locked() {
		t.Error("locked")
	}
}

func rowLockedElsewhere(t *testing.T, m *manager.Manager, other func(string) func() error) {
	l, err := manager.NewLock(m, "lock")
	must(t, err)
	r, err := manager.NewRLock(m, "rlock")
	must(t, err)
	held, err := manager.NewEvent(m, "held")
	must(t, err)
	leave, err := manager.NewEvent(m, "leave")
	must(t, err)
	wait := other("hold")
	must(t, held.Wait(bg))
	if !l.Locked() || !r.Locked() {
		t.Error("not locked")
	}
	o, ok := l.Owner()
	if !ok || o.Self || !o.Alive || o.PID == 0 {
		t.Errorf("%+v, %v", o, ok)
	}
	if o, ok := r.Owner(); !ok || o.Depth != 2 {
		t.Errorf("%+v, %v", o, ok)
	}
	wantErr(t, r.Unlock(), manager.ErrNotOwner)
	must(t, leave.Set())
	must(t, wait())
	// It leaves with the locks: unlike Python's they are not lost, and who comes next is told.
	wantErr(t, l.Lock(bg), manager.ErrOwnerDied)
	wantErr(t, r.Lock(bg), manager.ErrOwnerDied)
	must(t, l.Unlock())
	must(t, r.Unlock())
	must(t, l.Lock(bg))
	must(t, l.Unlock())
}

func rowLockString(t *testing.T, m *manager.Manager, _ func(string) func() error) {
	l, err := manager.NewLock(m, "lock")
	must(t, err)
	r, err := manager.NewRLock(m, "rlock")
	must(t, err)
	if l.String() != `lock "lock": free` || r.String() != `recursive lock "rlock": free` {
		t.Error(l, r)
	}
	must(t, l.Lock(bg))
	must(t, r.Lock(bg))
	must(t, r.Lock(bg))
	for _, s := range []string{l.String(), r.String()} {
		if !strings.Contains(s, fmt.Sprintf("this process %d (", os.Getpid())) || !strings.Contains(s, "since 20") {
			t.Error(s)
		}
	}
	if !strings.Contains(r.String(), "2 times") {
		t.Error(r)
	}
	must(t, l.Unlock())
	must(t, r.Unlock())
	must(t, r.Unlock())
}

func semaphoreBase(t *testing.T, s *manager.Semaphore) {
	t.Helper()
	for _, want := range []int{1, 0} {
		must(t, s.Acquire(bg))
		if s.Value() != want {
			t.Error(s)
		}
	}
	if ok, err := s.TryAcquire(); ok || err != nil {
		t.Error(ok, err)
	}
	for _, want := range []int{1, 2} {
		must(t, s.Release())
		if s.Value() != want {
			t.Error(s)
		}
	}
}

func rowSemaphore(t *testing.T, m *manager.Manager, _ func(string) func() error) {
	s, err := manager.NewSemaphore(m, "s", 2)
	must(t, err)
	semaphoreBase(t, s)
	must(t, s.Release())
	must(t, s.Release())
	if s.Value() != 4 {
		t.Error(s)
	}
}

func rowBoundedSemaphore(t *testing.T, m *manager.Manager, _ func(string) func() error) {
	s, err := manager.NewBoundedSemaphore(m, "s", 2)
	must(t, err)
	semaphoreBase(t, s)
	wantErr(t, s.Release(), manager.ErrReleased)
}

func rowSemaphoreTimeout(t *testing.T, m *manager.Manager, _ func(string) func() error) {
	s, err := manager.NewSemaphore(m, "s", 0)
	must(t, err)
	if ok, err := s.TryAcquire(); ok || err != nil {
		t.Error(ok, err)
	}
	for _, d := range []time.Duration{-1, 0, 30 * time.Millisecond} {
		start := time.Now()
		wantErr(t, s.Acquire(within(t, d)), context.DeadlineExceeded)
		if time.Since(start) < d {
			t.Errorf("after %v, not %v", time.Since(start), d)
		}
	}
	ctx, cancel := context.WithCancel(bg)
	cancel()
	wantErr(t, s.Acquire(ctx), context.Canceled)
}

func acquireAll(t *testing.T, s *manager.Semaphore, n int) {
	t.Helper()
	for range n {
		must(t, s.Acquire(within(t, 30*time.Second)))
	}
}

func rowNotify(t *testing.T, m *manager.Manager, other func(string) func() error) {
	k, err := openConds(m)
	must(t, err)
	wait := other("sleep")
	mine := make(chan error, 1)
	go func() { mine <- k.sleep(bg) }()
	acquireAll(t, k.sleeping, 2)
	must(t, k.c.Lock(bg)) // both wait: they gave the lock up
	if k.c.Waiters() != 2 || k.woken.Value() != 0 {
		t.Error(k.c, k.woken)
	}
	must(t, k.c.Notify(1))
	must(t, k.c.Unlock())
	acquireAll(t, k.woken, 1)
	if k.c.Waiters() != 1 || k.woken.Value() != 0 {
		t.Error(k.c, k.woken)
	}
	must(t, k.c.Lock(bg))
	must(t, k.c.Notify(1))
	must(t, k.c.Unlock())
	acquireAll(t, k.woken, 1)
	must(t, <-mine)
	must(t, wait())
	if k.c.Waiters() != 0 {
		t.Error(k.c)
	}
}

func rowNotifyAll(t *testing.T, m *manager.Manager, other func(string) func() error) {
	k, err := openConds(m)
	must(t, err)
	for _, what := range []string{"sleep short", "sleep six"} {
		wait := other(what)
		mine := make(chan error, 1)
		go func() { mine <- others[what](m) }()
		acquireAll(t, k.sleeping, 6)
		if what == "sleep six" {
			must(t, k.c.Lock(bg))
			if k.c.Waiters() != 6 {
				t.Error(k.c)
			}
			must(t, k.c.NotifyAll())
			must(t, k.c.Unlock())
		}
		acquireAll(t, k.woken, 6)
		must(t, <-mine)
		must(t, wait())
		if k.c.Waiters() != 0 || k.woken.Value() != 0 {
			t.Error(k.c, k.woken)
		}
	}
}

func rowNotifyN(t *testing.T, m *manager.Manager, other func(string) func() error) {
	k, err := openConds(m)
	must(t, err)
	wait := other("sleep six")
	mine := make(chan error, 1)
	go func() { mine <- others["sleep six"](m) }()
	acquireAll(t, k.sleeping, 6)
	for _, n := range []int{2, 4} {
		must(t, k.c.Lock(bg))
		must(t, k.c.Notify(n))
		must(t, k.c.Unlock())
		acquireAll(t, k.woken, n)
		if ok, err := k.woken.TryAcquire(); ok || err != nil {
			t.Error("one too many")
		}
	}
	must(t, <-mine)
	must(t, wait())
	must(t, k.c.Lock(bg))
	must(t, k.c.Notify(3)) // of nobody: that leaves no credit
	wantErr(t, k.c.Wait(within(t, 20*time.Millisecond)), context.DeadlineExceeded)
	must(t, k.c.Unlock())
}

func rowCondTimeout(t *testing.T, m *manager.Manager, _ func(string) func() error) {
	k, err := openConds(m)
	must(t, err)
	must(t, k.c.Lock(bg))
	start := time.Now()
	wantErr(t, k.c.Wait(within(t, 50*time.Millisecond)), context.DeadlineExceeded)
	if d := time.Since(start); d < 50*time.Millisecond {
		t.Error(d)
	}
	must(t, k.c.Unlock()) // the lock is held again
}

func rowWaitFor(t *testing.T, m *manager.Manager, other func(string) func() error) {
	k, err := openConds(m)
	must(t, err)
	wait := other("wait for")
	must(t, k.c.Lock(bg))
	for i := range int64(4) {
		must(t, k.state.Store(2*i+1))
		must(t, k.c.NotifyAll())
		must(t, k.c.WaitFor(within(t, 30*time.Second), func() bool { return must1(k.state.Load()) == 2*i+2 }))
	}
	must(t, k.c.Unlock())
	must(t, wait())
}

func rowWaitForTimeout(t *testing.T, m *manager.Manager, _ func(string) func() error) {
	k, err := openConds(m)
	must(t, err)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-stop:
				return
			case <-time.After(5 * time.Millisecond):
			}
			if err := errors.Join(k.c.Lock(bg), k.c.NotifyAll(), k.c.Unlock()); err != nil {
				t.Error(err)
				return
			}
		}
	})
	must(t, k.c.Lock(bg))
	start := time.Now()
	wantErr(t, k.c.WaitFor(within(t, 100*time.Millisecond), func() bool { return false }), context.DeadlineExceeded)
	if d := time.Since(start); d < 100*time.Millisecond {
		t.Error(d)
	}
	must(t, k.c.Unlock())
	close(stop)
	wg.Wait()
}

func rowWaitResult(t *testing.T, m *manager.Manager, other func(string) func() error) {
	k, err := openConds(m)
	must(t, err)
	must(t, k.c.Lock(bg))
	for _, d := range []time.Duration{0, 10 * time.Millisecond} {
		wantErr(t, k.c.Wait(within(t, d)), context.DeadlineExceeded)
	}
	ctx, cancel := context.WithCancel(bg)
	time.AfterFunc(10*time.Millisecond, cancel)
	wantErr(t, k.c.Wait(ctx), context.Canceled)
	must(t, k.c.Unlock())
	wait := other("sleep")
	acquireAll(t, k.sleeping, 1)
	must(t, k.c.Lock(bg))
	must(t, k.c.Notify(1))
	must(t, k.c.Unlock())
	must(t, wait())
}

func rowEvent(t *testing.T, m *manager.Manager, other func(string) func() error) {
	e, err := manager.NewEvent(m, "event")
	must(t, err)
	if e.IsSet() {
		t.Error(e)
	}
	wantErr(t, e.Wait(within(t, 0)), context.DeadlineExceeded)
	start := time.Now()
	wantErr(t, e.Wait(within(t, 30*time.Millisecond)), context.DeadlineExceeded)
	if time.Since(start) < 30*time.Millisecond {
		t.Error(time.Since(start))
	}
	must(t, e.Set())
	if !e.IsSet() {
		t.Error(e)
	}
	must(t, e.Wait(within(t, 0)))
	must(t, e.Wait(bg))
	must(t, e.Clear())
	wait := other("set event")
	must(t, e.Wait(within(t, 30*time.Second)))
	must(t, wait())
}

func rowBarrier(t *testing.T, m *manager.Manager, other func(string) func() error) {
	wait := other("barrier")
	must(t, atBarrier(1, 10)(m))
	must(t, wait())
	b, err := manager.NewBarrier(m, "barrier", parties, nil)
	must(t, err)
	if b.Waiting() != 0 || b.Broken() {
		t.Error(b)
	}
}

func rowBarrierReturn(t *testing.T, m *manager.Manager, _ func(string) func() error) {
	b, err := manager.NewBarrier(m, "barrier", parties, nil)
	must(t, err)
	got := make(chan int, parties)
	for range parties {
		go func() {
			n, err := b.Wait(bg)
			if err != nil {
				t.Error(err)
			}
			got <- n
		}()
	}
	seen := map[int]bool{}
	for range parties {
		seen[<-got] = true
	}
	if len(seen) != parties || !seen[0] {
		t.Error(seen)
	}
}

func rowBarrierAction(t *testing.T, m *manager.Manager, _ func(string) func() error) {
	done, err := manager.NewValue(m, "done", 0)
	must(t, err)
	b, err := manager.NewBarrier(m, "barrier", parties, &manager.BarrierOptions{
		Action: func() error { _, err := done.Add(1); return err },
	})
	must(t, err)
	var wg sync.WaitGroup
	for range parties {
		wg.Go(func() {
			for i := range 10 {
				if _, err := b.Wait(bg); err != nil {
					t.Error(err)
				}
				if n := must1(done.Load()); n < i+1 {
					t.Errorf("pass %d: %d actions", i, n)
				}
			}
		})
	}
	wg.Wait()
	if n := must1(done.Load()); n != 10 {
		t.Error(n)
	}
}

// waitingAt has the other side's four parties wait at the barrier.
func waitingAt(t *testing.T, m *manager.Manager, other func(string) func() error) (*manager.Barrier, func() error) {
	t.Helper()
	b, err := manager.NewBarrier(m, "barrier", parties, nil)
	must(t, err)
	wait := other("broken")
	until(t, "four wait", func() bool { return b.Waiting() == parties-1 })
	return b, wait
}

func rowBarrierAbort(t *testing.T, m *manager.Manager, other func(string) func() error) {
	b, wait := waitingAt(t, m, other)
	must(t, b.Abort())
	must(t, wait())
	if !b.Broken() {
		t.Error(b)
	}
}

func rowBarrierReset(t *testing.T, m *manager.Manager, other func(string) func() error) {
	b, wait := waitingAt(t, m, other)
	must(t, b.Reset())
	must(t, wait())
	if b.Broken() {
		t.Error(b)
	}
	rowBarrier(t, m, other)
}

func rowBarrierAbortAndReset(t *testing.T, m *manager.Manager, other func(string) func() error) {
	b, wait := waitingAt(t, m, other)
	must(t, b.Abort())
	must(t, wait())
	must(t, b.Reset())
	rowBarrier(t, m, other)
}

func rowBarrierTimeout(t *testing.T, m *manager.Manager, other func(string) func() error) {
	b, wait := waitingAt(t, m, other)
	// One more party would let them go: so it is another that is late, by its handle's timeout.
	must(t, b.Abort())
	must(t, wait())
	must(t, b.Reset())
	again := other("broken")
	until(t, "four wait", func() bool { return b.Waiting() == parties-1 })
	late, err := manager.NewBarrier(m, "late", 2, &manager.BarrierOptions{Timeout: 20 * time.Millisecond})
	must(t, err)
	_, err = late.Wait(bg)
	wantErr(t, err, manager.ErrBroken)
	wantErr(t, err, context.DeadlineExceeded)
	if !late.Broken() {
		t.Error(late)
	}
	_, err = late.Wait(bg)
	wantErr(t, err, manager.ErrBroken)
	must(t, b.Reset())
	must(t, again())
}

func rowBarrierSingle(t *testing.T, m *manager.Manager, _ func(string) func() error) {
	b, err := manager.NewBarrier(m, "barrier", 1, nil)
	must(t, err)
	for range 10 {
		if n, err := b.Wait(bg); n != 0 || err != nil {
			t.Error(n, err)
		}
	}
}

func rowLockEffects(t *testing.T, m *manager.Manager, other func(string) func() error) {
	s, err := manager.NewSemaphore(m, "sem", 1)
	must(t, err)
	b, err := manager.NewBoundedSemaphore(m, "bounded", 2)
	must(t, err)
	e, err := manager.NewEvent(m, "event")
	must(t, err)
	w, err := manager.NewRWLock(m, "rwlock")
	must(t, err)
	must(t, other("use locks")())
	if s.Value() != 2 || b.Value() != 2 || !e.IsSet() || w.Locked() || w.Readers() != 0 {
		t.Error(s, b, e, w)
	}
}

// A killed participant can only be a process.
func isProcess(t *testing.T) bool { return !strings.HasSuffix(t.Name(), "goroutine") }

// killOther kills the other side's process.
func killOther(t *testing.T, m *manager.Manager) {
	t.Helper()
	seg := m.Segment()
	for i := range seg.Slots() {
		if s := seg.SlotInfo(i); s.Alive && s.PID != os.Getpid() {
			p, err := os.FindProcess(s.PID)
			must(t, err)
			must(t, p.Kill())
			return
		}
	}
	t.Fatal("there is no other process")
}

// rowHolderKilled: unlike Python's, where the lock is lost, the next one gets it and is told.
func rowHolderKilled(t *testing.T, m *manager.Manager, other func(string) func() error) {
	if !isProcess(t) {
		return // rowLockedElsewhere has it leave
	}
	l, err := manager.NewLock(m, "lock")
	must(t, err)
	r, err := manager.NewRLock(m, "rlock")
	must(t, err)
	held, err := manager.NewEvent(m, "held")
	must(t, err)
	_, err = manager.NewEvent(m, "leave")
	must(t, err)
	wait := other("hold")
	must(t, held.Wait(bg))
	token := l.Token()
	wantErr(t, l.Lock(within(t, 10*time.Millisecond)), context.DeadlineExceeded)
	killOther(t, m)
	wantErr(t, l.Lock(within(t, 30*time.Second)), manager.ErrOwnerDied)
	if l.Token() <= token {
		t.Error(l.Token(), token)
	}
	wantErr(t, r.Lock(within(t, 30*time.Second)), manager.ErrOwnerDied)
	must(t, l.Unlock())
	must(t, r.Unlock())
	if wait() == nil {
		t.Error("it was not killed")
	}
}

// rowEventWaiterKilled: unlike Python's, Set does not hang.
func rowEventWaiterKilled(t *testing.T, m *manager.Manager, other func(string) func() error) {
	if !isProcess(t) {
		return
	}
	e, err := manager.NewEvent(m, "event")
	must(t, err)
	about, err := manager.NewEvent(m, "about to wait")
	must(t, err)
	wait := other("wait event")
	must(t, about.Wait(within(t, 30*time.Second)))
	killOther(t, m)
	if wait() == nil {
		t.Error("it was not killed")
	}
	must(t, e.Set())
	if !e.IsSet() {
		t.Error(e)
	}
	must(t, e.Wait(within(t, time.Second)))
}

// rowBarrierWaiterKilled: unlike Python's, the others' barrier breaks at once.
func rowBarrierWaiterKilled(t *testing.T, m *manager.Manager, other func(string) func() error) {
	if !isProcess(t) {
		return
	}
	b, err := manager.NewBarrier(m, "barrier", parties, nil)
	must(t, err)
	_, wait := waitingAt(t, m, other)
	killOther(t, m)
	if wait() == nil {
		t.Error("it was not killed")
	}
	until(t, "it is broken", b.Broken) // had the last party come before anybody knew, it had passed
	_, err = b.Wait(within(t, 30*time.Second))
	wantErr(t, err, manager.ErrBroken)
	must(t, b.Reset())
	rowBarrier(t, m, other)
}

// rowResourceTracker: what only a killed process had open is removed by the next sweep. There is no
// tracker that could be killed too.
func rowResourceTracker(t *testing.T) {
	dir := tempDir(t)
	m := open(t, &manager.Options{Dir: dir})
	held, err := manager.NewEvent(m, "held")
	must(t, err)
	wait := startOther(t, dir, "hold")
	must(t, held.Wait(bg))
	last := open(t, &manager.Options{Dir: dir}) // to kill it by, when it is the only one but for this
	must(t, m.Close())
	killOther(t, last)
	if wait() == nil {
		t.Error("it was not killed")
	}
	must(t, last.Close())
	if n, err := shm.Dir(dir).Sweep(); err != nil {
		t.Error(n, err)
	}
	if list, err := shm.Dir(dir).List(); len(list) > 0 || err != nil {
		t.Error(list, err)
	}
	again, err := manager.Create("m", &manager.Options{Dir: dir})
	must(t, err)
	must(t, again.Close())
}

// rowNamedResource: another process that uses what is named and ends takes nothing along, and leaves
// nothing behind.
func rowNamedResource(t *testing.T) {
	dir := tempDir(t)
	m := open(t, &manager.Options{Dir: dir})
	s, err := manager.NewSemaphore(m, "sem", 1)
	must(t, err)
	must(t, startOther(t, dir, "use locks")())
	if s.Value() != 2 {
		t.Error(s)
	}
	must(t, m.Close())
	if list, err := shm.Dir(dir).List(); len(list) > 0 || err != nil {
		t.Error(list, err)
	}
}

// TestBarrierThousand is row B11: five processes pass a barrier a thousand times, strictly in step.
func TestBarrierThousand(t *testing.T) {
	dir := tempDir(t)
	m := open(t, &manager.Options{Dir: dir})
	var waits []func() error
	for range parties - 1 {
		waits = append(waits, startOther(t, dir, "barrier of five"))
	}
	b, err := manager.NewBarrier(m, "barrier", parties, nil)
	must(t, err)
	until(t, "the others are there", func() bool { return b.Waiting() == parties-1 })
	start := time.Now()
	must(t, others["barrier of five"](m))
	t.Logf("2,000 passes of 5 processes in %v", time.Since(start))
	for _, wait := range waits {
		must(t, wait())
	}
}
