//go:build unix

package ringqueue_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/shmkit/shmkit/ringqueue"
	"github.com/shmkit/shmkit/shm"
)

var _ = addChild("echo", childEcho)

// childEcho gets from one queue and puts into the other until the first is shut down.
func childEcho(args []string) {
	there, err := ringqueue.Attach[[]byte](args[0], nil)
	must(err)
	back, err := ringqueue.Attach[[]byte](args[1], nil)
	must(err)
	must(echo(there, back))
	must(there.Close())
	must(back.Close())
}

func echo(there, back *ringqueue.Queue[[]byte]) error {
	for {
		b, err := there.Get(bg)
		if errors.Is(err, ringqueue.ErrShutdown) {
			return nil
		}
		if err == nil {
			err = back.Put(bg, b)
		}
		if err != nil {
			return err
		}
	}
}

// rowLarge sends records of up to 64 MiB to the other side and back, with default
// options.
func rowLarge(t *testing.T) {
	for _, m := range []string{"goroutines", "children"} {
		t.Run(m, func(t *testing.T) {
			there, back := create[[]byte](t, tempDir(t), nil), create[[]byte](t, tempDir(t), nil)
			ended := make(chan error, 1)
			end := func() {}
			if m == "children" {
				end = startChild(t, "echo", there.Handle(), back.Handle()).wait
				ended <- nil
			} else {
				go func() { ended <- echo(there, back) }()
			}
			for i, n := range []int{0, 1, 64 << 10, 256 << 10, 256<<10 + 1, 1 << 20, 16 << 20, 64 << 20} {
				want := noise(uint64(i), n)
				wantNil(t, "Put", there.Put(within(30*time.Second), want))
				got, err := back.Get(within(30 * time.Second))
				if err != nil || !bytes.Equal(got, want) {
					t.Fatalf("%d bytes came back as %d, %v", n, len(got), err)
				}
			}
			wantErr(t, "Put", there.Put(bg, make([]byte, 64<<20+1)), ringqueue.ErrTooLarge)
			wantNil(t, "Shutdown", there.Shutdown(false))
			wantNil(t, "the other side", <-ended)
			end()
		})
	}
}

// TestSmallQueuesStaySmall wants no space for large records before there is one, and
// then as much as that needs; also in queues that are opened with Prefault.
func TestSmallQueuesStaySmall(t *testing.T) {
	dir := tempDir(t)
	o := &ringqueue.Options{Dir: dir, Capacity: 4096, Prefault: true}
	q, err := ringqueue.Create[[]byte]("q", o)
	wantNil(t, "Create", err)
	defer q.Close()
	other, err := ringqueue.Open[[]byte]("q", o)
	wantNil(t, "Open", err)
	defer other.Close()
	fi, err := os.Stat(q.Ring().Segment().Path())
	wantNil(t, "stat", err)
	before, counts := spaceOf(fi)
	if before > 256<<10 || fi.Size() < 1<<30 {
		t.Errorf("it takes %d of %d bytes", before, fi.Size())
	}
	for range 3 {
		wantNil(t, "Put", q.Put(bg, make([]byte, 1<<20)))
		_, err = other.Get(bg)
		wantNil(t, "Get", err)
	}
	fi, err = os.Stat(q.Ring().Segment().Path())
	wantNil(t, "stat", err)
	if after, _ := spaceOf(fi); counts && (after-before < 1<<20 || after-before > 2<<20) {
		t.Errorf("it takes %d bytes more after a record of 1 MiB", after-before)
	}
	fixed := create[[100]byte](t, tempDir(t), nil)
	if n := fixed.Ring().Segment().Size(); n > 2<<20 {
		t.Errorf("a queue that can't have large records is of %d bytes", n)
	}
}

// TestReportOfLargeRecords looks at a queue with large records from outside.
func TestReportOfLargeRecords(t *testing.T) {
	q := create[[]byte](t, tempDir(t), largeOptions())
	r := q.Ring()
	for range 3 {
		wantNil(t, "Put", q.Put(bg, make([]byte, 70000)))
	}
	l, err := r.Borrow(bg)
	wantNil(t, "Borrow", err)
	back, err := r.Borrow(bg)
	wantNil(t, "Borrow", err)
	s, err := r.Reserve(bg, 2000)
	wantNil(t, "Reserve", err)
	back.Requeue()
	i, err := shm.Inspect(r.Segment().Path())
	wantNil(t, "Inspect", err)
	defer i.Close()
	rep, err := ringqueue.Inspect(i)
	wantNil(t, "Inspect", err)
	got := fmt.Sprintf("%d ready, %d again, %d reserved, %d borrowed, %d in chunks of %d", rep.Ready, rep.Again, rep.Reserved, rep.Borrowed,
		rep.Large/ringqueue.ChunkSize, rep.MaxLarge/ringqueue.ChunkSize)
	if want := "2 ready, 1 again, 1 reserved, 1 borrowed, 7 in chunks of 32"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	me := r.Segment().Slot()
	for _, want := range []ringqueue.Held{
		{Slot: me, State: "reserved", Bytes: 2000, Attempt: 1},
		{Slot: me, State: "borrowed", Bytes: 70000, Attempt: 1},
	} {
		if len(rep.Oldest) == 0 || rep.Oldest[0] != want {
			t.Fatalf("%+v, want %+v first", rep.Oldest, want)
		}
		rep.Oldest = rep.Oldest[1:]
	}
	s.Abort()
	l.Release()
}
