//go:build unix

package ringqueue_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/shmkit/shmkit/ringqueue"
)

// TestConformance has the rows of Python's own tests of its queues, and of what
// it does when processes die, by their numbers. A row runs in three ways: with a
// goroutine, a child and an unrelated process as the other side.
func TestConformance(t *testing.T) {
	rows := []struct {
		name     string
		maxItems int
		run      func(t *testing.T, q *ringqueue.Queue[int], other func() *peer)
	}{
		{"Q01_put", 6, rowPut},
		{"Q02_get", 0, rowGet},
		{"Q03_fork", 0, rowFork},
		{"Q04_qsize", 0, rowQsize},
		{"Q05_task_done", 0, rowTaskDone},
		{"Q07_timeout", 0, rowTimeout},
		{"Q11_closed", 0, rowClosed},
		{"Q12_shutdown_empty", 0, rowShutdownEmpty},
		{"Q13_shutdown_nonempty", 0, rowShutdownNonempty},
		{"Q14_shutdown_immediate", 0, rowShutdownImmediate},
		{"Q15_shutdown_immediate_with_unfinished", 0, rowShutdownUnfinished},
		{"Q17_empty", 0, rowEmpty},
		{"X19_put_is_synchronous", 0, rowSynchronous},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			for _, m := range modes {
				t.Run(m.name, func(t *testing.T) {
					dir := tempDir(t)
					q := create[int](t, dir, &ringqueue.Options{MaxItems: row.maxItems})
					row.run(t, q, func() *peer { t.Helper(); return m.start(t, q, dir) })
				})
			}
		})
	}
	t.Run("C01_16_MiB_messages", rowLarge)
	t.Run("Q08_unencodable", rowUnencodable)
	t.Run("X18_unencodable", rowUnencodable)
	t.Run("Q10_closed_queue_empty", rowClosedEmpty)
	t.Run("Q16_simple_closed_empty", rowClosedEmpty)
	t.Run("Q18_close_twice", rowCloseTwice)
	t.Run("X4_killed_in_get", rowKilledInGet)
	t.Run("X5_stopped_in_get", rowStoppedInGet)
	t.Run("X17_exit_before_get", rowExitBeforeGet)
}

var bg = context.Background()

// create makes a queue that is closed, and must leave nothing behind, when the
// test ends.
func create[T any](t testing.TB, dir string, o *ringqueue.Options) *ringqueue.Queue[T] {
	t.Helper()
	var opts ringqueue.Options
	if o != nil {
		opts = *o
	}
	opts.Dir = dir
	q, err := ringqueue.Create[T]("q", &opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := q.Close(); err != nil {
			t.Error(err)
		}
	})
	return q
}

func within(d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(bg, d)
	_ = cancel // the deadline frees it
	return ctx
}

func wantErr(t testing.TB, what string, err error, wants ...error) {
	t.Helper()
	for _, want := range wants {
		if !errors.Is(err, want) {
			t.Fatalf("%s: error %v, want %v", what, err, want)
		}
	}
}

func wantNil(t testing.TB, what string, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

func wantItem(t testing.TB, q *ringqueue.Queue[int], want int) {
	t.Helper()
	got, err := q.Get(within(30 * time.Second))
	if err != nil || got != want {
		t.Fatalf("got %d, %v, want %d", got, err, want)
	}
}

func wantTrue(t testing.TB, what string, ok bool) {
	t.Helper()
	if !ok {
		t.Fatal(what)
	}
}

func rowPut(t *testing.T, q *ringqueue.Queue[int], other func() *peer) {
	p := other()
	for i := range 6 {
		if i%2 == 0 {
			wantNil(t, "Put", q.Put(bg, i))
		} else {
			wantNil(t, "TryPut", q.TryPut(i))
		}
	}
	wantTrue(t, "not empty", !q.Empty())
	wantTrue(t, "full", q.Full())
	p.want("ok true", "full")
	wantErr(t, "TryPut", q.TryPut(7), ringqueue.ErrFull)
	p.want("full", "tryput 7")
	start := time.Now()
	wantErr(t, "Put", q.Put(within(200*time.Millisecond), 7), ringqueue.ErrFull, context.DeadlineExceeded)
	wantTrue(t, "the timeout was waited for", time.Since(start) > 100*time.Millisecond)
	p.want("full timeout", "put 7 100")
	for i := range 6 {
		p.want("ok "+strconv.Itoa(i), "get")
	}
	wantTrue(t, "empty", q.Empty())
	wantTrue(t, "not full", !q.Full())
	p.want("ok true", "empty")
}

func rowGet(t *testing.T, q *ringqueue.Queue[int], other func() *peer) {
	p := other()
	for i := range 4 {
		p.want("ok", "put %d", i)
	}
	wantTrue(t, "not empty", !q.Empty())
	for i := range 4 {
		wantItem(t, q, i)
	}
	wantTrue(t, "empty", q.Empty())
	_, err := q.TryGet()
	wantErr(t, "TryGet", err, ringqueue.ErrEmpty)
	p.want("empty", "tryget")
	p.want("empty timeout", "get 50")
}

func rowFork(t *testing.T, q *ringqueue.Queue[int], other func() *peer) {
	for i := range 10 {
		wantNil(t, "Put", q.Put(bg, i))
	}
	p := other()
	for i := range 10 {
		p.want("ok", "put %d", 10+i)
	}
	for i := range 20 {
		wantItem(t, q, i)
	}
	_, err := q.TryGet()
	wantErr(t, "TryGet", err, ringqueue.ErrEmpty)
}

func rowQsize(t *testing.T, q *ringqueue.Queue[int], other func() *peer) {
	p := other()
	size := func(want int) {
		t.Helper()
		if got := q.Len(); got != want {
			t.Fatalf("Len %d, want %d", got, want)
		}
		p.want("ok "+strconv.Itoa(want), "len")
	}
	size(0)
	wantNil(t, "Put", q.Put(bg, 1))
	size(1)
	p.want("ok", "put 5")
	size(2)
	wantItem(t, q, 1)
	size(1)
	p.want("ok 5", "get")
	size(0)
}

func rowTaskDone(t *testing.T, q *ringqueue.Queue[int], other func() *peer) {
	workers := make([]*peer, 4)
	for i := range workers {
		workers[i] = other()
		workers[i].tell("work")
	}
	for i := range 10 {
		wantNil(t, "Put", q.Put(bg, i))
	}
	wantNil(t, "Join", q.Join(within(30*time.Second)))
	for range workers {
		wantNil(t, "Put", q.Put(bg, -1))
	}
	sum := 0
	for _, w := range workers {
		n, err := strconv.Atoi(strings.TrimPrefix(w.answer(), "ok "))
		wantNil(t, "work", err)
		sum += n
	}
	if sum != 10 {
		t.Fatalf("%d items worked on, want 10", sum)
	}
	wantNil(t, "Join", q.Join(within(30*time.Second)))
	wantErr(t, "TaskDone", q.TaskDone(), ringqueue.ErrTaskDone)
	// Join waits for an item that was taken.
	wantNil(t, "Put", q.Put(bg, 1))
	wantItem(t, q, 1)
	wantErr(t, "Join", q.Join(within(20*time.Millisecond)), context.DeadlineExceeded)
	workers[0].want("ok", "taskdone") // anybody may say so
	wantNil(t, "Join", q.Join(bg))
}

func rowTimeout(t *testing.T, q *ringqueue.Queue[int], other func() *peer) {
	other()
	start := time.Now()
	_, err := q.Get(within(200 * time.Millisecond))
	wantErr(t, "Get", err, ringqueue.ErrEmpty, context.DeadlineExceeded)
	if d := time.Since(start); d < 190*time.Millisecond {
		t.Fatalf("gave up after %v", d)
	}
}

func rowClosed(t *testing.T, q *ringqueue.Queue[int], other func() *peer) {
	p := other()
	own, err := ringqueue.Attach[int](q.Handle(), nil)
	wantNil(t, "Attach", err)
	blocked := make(chan error)
	go func() { _, err := own.Get(bg); blocked <- err }()
	go func() { blocked <- own.Join(bg) }()
	wantNil(t, "Put", q.Put(bg, 1)) // for the one, and Join stays
	wantNil(t, "Get", <-blocked)
	wantNil(t, "Close", own.Close())
	wantErr(t, "Join", <-blocked, ringqueue.ErrClosed)
	wantErr(t, "Put", own.Put(bg, 1), ringqueue.ErrClosed)
	wantErr(t, "TryPut", own.TryPut(1), ringqueue.ErrClosed)
	_, err = own.Get(bg)
	wantErr(t, "Get", err, ringqueue.ErrClosed)
	_, err = own.TryGet()
	wantErr(t, "TryGet", err, ringqueue.ErrClosed)
	_, err = own.PutMany(bg, []int{1})
	wantErr(t, "PutMany", err, ringqueue.ErrClosed)
	_, err = own.GetMany(bg, make([]int, 1))
	wantErr(t, "GetMany", err, ringqueue.ErrClosed)
	_, err = own.Receive(bg)
	wantErr(t, "Receive", err, ringqueue.ErrClosed)
	wantErr(t, "TaskDone", own.TaskDone(), ringqueue.ErrClosed)
	wantErr(t, "Shutdown", own.Shutdown(true), ringqueue.ErrClosed)
	p.want("ok", "put 2") // the others go on
	wantItem(t, q, 2)
}

func rowShutdownEmpty(t *testing.T, q *ringqueue.Queue[int], other func() *peer) {
	p, getter := other(), other()
	getter.tell("get")
	p.want("ok", "join")
	wantNil(t, "Shutdown", q.Shutdown(false))
	if got := getter.answer(); got != "shutdown" {
		t.Fatalf("a waiting Get: %s", got)
	}
	p.want("ok 0", "len")
	p.want("shutdown", "put 1")
	p.want("shutdown", "get")
	p.want("ok", "join")
	wantErr(t, "TryPut", q.TryPut(1), ringqueue.ErrShutdown)
	_, err := q.TryGet()
	wantErr(t, "TryGet", err, ringqueue.ErrShutdown)
	wantNil(t, "Join", q.Join(bg))
}

func rowShutdownNonempty(t *testing.T, q *ringqueue.Queue[int], other func() *peer) {
	p, joiner := other(), other()
	wantNil(t, "Put", q.Put(bg, 1))
	joiner.tell("join")
	p.want("ok", "shutdown")
	wantErr(t, "Put", q.Put(bg, 2), ringqueue.ErrShutdown)
	p.want("shutdown", "put 2")
	wantItem(t, q, 1)
	_, err := q.Get(bg)
	wantErr(t, "Get", err, ringqueue.ErrShutdown)
	p.want("shutdown", "get")
	p.want("not done timeout", "join 20")
	wantNil(t, "TaskDone", q.TaskDone())
	if got := joiner.answer(); got != "ok" {
		t.Fatalf("Join: %s", got)
	}
}

func rowShutdownImmediate(t *testing.T, q *ringqueue.Queue[int], other func() *peer) {
	p, joiner := other(), other()
	wantNil(t, "Put", q.Put(bg, 1))
	wantNil(t, "Put", q.Put(bg, 2))
	joiner.tell("join")
	p.want("ok", "shutdown now")
	if got := joiner.answer(); got != "ok" {
		t.Fatalf("Join: %s", got)
	}
	if n := q.Len(); n != 0 {
		t.Fatalf("%d items are left", n)
	}
	_, err := q.TryGet()
	wantErr(t, "TryGet", err, ringqueue.ErrShutdown)
	p.want("shutdown", "get")
	p.want("shutdown", "put 1")
	wantErr(t, "TaskDone", q.TaskDone(), ringqueue.ErrTaskDone)
}

func rowShutdownUnfinished(t *testing.T, q *ringqueue.Queue[int], other func() *peer) {
	p := other()
	wantNil(t, "Put", q.Put(bg, 1))
	wantNil(t, "Put", q.Put(bg, 2))
	wantItem(t, q, 1)
	p.want("ok", "shutdown now")
	p.want("not done timeout", "join 20")
	wantNil(t, "TaskDone", q.TaskDone())
	p.want("ok", "join")
	wantErr(t, "TaskDone", q.TaskDone(), ringqueue.ErrTaskDone)
}

func rowEmpty(t *testing.T, q *ringqueue.Queue[int], other func() *peer) {
	p := other()
	wantTrue(t, "empty", q.Empty())
	p.want("ok", "putempty")
	wantTrue(t, "not empty", !q.Empty())
	wantItem(t, q, 1)
	wantItem(t, q, 0)
	wantTrue(t, "empty", q.Empty())
}

func rowSynchronous(t *testing.T, q *ringqueue.Queue[int], other func() *peer) {
	p := other()
	for i := range 100 {
		wantNil(t, "Put", q.Put(bg, i))
		p.want("ok false", "empty")
		p.want("ok "+strconv.Itoa(i), "tryget")
	}
}

// stubborn refuses to be encoded when it is negative.
type stubborn int

var errStubborn = errors.New("refuses to be encoded")

func (s stubborn) AppendBinary(b []byte) ([]byte, error) {
	if s < 0 {
		return b, errStubborn
	}
	return append(b, byte(s)), nil
}

func (s *stubborn) UnmarshalBinary(b []byte) error {
	if len(b) != 1 {
		return fmt.Errorf("%d bytes", len(b))
	}
	*s = stubborn(b[0])
	return nil
}

func rowUnencodable(t *testing.T) {
	q := create[stubborn](t, tempDir(t), &ringqueue.Options{MaxItems: 1})
	wantErr(t, "Put", q.Put(bg, -1), errStubborn)
	if n := q.Len(); n != 0 {
		t.Fatalf("%d items after a failed Put", n)
	}
	wantNil(t, "the place is free", q.TryPut(7))
	if v, err := q.Get(bg); v != 7 || err != nil {
		t.Fatalf("got %d, %v", v, err)
	}
	n, err := q.PutMany(within(20*time.Millisecond), []stubborn{1, -1})
	if n != 1 {
		t.Fatalf("PutMany put %d", n)
	}
	wantErr(t, "PutMany", err, errStubborn)
	wantTrue(t, "empty after the good one", func() bool { v, err := q.TryGet(); return v == 1 && err == nil && q.Empty() }())
}

func rowClosedEmpty(t *testing.T) {
	for _, used := range []bool{false, true} {
		q := create[int](t, tempDir(t), nil)
		if used {
			wantNil(t, "Put", q.Put(bg, 1))
		}
		wantNil(t, "Close", q.Close())
		// One rule: a closed handle holds nothing that can be taken, and
		// says why when it is asked for an item.
		wantTrue(t, "a closed handle is empty", q.Empty() && q.Len() == 0 && !q.Full())
		_, err := q.TryGet()
		wantErr(t, "TryGet", err, ringqueue.ErrClosed)
	}
}

func rowCloseTwice(t *testing.T) {
	q := create[int](t, tempDir(t), nil)
	wantNil(t, "Close", q.Close())
	wantNil(t, "second Close", q.Close())
}

func rowKilledInGet(t *testing.T) {
	for _, m := range modes[1:] {
		t.Run(m.name, func(t *testing.T) {
			dir := tempDir(t)
			q := create[int](t, dir, nil)
			p := m.start(t, q, dir)
			p.tell("get")
			until(t, "it sleeps in Get", func() bool { return procState(p.child.cmd.Process.Pid) == "S" })
			p.child.kill()
			wantNil(t, "Put", q.Put(bg, 1))
			wantItem(t, q, 1)
		})
	}
}

func rowStoppedInGet(t *testing.T) {
	for _, m := range modes[1:] {
		t.Run(m.name, func(t *testing.T) {
			dir := tempDir(t)
			q := create[int](t, dir, nil)
			p := m.start(t, q, dir)
			p.tell("get")
			until(t, "it sleeps in Get", func() bool { return procState(p.child.cmd.Process.Pid) == "S" })
			p.child.stop()
			wantNil(t, "Put", q.Put(bg, 1))
			if v, err := q.TryGet(); v != 1 || err != nil {
				t.Fatalf("TryGet beside a stopped Get: %d, %v", v, err)
			}
			p.child.signal(syscall.SIGCONT)
			wantNil(t, "Put", q.Put(bg, 2))
			if got := p.answer(); got != "ok 2" {
				t.Fatalf("Get after SIGCONT: %s", got)
			}
		})
	}
}

// childPutBytes puts a value of a megabyte and exits.
func childPutBytes(args []string) {
	q, err := ringqueue.Attach[[]byte](args[0], nil)
	must(err)
	must(q.Put(bg, make([]byte, 1<<20)))
	must(q.Close())
}

func rowExitBeforeGet(t *testing.T) {
	q := create[[]byte](t, tempDir(t), &ringqueue.Options{Capacity: 8 << 20})
	startChild(t, "putBytes", q.Handle()).wait() // Python's join would never end
	b, err := q.Get(within(30 * time.Second))
	if err != nil || len(b) != 1<<20 {
		t.Fatalf("got %d bytes, %v", len(b), err)
	}
}
