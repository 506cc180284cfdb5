package robust_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/shmkit/shmkit/internal/mem"
	"github.com/shmkit/shmkit/internal/robust"
	"github.com/shmkit/shmkit/shm"
)

var bg = context.Background()

const testSlots = 8

// The objects of a test segment. Permits of the semaphores, and parties.
const (
	permits = 2
	parties = 2
)

var kinds = []robust.Kind{
	robust.KindMutex, robust.KindMutex, robust.KindRWLock, robust.KindSemaphore,
	robust.KindSemaphore, robust.KindEvent, robust.KindCond, robust.KindMutex, robust.KindBarrier, robust.KindBarrier,
}

// place returns the bytes of object i.
func place(body []byte, slots, i int) []byte {
	off := 0
	for _, k := range kinds[:i] {
		off += robust.Size(k, slots)
	}
	return body[off:][:robust.Size(kinds[i], slots)]
}

// initObjects makes zeroes the objects.
func initObjects(body []byte) error {
	return errors.Join(
		robust.InitSemaphore(place(body, testSlots, 3), testSlots, permits, false),
		robust.InitSemaphore(place(body, testSlots, 4), testSlots, permits, true),
		robust.InitBarrier(place(body, testSlots, 8), testSlots, parties),
		robust.InitBarrier(place(body, testSlots, 9), testSlots, parties+1),
	)
}

func recoverObjects(body []byte, slot int) error {
	for i, k := range kinds {
		if err := robust.Recover(k, place(body, testSlots, i), testSlots, slot); err != nil {
			return err
		}
	}
	return nil
}

// A party has a handle of each object.
type party struct {
	seg     *shm.Segment
	mutex   *robust.Mutex
	rlock   *robust.RLock
	rw      *robust.RWLock
	sem     *robust.Semaphore
	bounded *robust.Semaphore
	event   *robust.Event
	cond    *robust.Cond
	inner   *robust.Mutex // the cond's
	barrier *robust.Barrier
	trio    *robust.Barrier // of one more
}

func newParty(host robust.Host, body []byte, o robust.Options) (p *party, err error) {
	at := func(i int) []byte { return place(body, host.Slots(), i) }
	p = new(party)
	var errs [10]error
	p.mutex, errs[0] = robust.NewMutex(host, at(0), o)
	p.rlock, errs[1] = robust.NewRLock(host, at(1), o)
	p.rw, errs[2] = robust.NewRWLock(host, at(2), o)
	p.sem, errs[3] = robust.NewSemaphore(host, at(3), o)
	p.bounded, errs[4] = robust.NewSemaphore(host, at(4), o)
	p.event, errs[5] = robust.NewEvent(host, at(5), o)
	p.inner, errs[7] = robust.NewMutex(host, at(7), o)
	p.cond, errs[6] = robust.NewCond(host, at(6), p.inner, o)
	p.barrier, errs[8] = robust.NewBarrier(host, at(8), o)
	p.trio, errs[9] = robust.NewBarrier(host, at(9), o)
	return p, errors.Join(errs[:]...)
}

// close makes all who wait return.
func (p *party) close() {
	for _, c := range []interface{ Close() }{p.mutex, p.rlock, p.rw, p.sem, p.bounded, p.event, p.cond, p.inner, p.barrier, p.trio} {
		c.Close()
	}
}

// A world is a segment without a file: who dies in it is said, and not found out.
type world struct {
	body []byte

	mu     sync.Mutex
	dead   map[int]bool
	probes atomic.Int64
	own    atomic.Int64 // probes of the prober's own slot

	// beforeProbe, if set, is called by each probe before it looks.
	beforeProbe func(slot int)
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{body: mem.BytesOfSlice(make([]uint64, 4<<10)), dead: make(map[int]bool)}
	if err := initObjects(w.body); err != nil {
		t.Fatal(err)
	}
	return w
}

// citizen is a process of a world.
type citizen struct {
	*world
	slot int
}

func (c citizen) Slot() int  { return c.slot }
func (c citizen) Slots() int { return testSlots }

func (c citizen) Probe(slot int) bool {
	c.probes.Add(1)
	if slot == c.slot {
		c.own.Add(1)
	}
	if f := c.beforeProbe; f != nil {
		f(slot)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.dead[slot] {
		return false
	}
	if err := recoverObjects(c.body, slot); err != nil {
		panic(err)
	}
	delete(c.dead, slot)
	return true
}

// kill says that the slot's process is dead.
func (w *world) kill(slot int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.dead[slot] = true
}

// party is the process with that slot.
func (w *world) party(t testing.TB, slot int) *party {
	t.Helper()
	p, err := newParty(citizen{w, slot}, w.body, robust.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// until waits until cond is true.
func until(t testing.TB, what string, cond func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !cond(); time.Sleep(100 * time.Microsecond) {
		if time.Now().After(deadline) {
			t.Fatalf("timed out waiting until %s", what)
		}
	}
}

// soon receives from c.
func soon[T any](t testing.TB, what string, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(30 * time.Second):
		t.Fatalf("timed out waiting for %s", what)
		panic("unreachable")
	}
}

// start calls f on a new goroutine.
func start(f func() error) <-chan error {
	c := make(chan error, 1)
	go func() { c <- f() }()
	return c
}

// want fails the test unless err is one of the errors wanted; nil is one, too.
func want(t testing.TB, what string, err error, wanted ...error) {
	t.Helper()
	if !slices.ContainsFunc(wanted, func(w error) bool { return errors.Is(err, w) }) {
		t.Fatalf("%s: %v, not one of %v", what, err, wanted)
	}
}

// within is a context for what must not take long.
func within(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(bg, 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}
