//go:build !portable

package ringqueue_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/shmkit/shmkit/ringqueue"
	"github.com/shmkit/shmkit/shm"
)

// stopTime is how long owners stand: longer than every time of the library, of
// which the slowest is the janitor's second.
const stopTime = 2500 * time.Millisecond

// childHoldOn takes hold of something in the queue with the handle, waits for a
// line, and goes on as if nothing had been.
func childHoldOn(args []string) {
	q, err := ringqueue.Attach[int](args[1], nil)
	must(err)
	var goOn func() error
	switch args[0] {
	case "reserve":
		s, err := q.Ring().Reserve(bg, 8)
		must(err)
		copy(s.Bytes(), []byte{42, 0, 0, 0, 0, 0, 0, 0})
		goOn = func() error { return s.Commit(8) }
	case "borrow":
		l, err := q.Ring().Borrow(bg)
		must(err)
		first := l.Bytes()[0]
		goOn = func() error {
			check(l.Bytes()[0] == first && l.Attempt() == 1, "the record has changed")
			l.Release()
			return nil
		}
	case "receive":
		d, err := q.Receive(bg)
		must(err)
		goOn = d.Ack
	case "put role":
		must(q.Put(bg, 1))
		goOn = func() error { return q.Put(bg, 2) }
	case "get role":
		_, err := q.Get(bg)
		must(err)
		goOn = func() error { _, err := q.Get(bg); return err }
	}
	fmt.Println(args[0])
	lines := bufio.NewScanner(os.Stdin)
	lines.Scan()
	must(goOn())
	fmt.Println("done")
	lines.Scan()
	must(q.Close())
}

// TestStoppedForLong stops owners in the middle of what they do for longer than
// any timeout. Nobody takes anything from them, and when they are continued they
// finish it, and everything adds up.
func TestStoppedForLong(t *testing.T) {
	for _, tt := range []struct {
		holds  string
		o      ringqueue.Options
		before func(t *testing.T, q *ringqueue.Queue[int])
		during func(t *testing.T, q *ringqueue.Queue[int], ctx context.Context)
		after  func(t *testing.T, q *ringqueue.Queue[int])
	}{
		{
			holds: "reserve",
			during: func(t *testing.T, q *ringqueue.Queue[int], ctx context.Context) {
				wantNil(t, "Put behind it", q.Put(bg, 43))
				_, err := q.Get(ctx)
				wantErr(t, "Get behind a stopped producer", err, ringqueue.ErrEmpty, context.DeadlineExceeded)
			},
			after: func(t *testing.T, q *ringqueue.Queue[int]) {
				wantItem(t, q, 42)
				wantItem(t, q, 43)
			},
		},
		{
			holds:  "borrow",
			before: putTwo,
			during: func(t *testing.T, q *ringqueue.Queue[int], ctx context.Context) {
				wantItem(t, q, 2) // those behind it can be taken
				wantNil(t, "TaskDone", q.TaskDone())
				_, err := q.Get(ctx)
				wantErr(t, "Get of a stopped consumer's record", err, ringqueue.ErrEmpty, context.DeadlineExceeded)
			},
			after: func(t *testing.T, q *ringqueue.Queue[int]) { wantNil(t, "Join", q.Join(within(30*time.Second))) },
		},
		{
			holds:  "receive",
			before: putTwo,
			during: func(t *testing.T, q *ringqueue.Queue[int], ctx context.Context) {
				d, err := q.Receive(ctx)
				if err != nil || d.Value() != 2 || d.Attempt() != 1 {
					t.Fatalf("Receive beside it: %d, attempt %d, %v", d.Value(), d.Attempt(), err)
				}
				wantNil(t, "Ack", d.Ack())
				if err := q.Join(ctx); !errors.Is(err, context.DeadlineExceeded) {
					t.Fatalf("Join while a delivery is open: %v", err)
				}
			},
			after: func(t *testing.T, q *ringqueue.Queue[int]) { wantNil(t, "Join", q.Join(within(30*time.Second))) },
		},
		{
			holds: "put role",
			o:     ringqueue.Options{SingleProducer: true},
			during: func(t *testing.T, q *ringqueue.Queue[int], ctx context.Context) {
				wantItem(t, q, 1)
				_, err := q.Get(ctx)
				wantErr(t, "Get", err, ringqueue.ErrEmpty)
				wantErr(t, "Put beside a stopped producer", q.Put(bg, 9), ringqueue.ErrRoleTaken)
			},
			after: func(t *testing.T, q *ringqueue.Queue[int]) { wantItem(t, q, 2) },
		},
		{
			holds:  "get role",
			o:      ringqueue.Options{SingleConsumer: true, MaxItems: 2},
			before: putTwo,
			during: func(t *testing.T, q *ringqueue.Queue[int], ctx context.Context) {
				wantNil(t, "Put", q.Put(bg, 3))
				wantErr(t, "Put to a stopped consumer", q.Put(ctx, 4), ringqueue.ErrFull, context.DeadlineExceeded)
				_, err := q.TryGet()
				wantErr(t, "TryGet beside a stopped consumer", err, ringqueue.ErrRoleTaken)
			},
			after: func(t *testing.T, q *ringqueue.Queue[int]) {
				if n := q.Len(); n != 1 {
					t.Fatalf("%d items left", n)
				}
			},
		},
	} {
		t.Run(tt.holds, func(t *testing.T) {
			t.Parallel()
			o := tt.o
			q := create[int](t, tempDir(t), &o)
			if tt.before != nil {
				tt.before(t, q)
			}
			c := startChild(t, "holdOn", tt.holds, q.Handle())
			if got := c.hear(); got != tt.holds {
				t.Fatalf("child: %s", got)
			}
			c.stop()
			tt.during(t, q, within(stopTime))
			seg := q.Ring().Segment()
			if n := seg.RecoverDead(); n != 0 || seg.Total(shm.Recoveries) != 0 {
				t.Fatalf("a stopped process was recovered: %d now, %d in all", n, seg.Total(shm.Recoveries))
			}
			c.signal(syscall.SIGCONT)
			c.say("go on")
			if got := c.hear(); got != "done" {
				t.Fatalf("child: %s", got)
			}
			tt.after(t, q)
			for _, k := range []shm.Counter{shm.Discarded, shm.Redelivered, shm.DeadLetters, shm.Recoveries} {
				if n := seg.Total(k); n != 0 {
					t.Errorf("%d %v", n, k)
				}
			}
			if puts, gets, n := seg.Total(shm.Puts), seg.Total(shm.Gets), uint64(q.Len()); puts != gets+n {
				t.Errorf("%d puts, %d gets, %d left", puts, gets, n)
			}
			c.say("close")
			c.wait()
		})
	}
}

func putTwo(t *testing.T, q *ringqueue.Queue[int]) {
	t.Helper()
	wantNil(t, "Put", q.Put(bg, 1))
	wantNil(t, "Put", q.Put(bg, 2))
}

// childOnePipe works with one processor, by GOMAXPROCS: it echoes what one queue
// brings into another while goroutines of its own use a third.
func childOnePipe(args []string) {
	policy := map[string]shm.WaitPolicy{"adaptive": shm.Adaptive, "spin": shm.Spin, "block": shm.Block}[args[2]]
	o := &ringqueue.Options{Wait: policy}
	in, err := ringqueue.Attach[int](args[0], o)
	must(err)
	out, err := ringqueue.Attach[int](args[1], o)
	must(err)
	own, err := ringqueue.New[int](&ringqueue.Options{Dir: args[3], MaxItems: 1, Wait: policy})
	must(err)
	const each = 500
	sent := make(chan error)
	go func() {
		for i := range each {
			if err := own.Put(bg, i); err != nil {
				sent <- err
				return
			}
		}
		sent <- nil
	}()
	got := make(chan error)
	go func() {
		for i := range each {
			if v, err := own.Get(bg); err != nil || v != i {
				got <- fmt.Errorf("got %d, %w", v, err)
				return
			}
		}
		got <- nil
	}()
	for {
		v, err := in.Get(bg)
		must(err)
		must(out.Put(bg, v))
		if v < 0 {
			break
		}
	}
	must(<-sent)
	must(<-got)
	must(errors.Join(in.Close(), out.Close(), own.Close()))
}

// TestOneProcessor plays ping-pong between two processes that have GOMAXPROCS=1,
// through queues with room for one item, by every policy: nobody starves, in
// neither process.
func TestOneProcessor(t *testing.T) {
	for _, policy := range []string{"adaptive", "spin", "block"} {
		t.Run(policy, func(t *testing.T) {
			dir := tempDir(t)
			a := create[int](t, dir, &ringqueue.Options{MaxItems: 1})
			b, err := ringqueue.Create[int]("b", &ringqueue.Options{Dir: dir, MaxItems: 1})
			wantNil(t, "Create", err)
			defer b.Close()
			c, err := ringqueue.Create[int]("c", &ringqueue.Options{Dir: dir, MaxItems: 1})
			wantNil(t, "Create", err)
			defer c.Close()
			t.Setenv("GOMAXPROCS", "1")
			first := startChild(t, "onePipe", a.Handle(), b.Handle(), policy, dir)
			second := startChild(t, "onePipe", b.Handle(), c.Handle(), policy, dir)
			const rounds = 300
			for i := range rounds {
				if i == rounds-1 {
					i = -1
				}
				wantNil(t, "Put", a.Put(within(30*time.Second), i))
				wantItem(t, c, i)
			}
			first.wait()
			second.wait()
		})
	}
}
