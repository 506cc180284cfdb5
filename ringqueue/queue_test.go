//go:build unix

package ringqueue_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/shmkit/shmkit/ringqueue"
	"github.com/shmkit/shmkit/shm"
)

type point struct {
	X, Y int32
	Tag  [4]byte
}

func TestTypes(t *testing.T) {
	type nested struct {
		Name string
		Tags []string
		M    map[string]int
		P    *point
	}
	t.Run("plain", func(t *testing.T) { roundTrip(t, point{1, 2, [4]byte{'a'}}, point{}) })
	t.Run("padded", func(t *testing.T) {
		type padded struct {
			A uint8
			B uint32
			C bool
		}
		roundTrip(t, padded{1, 2, true}, padded{}, padded{C: true})
	})
	t.Run("empty struct", func(t *testing.T) { roundTrip(t, struct{}{}, struct{}{}) })
	t.Run("string", func(t *testing.T) { roundTrip(t, "", "ä\x00b") })
	t.Run("large", func(t *testing.T) { roundTrip(t, [9000]byte{8999: 1}, [9000]byte{}) })
	t.Run("cbor", func(t *testing.T) {
		q := create[nested](t, tempDir(t), nil)
		want := nested{"n", []string{"a", ""}, map[string]int{"x": 1}, &point{X: 3}}
		wantNil(t, "Put", q.Put(bg, want))
		got, err := q.Get(bg)
		wantNil(t, "Get", err)
		a, _ := json.Marshal(want)
		b, _ := json.Marshal(got)
		if !bytes.Equal(a, b) {
			t.Fatalf("got %s, want %s", b, a)
		}
	})
}

func roundTrip[T comparable](t *testing.T, vs ...T) {
	t.Helper()
	for _, batch := range []bool{false, true} {
		q := create[T](t, tempDir(t), nil)
		if batch {
			n, err := q.PutMany(bg, vs)
			if n != len(vs) || err != nil {
				t.Fatalf("PutMany: %d, %v", n, err)
			}
			got := make([]T, len(vs)+1)
			n, err = q.GetMany(bg, got)
			if err != nil || !slices.Equal(got[:n], vs) {
				t.Fatalf("GetMany: %v, %v", got[:n], err)
			}
			continue
		}
		for _, v := range vs {
			wantNil(t, "Put", q.Put(bg, v))
		}
		for _, v := range vs {
			if got, err := q.Get(bg); got != v || err != nil {
				t.Fatalf("Get: %v, %v, want %v", got, err, v)
			}
		}
	}
}

// TestBatchesOfAnySize pushes slices of random records through small rings and
// compares what comes out, by Get and GetMany of any length.
func TestBatchesOfAnySize(t *testing.T) {
	for _, sole := range []bool{false, true} {
		dir := tempDir(t)
		q := create[string](t, dir, &ringqueue.Options{Capacity: 4096, SingleProducer: sole, SingleConsumer: sole})
		rapid.Check(t, func(t *rapid.T) {
			vs := rapid.SliceOfN(rapid.StringN(0, -1, 1024), 0, 300).Draw(t, "items")
			var wg sync.WaitGroup
			wg.Go(func() {
				if n, err := q.PutMany(bg, vs); n != len(vs) || err != nil {
					t.Errorf("PutMany: %d of %d, %v", n, len(vs), err)
				}
			})
			var got []string
			dst := make([]string, rapid.IntRange(1, 200).Draw(t, "at once"))
			for len(got) < len(vs) {
				n, err := q.GetMany(within(30*time.Second), dst)
				if err != nil {
					t.Fatalf("GetMany: %v", err)
				}
				got = append(got, dst[:n]...)
			}
			wg.Wait()
			if !slices.Equal(got, vs) {
				t.Fatal("what came out is not what was put in")
			}
			if !q.Empty() {
				t.Fatal("something is left")
			}
		})
	}
}

func TestMaxItemsIsExact(t *testing.T) {
	for _, max := range []int{1, 3, 100} {
		q := create[int](t, tempDir(t), &ringqueue.Options{MaxItems: max})
		n, err := q.PutMany(within(20*time.Millisecond), make([]int, 2*max))
		wantErr(t, "PutMany", err, ringqueue.ErrFull, context.DeadlineExceeded)
		if n != max || q.Len() != max || !q.Full() {
			t.Fatalf("PutMany put %d of at most %d, Len %d, Full %v", n, max, q.Len(), q.Full())
		}
		wantErr(t, "TryPut", q.TryPut(1), ringqueue.ErrFull)
		wantItem(t, q, 0)
		wantNil(t, "TryPut", q.TryPut(1))
		wantErr(t, "TryPut", q.TryPut(1), ringqueue.ErrFull)
	}
}

func TestTooLarge(t *testing.T) {
	q := create[[]byte](t, tempDir(t), &ringqueue.Options{Capacity: 4096, MaxLarge: -1})
	wantNil(t, "a quarter", q.Put(bg, make([]byte, 1024)))
	err := q.Put(bg, make([]byte, 1025))
	wantErr(t, "more", err, ringqueue.ErrTooLarge)
	if s := err.Error(); !strings.Contains(s, "1025") || !strings.Contains(s, "1024") || !strings.Contains(s, "4096") {
		t.Fatalf("the sizes are not in %q", s)
	}
	n, err := q.PutMany(bg, [][]byte{{1}, make([]byte, 2000)})
	wantErr(t, "PutMany", err, ringqueue.ErrTooLarge)
	if n != 1 {
		t.Fatalf("PutMany put %d", n)
	}
	_, err = q.Ring().Reserve(bg, 1025)
	wantErr(t, "Reserve", err, ringqueue.ErrTooLarge)
	_, err = q.Ring().Reserve(bg, -1)
	wantErr(t, "Reserve", err, ringqueue.ErrTooLarge)
	if n := q.Len(); n != 2 {
		t.Fatalf("Len %d", n)
	}
	_, err = ringqueue.Create[[4096]byte]("x", &ringqueue.Options{Dir: tempDir(t), Capacity: 4096, MaxLarge: -1})
	wantErr(t, "Create of too small a ring", err, ringqueue.ErrTooLarge)
}

func TestReserveAndBorrow(t *testing.T) {
	for _, sole := range []bool{false, true} {
		q := create[[]byte](t, tempDir(t), &ringqueue.Options{SingleProducer: sole, SingleConsumer: sole})
		r := q.Ring()
		a, err := r.Reserve(bg, 200)
		wantNil(t, "Reserve", err)
		b, err := r.Reserve(bg, 3)
		wantNil(t, "Reserve", err)
		c, err := r.Reserve(bg, 5)
		wantNil(t, "Reserve", err)
		copy(b.Bytes(), "bbb")
		wantNil(t, "Commit out of order", b.Commit(3))
		_, err = r.TryBorrow()
		wantErr(t, "TryBorrow before the first is committed", err, ringqueue.ErrEmpty)
		copy(a.Bytes(), "aa")
		wantErr(t, "Commit of more", a.Commit(201), ringqueue.ErrTooLarge)
		wantNil(t, "Commit of less", a.Commit(2))
		wantErr(t, "second Commit", a.Commit(2), ringqueue.ErrDone)
		a.Abort() // nothing
		c.Abort()
		wantErr(t, "Commit after Abort", c.Commit(1), ringqueue.ErrDone)
		l1, err := r.Borrow(bg)
		wantNil(t, "Borrow", err)
		l2, err := r.Borrow(bg)
		wantNil(t, "Borrow", err)
		if string(l1.Bytes()) != "aa" || string(l2.Bytes()) != "bbb" || l1.Attempt() != 1 {
			t.Fatalf("borrowed %q (attempt %d), %q", l1.Bytes(), l1.Attempt(), l2.Bytes())
		}
		l1.Requeue()
		l1.Release() // nothing
		l2.Release()
		l2.Release()
		l1, err = r.Borrow(bg)
		wantNil(t, "Borrow", err)
		if string(l1.Bytes()) != "aa" || l1.Attempt() != 2 {
			t.Fatalf("redelivered %q, attempt %d", l1.Bytes(), l1.Attempt())
		}
		l1.Release()
		if n := r.Len(); n != 0 {
			t.Fatalf("Len %d", n)
		}
	}
}

func TestLeaseOutlivesClose(t *testing.T) {
	q := create[string](t, tempDir(t), nil)
	wantNil(t, "Put", q.Put(bg, "still here"))
	s, err := q.Ring().Reserve(bg, 4)
	wantNil(t, "Reserve", err)
	l, err := q.Ring().Borrow(bg)
	wantNil(t, "Borrow", err)
	other, err := ringqueue.Attach[string](q.Handle(), nil)
	wantNil(t, "Attach", err)
	defer other.Close()
	wantNil(t, "Close", q.Close())
	if string(l.Bytes()) != "still here" {
		t.Fatal("the lease's memory is gone")
	}
	copy(s.Bytes(), "more")
	wantNil(t, "Commit after Close", s.Commit(4))
	l.Release()
	if v, err := other.TryGet(); v != "more" || err != nil {
		t.Fatalf("got %q, %v", v, err)
	}
}

func TestOpenErrors(t *testing.T) {
	dir := tempDir(t)
	o := &ringqueue.Options{Dir: dir}
	q := create[point](t, dir, nil)
	_, err := ringqueue.Create[point]("q", o)
	wantErr(t, "Create again", err, ringqueue.ErrExist, fs.ErrExist)
	_, err = ringqueue.Open[point]("other", o)
	wantErr(t, "Open of nothing", err, ringqueue.ErrNotExist, fs.ErrNotExist)
	before := readFile(t, filepath.Join(dir, "q"))
	_, err = ringqueue.Open[string]("q", o)
	wantErr(t, "Open as another type", err, ringqueue.ErrType)
	if s := err.Error(); !strings.Contains(s, "point") || !strings.Contains(s, "string") {
		t.Fatalf("both types are not in %q", s)
	}
	seg, err := shm.Create("block", 100, &shm.Options{Dir: dir})
	wantNil(t, "Create", err)
	defer seg.Close()
	_, err = ringqueue.Open[point]("block", o)
	wantErr(t, "Open of another kind", err, ringqueue.ErrKind)
	if !bytes.Equal(before, readFile(t, filepath.Join(dir, "q"))) {
		t.Fatal("a refused Open changed the file")
	}
	for _, bad := range []ringqueue.Options{
		{Capacity: -1}, {Capacity: 1 << 40}, {MaxItems: -1}, {MaxRecord: -1}, {MaxRecord: 1 << 32},
		{MaxAttempts: 64}, {Capacity: 4096, MaxRecord: 1025, MaxLarge: -1}, {MaxRecord: 1 << 20, MaxLarge: 1 << 20}, {MaxRecord: 1 << 20, MaxLarge: 1 << 41},
	} {
		bad.Dir = dir
		if q, err := ringqueue.Create[point]("bad", &bad); err == nil {
			q.Close()
			t.Errorf("%+v: no error", bad)
		}
	}
	same, err := ringqueue.OpenOrCreate[point]("q", o)
	wantNil(t, "OpenOrCreate", err)
	defer same.Close()
	wantNil(t, "Put", q.Put(bg, point{X: 1}))
	if v, err := same.TryGet(); v.X != 1 || err != nil {
		t.Fatalf("got %v, %v", v, err)
	}
	if _, err := ringqueue.Create[chan int]("chan", o); err == nil {
		t.Fatal("a queue of channels")
	}
}

func readFile(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestUnnamedQueueTravels(t *testing.T) {
	dir := tempDir(t)
	q, err := ringqueue.New[int](&ringqueue.Options{Dir: dir})
	wantNil(t, "New", err)
	text, err := q.MarshalText()
	wantNil(t, "MarshalText", err)
	var r ringqueue.Queue[int]
	wantNil(t, "UnmarshalText", r.UnmarshalText(text))
	if err := r.UnmarshalText(text); err == nil {
		t.Fatal("unmarshalled twice into the same queue")
	}
	wantNil(t, "Put", q.Put(bg, 7))
	wantItem(t, &r, 7)
	wantNil(t, "Close", q.Close())
	wantNil(t, "Put", r.Put(bg, 8)) // lives as long as somebody holds it
	wantItem(t, &r, 8)
	wantNil(t, "Close", r.Close())
	var gone ringqueue.Queue[int]
	wantErr(t, "UnmarshalText of a queue that is gone", gone.UnmarshalText(text), ringqueue.ErrNotExist)
	noSegments(t, dir)
	var in, out struct{ Q *ringqueue.Queue[int] }
	in.Q = create[int](t, dir, nil)
	b, err := json.Marshal(in)
	wantNil(t, "Marshal", err)
	wantNil(t, "Unmarshal", json.Unmarshal(b, &out))
	defer out.Q.Close()
	wantNil(t, "Put", in.Q.Put(bg, 9))
	wantItem(t, out.Q, 9)
}

func TestAll(t *testing.T) {
	q := create[int](t, tempDir(t), nil)
	go func() {
		for i := range 100 {
			if err := q.Put(bg, i); err != nil {
				return
			}
		}
		q.Shutdown(false)
	}()
	next := 0
	for v, err := range q.All(bg) {
		wantNil(t, "All", err)
		if v != next {
			t.Fatalf("got %d, want %d", v, next)
		}
		next++
	}
	if next != 100 {
		t.Fatalf("%d items", next)
	}
	q2 := create[int](t, tempDir(t), nil)
	for _, err := range q2.All(within(10 * time.Millisecond)) {
		wantErr(t, "All", err, context.DeadlineExceeded)
	}
}

func TestCancelledWaitsAndFastPaths(t *testing.T) {
	q := create[int](t, tempDir(t), &ringqueue.Options{MaxItems: 1})
	ctx, cancel := context.WithCancel(bg)
	got := make(chan error)
	go func() { _, err := q.Get(ctx); got <- err }()
	cancel()
	wantErr(t, "Get", <-got, ringqueue.ErrEmpty, context.Canceled)
	wantNil(t, "Put that needn't wait, with a context that is done", q.Put(ctx, 1))
	wantErr(t, "Put", q.Put(ctx, 2), ringqueue.ErrFull, context.Canceled)
	if v, err := q.Get(ctx); v != 1 || err != nil {
		t.Fatalf("Get that needn't wait, with a context that is done: %d, %v", v, err)
	}
	var e *ringqueue.Error
	if _, err := q.TryGet(); !errors.As(err, &e) || e.Queue != "q" || e.Op != "get" {
		t.Fatalf("the error does not name what failed: %v", err)
	}
}

func TestNoAllocations(t *testing.T) {
	for _, sole := range []bool{false, true} {
		o := &ringqueue.Options{SingleProducer: sole, SingleConsumer: sole}
		q := create[msg](t, tempDir(t), o)
		buf := make([]msg, 64)
		b := create[[]byte](t, tempDir(t), o)
		payload := make([]byte, 1000)
		for name, f := range map[string]func(){
			"Put+Get": func() {
				must(q.Put(bg, msg{}))
				_, err := q.Get(bg)
				must(err)
			},
			"TryPut+TryGet": func() {
				must(q.TryPut(msg{}))
				_, err := q.TryGet()
				must(err)
			},
			"PutMany+GetMany": func() {
				_, err := q.PutMany(bg, buf)
				must(err)
				_, err = q.GetMany(bg, buf)
				must(err)
			},
			"TryGet of nothing": func() { q.TryGet() },
			"Receive+Ack": func() {
				must(q.Put(bg, msg{}))
				d, err := q.Receive(bg)
				must(err)
				must(d.Ack())
			},
			"Reserve+Borrow": func() {
				s, err := b.Ring().Reserve(bg, 1000)
				must(err)
				copy(s.Bytes(), payload)
				must(s.Commit(1000))
				l, err := b.Ring().Borrow(bg)
				must(err)
				l.Release()
			},
			"Len, Full": func() { q.Len(); q.Full() },
		} {
			if n := testing.AllocsPerRun(200, f); n != 0 {
				t.Errorf("%s (exclusive: %v): %v allocations", name, sole, n)
			}
		}
	}
}

// TestManyGoroutines has goroutines share one handle on both sides, exclusive
// and not.
func TestManyGoroutines(t *testing.T) {
	for _, sole := range []bool{false, true} {
		q := create[int](t, tempDir(t), &ringqueue.Options{Capacity: 4096, SingleProducer: sole, SingleConsumer: sole})
		const producers, each = 8, 3000
		var put, got sync.WaitGroup
		seen := make([]int, producers*each)
		var mu sync.Mutex
		for p := range producers {
			put.Go(func() {
				for i := range each {
					if err := q.Put(bg, p*each+i); err != nil {
						t.Errorf("Put: %v", err)
						return
					}
				}
			})
			got.Go(func() {
				for v, err := range q.All(bg) {
					if err != nil {
						t.Errorf("Get: %v", err)
						return
					}
					mu.Lock()
					seen[v]++
					mu.Unlock()
				}
			})
		}
		put.Wait()
		wantNil(t, "Shutdown", q.Shutdown(false))
		got.Wait()
		for v, n := range seen {
			if n != 1 {
				t.Fatalf("item %d came %d times", v, n)
			}
		}
	}
}

func TestInspect(t *testing.T) {
	dir := tempDir(t)
	q := create[int](t, dir, &ringqueue.Options{MaxItems: 50, SingleConsumer: true})
	for i := range 5 {
		wantNil(t, "Put", q.Put(bg, i))
	}
	l, err := q.Ring().Borrow(bg)
	wantNil(t, "Borrow", err)
	defer l.Release()
	s, err := q.Ring().Reserve(bg, 100)
	wantNil(t, "Reserve", err)
	defer s.Abort()
	path := filepath.Join(dir, "q")
	before := readFile(t, path)
	i, err := shm.Inspect(path)
	wantNil(t, "Inspect", err)
	defer i.Close()
	r, err := ringqueue.Inspect(i)
	wantNil(t, "Inspect", err)
	me := q.Ring().Segment().Slot()
	if r.Ready != 4 || r.Reserved != 1 || r.Borrowed != 1 || r.Used != 5*64+128 || r.MaxItems != 50 ||
		!r.SingleConsumer || r.SingleProducer || r.Consumer != me || r.Producer != -1 || r.Shutdown != "" {
		t.Fatalf("%+v", r)
	}
	want := []ringqueue.Held{{me, "borrowed", 8, 1, 5}, {me, "reserved", 100, 1, 0}}
	if !slices.Equal(r.Oldest, want) {
		t.Fatalf("oldest %+v, want %+v", r.Oldest, want)
	}
	if !bytes.Equal(before, readFile(t, path)) {
		t.Fatal("Inspect changed the file")
	}
}
