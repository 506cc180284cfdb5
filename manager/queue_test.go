package manager_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/shmkit/shmkit/manager"
	"github.com/shmkit/shmkit/ringqueue"
)

func TestQueue(t *testing.T) {
	dir := tempDir(t)
	m, n := open(t, &manager.Options{Dir: dir}), open(t, &manager.Options{Dir: dir})
	q, err := manager.NewQueue[string](m, "q", &ringqueue.Options{Capacity: 1 << 16, MaxItems: 3})
	must(t, err)
	p, err := manager.NewQueue[string](n, "q", nil)
	must(t, err)
	if _, err := manager.NewQueue[int](n, "q", nil); !errors.Is(err, manager.ErrType) {
		t.Error(err)
	}
	for i := range 3 {
		must(t, q.Put(bg, fmt.Sprint(i)))
	}
	if err := p.TryPut("4"); !errors.Is(err, ringqueue.ErrFull) {
		t.Error(err)
	}
	for i := range 3 {
		if s, err := p.Get(bg); s != fmt.Sprint(i) || err != nil {
			t.Error(s, err)
		}
		must(t, q.TaskDone())
	}
	must(t, p.Join(bg))
	if err := q.Put(bg, string(make([]byte, 1<<15))); !errors.Is(err, ringqueue.ErrTooLarge) {
		t.Error(err)
	}
	for i := range 10000 { // many laps, with records that don't fit before the end
		s := fmt.Sprintf("%*d", 1+i%5000, i)
		must(t, q.Put(bg, s))
		if got, err := p.Get(bg); got != s || err != nil {
			t.Fatal(i, err)
		}
	}

	// Who waits is woken by a put, by a Close of its handle, and by that of the manager.
	done := make(chan error, 1)
	get := func(q *manager.Queue[string]) { _, err := q.Get(bg); done <- err }
	go get(p)
	must(t, q.Put(bg, "x"))
	must(t, <-done)
	other, err := manager.NewQueue[string](n, "q", nil)
	must(t, err)
	go get(p)
	must(t, p.Close())
	if err := <-done; !errors.Is(err, ringqueue.ErrClosed) {
		t.Error(err)
	}
	must(t, other.Put(bg, "y"))
	if s, err := q.Get(bg); s != "y" || err != nil {
		t.Error(s, err)
	}
	go get(other)
	must(t, n.Close())
	if err := <-done; !errors.Is(err, ringqueue.ErrClosed) {
		t.Error(err)
	}
	r, err := m.Fsck()
	must(t, err)
	if !r.OK() {
		t.Error(r.Problems)
	}
}

// TestQueueOfQueues sends a queue through a queue, and drops all but what was sent.
func TestQueueOfQueues(t *testing.T) {
	dir := tempDir(t)
	m, n := open(t, &manager.Options{Dir: dir}), open(t, &manager.Options{Dir: dir})
	outer, err := manager.NewDict[string, *manager.Queue[int]](m, "queues")
	must(t, err)
	theirs, err := manager.NewDict[string, *manager.Queue[int]](n, "queues")
	must(t, err)
	q, err := manager.NewQueue[int](m, "", &ringqueue.Options{Capacity: 1 << 12})
	must(t, err)
	must(t, outer.Set("q", q))
	must(t, q.Put(bg, 7))
	p, ok, err := theirs.Get("q")
	if !ok || err != nil {
		t.Fatal(ok, err)
	}
	if v, err := p.Get(bg); v != 7 || err != nil {
		t.Error(v, err)
	}
	text, err := p.MarshalText()
	must(t, err)
	again := new(manager.Queue[int])
	must(t, again.UnmarshalText(text))
	must(t, again.Put(bg, 8))
	if v, err := q.Get(bg); v != 8 || err != nil {
		t.Error(v, err)
	}
	if err := again.UnmarshalText([]byte("nonsense")); !errors.Is(err, manager.ErrName) {
		t.Error(err)
	}

	p, again = nil, nil
	runtime.KeepAlive(theirs)
	_, err = outer.Delete("q")
	must(t, err)
	q = nil
	remain(t, m, 1)
}

// TestQueueGarbage: what was received and never acknowledged, when its process has no handle of the
// queue any more, is another's.
func TestQueueGarbage(t *testing.T) {
	dir := tempDir(t)
	m, n := open(t, &manager.Options{Dir: dir}), open(t, &manager.Options{Dir: dir})
	q, err := manager.NewQueue[int](m, "q", nil)
	must(t, err)
	must(t, q.Put(bg, 9))
	func() {
		p, err := manager.NewQueue[int](n, "q", nil)
		must(t, err)
		_, err = p.Receive(bg)
		must(t, err)
		must(t, p.Close())
	}()
	until(t, "it is there again", func() bool {
		runtime.GC()
		v, err := q.TryGet()
		if err == nil && v != 9 {
			t.Error(v)
		}
		return err == nil
	})
}

// TestQueueRoles: a role is of one handle at a time, in the same process too.
func TestQueueRoles(t *testing.T) {
	m := open(t, &manager.Options{Dir: tempDir(t)})
	a, err := manager.NewQueue[int](m, "q", &ringqueue.Options{SingleProducer: true})
	must(t, err)
	b, err := manager.NewQueue[int](m, "q", nil)
	must(t, err)
	must(t, a.Put(bg, 1))
	if err := b.Put(bg, 2); !errors.Is(err, ringqueue.ErrRoleTaken) {
		t.Error(err)
	}
	must(t, a.Close())
	must(t, b.Put(bg, 3))
	ctx, cancel := context.WithTimeout(bg, 10*time.Second)
	defer cancel()
	for _, want := range []int{1, 3} {
		if v, err := b.Get(ctx); v != want || err != nil {
			t.Error(v, err)
		}
	}
}
