//go:build unix

package shmkit_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/shmkit/shmkit/pool"
	"github.com/shmkit/shmkit/process"
	"github.com/shmkit/shmkit/ringqueue"
	"github.com/shmkit/shmkit/shm"
)

func TestMain(m *testing.M) {
	process.Main()
	os.Exit(m.Run())
}

type order struct {
	ID    int
	Items []string
}

type bill struct {
	Order   int
	Items   int
	Clerk   string
	Attempt int // which delivery of the order it is for
}

// desk is what a clerk gets: the queues in it arrive as handles of the same
// queues.
type desk struct {
	Orders *ringqueue.Queue[order]
	Bills  *ringqueue.Queue[bill]
	// Holding is where a clerk says its name who has taken the order Heavy for
	// the first time, and will hold it until the end of its days.
	Holding *ringqueue.Queue[string]
	Heavy   int
}

// clerk writes bills for orders until there are no more.
var clerk = process.Register("clerk", func(ctx context.Context, d desk) error {
	me := process.Current().Name
	for {
		o, err := d.Orders.Receive(ctx)
		if errors.Is(err, ringqueue.ErrShutdown) {
			return nil
		}
		if err != nil {
			return err
		}
		v := o.Value()
		if v.ID == d.Heavy && o.Attempt() == 1 {
			if err := d.Holding.Put(ctx, me); err != nil {
				return err
			}
			select {}
		}
		if err := d.Bills.Put(ctx, bill{v.ID, len(v.Items), me, o.Attempt()}); err != nil {
			return err
		}
		if err := o.Ack(); err != nil {
			return err
		}
	}
})

// call is what a task of the pool gets.
type call struct {
	ID     int
	Orders *ringqueue.Queue[order]
	// Fatal holds an item: the task that gets it kills its worker.
	Fatal *ringqueue.Queue[int]
}

// take takes an order on the telephone and puts it on the queue. It returns
// the number of the order's items.
var take = pool.Register("take", func(ctx context.Context, c call) (int, error) {
	defer c.Orders.Close()
	defer c.Fatal.Close()
	o := order{ID: c.ID}
	for i := range c.ID % 7 {
		o.Items = append(o.Items, fmt.Sprintf("item %d of order %d", i, c.ID))
	}
	if err := c.Orders.Put(ctx, o); err != nil {
		return 0, err
	}
	if _, err := c.Fatal.TryGet(); err == nil {
		self, err := os.FindProcess(os.Getpid())
		if err != nil {
			return 0, err
		}
		self.Kill()
		select {}
	}
	return len(o.Items), nil
})

// TestEndToEnd has a pool take orders into a queue, and three processes take
// them out and answer by another. A worker of the pool is killed when it has
// put an order, and a process when it has taken one. Each order is answered.
func TestEndToEnd(t *testing.T) {
	const orders, heavy = 200, 66
	dir := baseline(t)
	ctx := patience(t)
	d := desk{
		Orders:  queue[order](t, &ringqueue.Options{Dir: dir, MaxItems: 20}),
		Bills:   queue[bill](t, &ringqueue.Options{Dir: dir}),
		Holding: queue[string](t, &ringqueue.Options{Dir: dir}),
		Heavy:   heavy,
	}
	fatal := queue[int](t, &ringqueue.Options{Dir: dir})
	must(t, fatal.Put(ctx, 1))

	clerks := make(map[string]*process.Process)
	for _, name := range []string{"anna", "bert", "cleo"} {
		p, err := clerk.Start(ctx, d, &process.Options{Name: name})
		must(t, err)
		clerks[name] = p
	}
	p, err := pool.New(&pool.Options{Workers: 2, Retries: 1, Dir: dir})
	must(t, err)
	t.Cleanup(p.Terminate)

	var futures []*pool.Future[int]
	for id := range orders {
		futures = append(futures, take.Go(ctx, p, call{id, d.Orders, fatal}))
	}

	// Everybody is at work, and somebody holds the heavy order.
	victim, err := d.Holding.Get(ctx)
	must(t, err)
	must(t, clerks[victim].Kill())
	var exit *process.ExitError
	if err := clerks[victim].Wait(ctx); !errors.As(err, &exit) || exit.Code != -9 {
		t.Fatalf("%s was killed, and ended with %v", victim, err)
	}

	for id, f := range futures {
		if n, err := f.Get(ctx); err != nil || n != id%7 {
			t.Errorf("order %d was taken with %d items: %v", id, n, err)
		}
	}
	if s := p.Stats(); s.Retried != 1 || s.Done != orders || s.Failed != 0 {
		t.Errorf("one worker was killed: %d tasks run again, %d done, %d failed", s.Retried, s.Done, s.Failed)
	}
	p.Close()
	must(t, p.Join(ctx))

	must(t, d.Orders.Join(ctx)) // all acknowledged
	must(t, d.Orders.Shutdown(false))
	for name, c := range clerks {
		if name != victim {
			must(t, c.Wait(ctx))
		}
	}

	// The worker that was killed had put its order already, and the task ran
	// again: that order, one of the first two, is there twice.
	must(t, d.Bills.Shutdown(false))
	answered := make([]int, orders)
	total := 0
	for b, err := range d.Bills.All(ctx) {
		must(t, err)
		answered[b.Order]++
		total++
		attempt := 1
		if b.Order == heavy {
			attempt = 2
			if b.Clerk == victim {
				t.Errorf("%s was killed and answered all the same", victim)
			}
		}
		if b.Items != b.Order%7 || b.Attempt != attempt {
			t.Errorf("%+v, not attempt %d with %d items", b, attempt, b.Order%7)
		}
	}
	if i := slices.Index(answered, 0); i >= 0 || total != orders+1 {
		t.Errorf("%d bills for %d orders, one of which was put twice; the first without: %d", total, orders, i)
	}
	if n := d.Orders.Ring().Segment().Total(shm.Redelivered); n != 1 {
		t.Errorf("%d orders were delivered again, not 1", n)
	}
}

// TestConformance has the rows of Python's own tests that take several
// packages.
func TestConformance(t *testing.T) {
	t.Run("P35_nested_startmethod", rowNested)
}

var outer = process.Register("outer", func(ctx context.Context, q *ringqueue.Queue[string]) error {
	p, err := inner.Start(ctx, q, nil)
	if err != nil {
		return err
	}
	if err := q.Put(ctx, "child"); err != nil {
		return err
	}
	return p.Wait(ctx)
})

var inner = process.Register("inner", func(ctx context.Context, q *ringqueue.Queue[string]) error {
	return q.Put(ctx, "grandchild")
})

// rowNested: a child hands a queue that it was given to a child of its own.
func rowNested(t *testing.T) {
	dir := baseline(t)
	ctx := patience(t)
	q := queue[string](t, &ringqueue.Options{Dir: dir})
	p, err := outer.Start(ctx, q, nil)
	must(t, err)
	var got []string
	for range 2 {
		s, err := q.Get(ctx)
		must(t, err)
		got = append(got, s)
	}
	slices.Sort(got)
	if !slices.Equal(got, []string{"child", "grandchild"}) || !q.Empty() {
		t.Errorf("got %q, and %d more", got, q.Len())
	}
	must(t, p.Wait(ctx))
}

// queue creates a queue that is closed at the end of the test.
func queue[T any](t *testing.T, o *ringqueue.Options) *ringqueue.Queue[T] {
	t.Helper()
	q, err := ringqueue.New[T](o)
	must(t, err)
	t.Cleanup(func() { q.Close() })
	return q
}

// baseline returns a directory for segments, and has the test fail if at its
// end, when all that it opened later is closed, something is left: a file in
// the directory, a child, a goroutine, a descriptor or a mapping.
func baseline(t *testing.T) string {
	t.Helper()
	base := ""
	if st, err := os.Stat("/dev/shm"); err == nil && st.IsDir() {
		base = "/dev/shm"
	}
	dir, err := os.MkdirTemp(base, "shmkit-test-")
	must(t, err)
	before := descriptors(t)
	goroutines := goleak.IgnoreCurrent()
	t.Cleanup(func() {
		defer os.RemoveAll(dir)
		files, err := os.ReadDir(dir)
		must(t, err)
		for _, f := range files {
			t.Errorf("left behind: %s", f.Name())
		}
		if left := process.Children(); len(left) > 0 {
			t.Errorf("children left: %v", left)
		}
		goleak.VerifyNone(t, goroutines)
		if after := descriptors(t); !slices.Equal(before, after) {
			t.Errorf("open before:\n%q\nopen after:\n%q", before, after)
		}
		maps, err := os.ReadFile("/proc/self/maps")
		if err == nil && strings.Contains(string(maps), dir) {
			t.Errorf("files in %s are still mapped", dir)
		}
	})
	return dir
}

// descriptors returns what this process has open, where the system tells.
// The runtime's own, which it opens when they are needed first, don't count.
func descriptors(t *testing.T) []string {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return nil
	}
	var open []string
	for _, e := range entries {
		target, err := os.Readlink(filepath.Join("/proc/self/fd", e.Name()))
		switch {
		case err != nil: // the directory itself, which is closed again
		case target == "anon_inode:[eventpoll]", target == "anon_inode:[eventfd]":
		default:
			open = append(open, target)
		}
	}
	slices.Sort(open)
	return open
}

// patience returns a context for what should take no time at all.
func patience(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
