//go:build unix

package ringqueue_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/shmkit/shmkit/ringqueue"
)

// largeOptions are those of a ring of a page, in which records of more than 1 KiB go
// by reference.
func largeOptions() *ringqueue.Options {
	return &ringqueue.Options{Capacity: 4096, MaxRecord: 200 << 10, MaxLarge: 2 << 20}
}

// noise returns n bytes that are never the same.
func noise(seed uint64, n int) []byte {
	b := make([]byte, n)
	rng := rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8)})
	rng.Read(b)
	return b
}

// wantLarge checks the memory for large records, of which so many are live.
func wantLarge(t testing.TB, r *ringqueue.Ring, live int) {
	t.Helper()
	got, _, err := r.CheckLarge()
	if err != nil || got != live {
		t.Fatalf("%d large records are live, want %d; %v", got, live, err)
	}
}

// eachMode runs a test on a queue of each combination of modes.
func eachMode(t *testing.T, o *ringqueue.Options, f func(t *testing.T, q *ringqueue.Queue[[]byte])) {
	for mode := range 4 {
		t.Run(fmt.Sprintf("producers=%d,consumers=%d", 2-mode&1, 2-mode>>1), func(t *testing.T) {
			opts := *o
			opts.SingleProducer, opts.SingleConsumer = mode&1 != 0, mode&2 != 0
			f(t, create[[]byte](t, tempDir(t), &opts))
		})
	}
}

var largeSizes = []int{0, 64, 1024, 1025, 4096, 65536 - 64, 65536 - 63, 70000, 200 << 10}

func TestLargeByEveryWay(t *testing.T) {
	eachMode(t, largeOptions(), func(t *testing.T, q *ringqueue.Queue[[]byte]) {
		r := q.Ring()
		puts := map[string]func(b []byte) error{
			"Put":     func(b []byte) error { return q.Put(bg, b) },
			"TryPut":  func(b []byte) error { return q.TryPut(b) },
			"PutMany": func(b []byte) error { _, err := q.PutMany(bg, [][]byte{b}); return err },
			"Reserve": func(b []byte) error {
				s, err := r.Reserve(bg, len(b))
				if err != nil {
					return err
				}
				if len(s.Bytes()) != len(b) || cap(s.Bytes()) != len(b) {
					return fmt.Errorf("room of %d bytes", len(s.Bytes()))
				}
				copy(s.Bytes(), b)
				return s.Commit(len(b))
			},
			"Reserve of more": func(b []byte) error {
				s, err := r.Reserve(bg, min(2*len(b)+100, r.MaxRecord()))
				if err != nil {
					return err
				}
				copy(s.Bytes(), b)
				return s.Commit(len(b))
			},
		}
		gets := map[string]func() ([]byte, error){
			"Get":    func() ([]byte, error) { return q.Get(bg) },
			"TryGet": func() ([]byte, error) { return q.TryGet() },
			"GetMany": func() ([]byte, error) {
				var dst [2][]byte
				_, err := q.GetMany(bg, dst[:])
				return dst[0], err
			},
			"Receive": func() ([]byte, error) {
				d, err := q.Receive(bg)
				if err != nil {
					return nil, err
				}
				return d.Value(), d.Ack()
			},
			"Receive again": func() ([]byte, error) {
				d, err := q.Receive(bg)
				if err == nil {
					err = d.Nack()
				}
				if err != nil {
					return nil, err
				}
				if n := q.Len(); n != 1 {
					return nil, fmt.Errorf("Len %d", n)
				}
				if d, err = q.Receive(bg); err == nil && d.Attempt() != 2 {
					err = fmt.Errorf("attempt %d", d.Attempt())
				}
				if err != nil {
					return nil, err
				}
				return d.Value(), d.Ack()
			},
			"Borrow": func() ([]byte, error) {
				l, err := r.Borrow(bg)
				if err != nil {
					return nil, err
				}
				defer l.Release()
				return bytes.Clone(l.Bytes()), nil
			},
		}
		seed := uint64(0)
		for pname, put := range puts {
			for gname, get := range gets {
				for _, n := range largeSizes {
					seed++
					want := noise(seed, n)
					if err := put(want); err != nil {
						t.Fatalf("%s of %d bytes: %v", pname, n, err)
					}
					if got := q.Len(); got != 1 {
						t.Fatalf("%s of %d bytes: Len %d", pname, n, got)
					}
					got, err := get()
					if err != nil || !bytes.Equal(got, want) {
						t.Fatalf("%s, %s of %d bytes: %d bytes, %v", pname, gname, n, len(got), err)
					}
					if got := q.Len(); got != 0 {
						t.Fatalf("%s of %d bytes: then Len %d", gname, n, got)
					}
				}
				wantLarge(t, r, 0)
			}
		}
		err := q.Put(bg, make([]byte, 200<<10+1))
		wantErr(t, "Put", err, ringqueue.ErrTooLarge)
	})
}

// TestLargeInOrder puts runs of records of all sizes, small ones too.
func TestLargeInOrder(t *testing.T) {
	eachMode(t, largeOptions(), func(t *testing.T, q *ringqueue.Queue[[]byte]) {
		rng := rand.New(rand.NewPCG(1, 2))
		for range 30 {
			var vs [][]byte
			for range 1 + rng.IntN(40) {
				n := rng.IntN(100)
				if rng.IntN(4) == 0 {
					n = largeSizes[rng.IntN(len(largeSizes))]
				}
				vs = append(vs, noise(rng.Uint64(), n))
			}
			done := make(chan error, 1)
			go func() {
				n, err := q.PutMany(within(30*time.Second), vs)
				if err == nil && n != len(vs) {
					err = fmt.Errorf("put %d of %d", n, len(vs))
				}
				done <- err
			}()
			var got [][]byte
			for len(got) < len(vs) {
				dst := make([][]byte, 1+rng.IntN(9))
				n, err := q.GetMany(within(30*time.Second), dst)
				wantNil(t, "GetMany", err)
				got = append(got, dst[:n]...)
			}
			wantNil(t, "PutMany", <-done)
			if !slices.EqualFunc(got, vs, bytes.Equal) {
				t.Fatal("what came out is not what was put in")
			}
		}
		wantLarge(t, q.Ring(), 0)
	})
}

type page [100 << 10]byte

// TestLargeItems has items of one size that does not fit in the ring.
func TestLargeItems(t *testing.T) {
	for _, sole := range []bool{false, true} {
		q := create[page](t, tempDir(t), &ringqueue.Options{Capacity: 4096, SingleProducer: sole, SingleConsumer: sole})
		if n := q.Ring().MaxRecord(); n != 100<<10 {
			t.Fatalf("MaxRecord %d", n)
		}
		vs := make([]page, 5)
		for i := range vs {
			copy(vs[i][:], noise(uint64(i), len(vs[i])))
		}
		n, err := q.PutMany(bg, vs)
		if n != 5 || err != nil {
			t.Fatalf("PutMany: %d, %v", n, err)
		}
		got := make([]page, 9)
		n, err = q.GetMany(bg, got[:3])
		if n != 3 || err != nil {
			t.Fatalf("GetMany: %d, %v", n, err)
		}
		n, err = q.GetMany(bg, got[3:])
		if n != 2 || err != nil || !slices.Equal(got[:5], vs) {
			t.Fatalf("GetMany: %d, %v", n, err)
		}
		wantLarge(t, q.Ring(), 0)
	}
}

// TestLargeIsNotCopied wants both sides to have the same memory, which is that of
// the block.
func TestLargeIsNotCopied(t *testing.T) {
	q := create[[]byte](t, tempDir(t), largeOptions())
	s, err := q.Ring().Reserve(bg, 100000)
	wantNil(t, "Reserve", err)
	at := &s.Bytes()[0]
	if reflect.ValueOf(at).Pointer()%64 != 0 {
		t.Errorf("a record at %p", at)
	}
	wantNil(t, "Commit", s.Commit(100000))
	l, err := q.Ring().Borrow(bg)
	wantNil(t, "Borrow", err)
	defer l.Release()
	if &l.Bytes()[0] != at {
		t.Errorf("written at %p, read at %p", at, l.Bytes())
	}
	allocs := testing.AllocsPerRun(10, func() {
		s, err := q.Ring().Reserve(bg, 100000)
		wantNil(t, "Reserve", err)
		wantNil(t, "Commit", s.Commit(100000))
		l, err := q.Ring().Borrow(bg)
		wantNil(t, "Borrow", err)
		l.Release()
	})
	if allocs > 3 {
		t.Errorf("%v allocations", allocs)
	}
}

// TestLongLeaseHoldsNobodyUp passes a hundred ringfuls by three records that are held.
func TestLongLeaseHoldsNobodyUp(t *testing.T) {
	eachMode(t, largeOptions(), func(t *testing.T, q *ringqueue.Queue[[]byte]) {
		r := q.Ring()
		want := noise(1, 70000)
		for range 3 {
			wantNil(t, "Put", q.Put(bg, want))
		}
		l, err := r.Borrow(bg)
		wantNil(t, "Borrow", err)
		d, err := q.Receive(bg)
		wantNil(t, "Receive", err)
		back, err := r.Borrow(bg)
		wantNil(t, "Borrow", err)
		for i := range 6400 {
			n := i % 60
			if i%100 == 0 {
				n = 2000
			}
			wantNil(t, "TryPut", q.TryPut(want[:n]))
			if got, err := q.TryGet(); err != nil || !bytes.Equal(got, want[:n]) {
				t.Fatalf("record %d: %d bytes, %v", i, len(got), err)
			}
			wantNil(t, "TaskDone", q.TaskDone())
		}
		wantLarge(t, r, 3)
		back.Requeue()
		if n := q.Len(); n != 1 {
			t.Fatalf("Len %d", n)
		}
		again, err := r.TryBorrow()
		wantNil(t, "TryBorrow", err)
		for _, got := range [][]byte{l.Bytes(), d.Value(), again.Bytes()} {
			if !bytes.Equal(got, want) {
				t.Fatal("a held record changed")
			}
		}
		if again.Attempt() != 2 {
			t.Errorf("attempt %d", again.Attempt())
		}
		l.Release()
		wantNil(t, "Ack", d.Ack())
		again.Release()
		wantLarge(t, r, 0)
		wantNil(t, "Join", q.Join(within(10*time.Second)))
	})
}

// TestLargeMemoryIsBounded uses the memory up: who puts waits until some is given back.
func TestLargeMemoryIsBounded(t *testing.T) {
	o := largeOptions()
	o.MaxLarge = 3 * 4 * ringqueue.ChunkSize // three of the largest
	eachMode(t, o, func(t *testing.T, q *ringqueue.Queue[[]byte]) {
		big := make([]byte, 200<<10)
		for range 3 {
			wantNil(t, "TryPut", q.TryPut(big))
		}
		wantErr(t, "TryPut", q.TryPut(big), ringqueue.ErrFull)
		wantErr(t, "Put", q.Put(within(time.Millisecond), big), ringqueue.ErrFull, context.DeadlineExceeded)
		_, err := q.Ring().TryReserve(len(big))
		wantErr(t, "TryReserve", err, ringqueue.ErrFull)
		wantNil(t, "TryPut of a small one", q.TryPut(big[:100]))
		put := make(chan error, 1)
		go func() { put <- q.Put(within(30*time.Second), big) }()
		until(t, "somebody waits", func() bool { return q.Ring().PuttersWaiting() > 0 })
		l, err := q.Ring().Borrow(bg)
		wantNil(t, "Borrow", err)
		select {
		case err := <-put:
			t.Fatalf("Put did not wait: %v", err)
		default:
		}
		l.Release()
		wantNil(t, "Put", <-put)
		for range 4 {
			_, err := q.TryGet()
			wantNil(t, "TryGet", err)
		}
		wantLarge(t, q.Ring(), 0)
	})
}

// TestLargeEnds ends large records in every other way than by taking them.
func TestLargeEnds(t *testing.T) {
	o := largeOptions()
	o.MaxAttempts = 2
	eachMode(t, o, func(t *testing.T, q *ringqueue.Queue[[]byte]) {
		r := q.Ring()
		s, err := r.Reserve(bg, 70000)
		wantNil(t, "Reserve", err)
		wantLarge(t, r, 1)
		s.Abort()
		wantLarge(t, r, 0)

		wantNil(t, "Put", q.Put(bg, make([]byte, 2000)))
		for range 2 { // the last delivery is the second
			l, err := r.TryBorrow()
			wantNil(t, "TryBorrow", err)
			l.Requeue()
		}
		if n := q.Len(); n != 0 {
			t.Fatalf("Len %d", n)
		}
		wantLarge(t, r, 0)
		wantNil(t, "Join", q.Join(bg))

		for range 2 {
			wantNil(t, "Put", q.Put(bg, make([]byte, 2000)))
		}
		l, err := r.TryBorrow()
		wantNil(t, "TryBorrow", err)
		wantErr(t, "Join", q.Join(within(time.Millisecond)), context.DeadlineExceeded)
		wantNil(t, "Shutdown", q.Shutdown(false))
		wantErr(t, "Put", q.Put(bg, make([]byte, 2000)), ringqueue.ErrShutdown)
		l.Requeue()
		if n := q.Len(); n != 2 {
			t.Fatalf("Len %d", n)
		}
		for range 2 {
			l, err := r.TryBorrow()
			wantNil(t, "TryBorrow", err)
			l.Release()
		}
		_, err = r.TryBorrow()
		wantErr(t, "TryBorrow", err, ringqueue.ErrShutdown)
		wantLarge(t, r, 0)
		wantNil(t, "Join", q.Join(bg))
	})
}
