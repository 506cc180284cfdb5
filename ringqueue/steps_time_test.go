//go:build unix

package ringqueue_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/shmkit/shmkit/internal/mem"
	"github.com/shmkit/shmkit/ringqueue"
	"github.com/shmkit/shmkit/shm"
)

// addChild adds to the table of what a re-executed test binary can do.
func addChild(name string, f func(args []string)) bool {
	children[name] = f
	return true
}

var _ = addChild("holdMany", childHoldMany)

// childHoldMany takes as many slots as there are left, and stands still.
func childHoldMany(args []string) {
	n := 0
	for {
		_, err := ringqueue.Attach[int](args[0], nil)
		if err != nil {
			break
		}
		n++
	}
	fmt.Println(n)
	fmt.Scanln() // until killed
}

// killsPerCase is how many processes TestRecoveryTime kills for each figure.
func killsPerCase(t *testing.T) int {
	t.Helper()
	text := os.Getenv("SHMKIT_KILLS")
	if text == "" {
		return 20
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("SHMKIT_KILLS=%q: not a number of processes", text)
	}
	return n
}

// TestRecoveryTime kills processes that hold something, and prints how long it
// takes until somebody who waits for it, in another process, goes on: from the
// call of kill(2) on. The moment of the kill is at random within the slices of
// the one who waits.
func TestRecoveryTime(t *testing.T) {
	for _, c := range []struct {
		name    string
		options ringqueue.Options
		once    func(k *killing)
	}{
		{"producer in mid-record, Get behind it", ringqueue.Options{}, func(k *killing) {
			c := startHold(k.t, "reserve", k.q)
			wantNil(k.t, "Put", k.q.Put(bg, 1))
			k.measure(c, k.armed(notEmptyWord), func(ctx context.Context) error {
				_, err := k.q.Get(ctx)
				return err
			})
		}},
		{"consumer in mid-borrow, Receive again", ringqueue.Options{}, func(k *killing) {
			wantNil(k.t, "Put", k.q.Put(bg, 1))
			c := startHold(k.t, "borrow", k.q)
			k.measure(c, k.armed(notEmptyWord), func(ctx context.Context) error {
				d, err := k.q.Receive(ctx)
				if err != nil {
					return err
				}
				return d.Ack()
			})
		}},
		{"consumer in mid-borrow, Put on a full ring", ringqueue.Options{MaxItems: 0, Capacity: 4096}, func(k *killing) {
			for !k.q.Full() {
				wantNil(k.t, "TryPut", k.q.TryPut(1))
			}
			c := startHold(k.t, "borrow", k.q)
			// The others are taken, but the room ends at the one that is held.
			for n := k.q.Len(); n > 0; n-- {
				_, err := k.q.Get(bg)
				wantNil(k.t, "Get", err)
			}
			again := make(chan error)
			k.measure(c, k.armed(notFullWord), func(ctx context.Context) error {
				go func() { _, err := k.q.Get(ctx); again <- err }()
				return k.q.Put(ctx, 2)
			})
			wantNil(k.t, "Get", <-again)
			_, err := k.q.Get(bg)
			wantNil(k.t, "Get", err)
		}},
		{"producer in mid-record on a full ring, Put", ringqueue.Options{Capacity: 4096}, func(k *killing) {
			c := startHold(k.t, "reserve", k.q)
			for !k.q.Full() {
				wantNil(k.t, "TryPut", k.q.TryPut(1))
			}
			k.measure(c, k.armed(notFullWord), func(ctx context.Context) error { return k.q.Put(ctx, 2) })
			for n := k.q.Len(); n > 0; n-- {
				_, err := k.q.Get(bg)
				wantNil(k.t, "Get", err)
			}
		}},
		{"holder of the producer's role, Put", ringqueue.Options{SingleProducer: true}, func(k *killing) {
			c := startHold(k.t, "reserve", k.q)
			k.measure(c, nil, func(ctx context.Context) error {
				err := k.q.Put(ctx, 1)
				for ; err != nil && ctx.Err() == nil; err = k.q.Put(ctx, 1) { // until the role is free
				}
				return err
			})
			_, err := k.q.Get(bg)
			wantNil(k.t, "Get", err)
			k.reopen()
		}},
		{"worker with an item that is not done, Join", ringqueue.Options{}, func(k *killing) {
			wantNil(k.t, "Put", k.q.Put(bg, 1))
			c := startHold(k.t, "get", k.q)
			k.measure(c, k.armed(idleWord), k.q.Join)
		}},
		{"255 of 256 slots, Attach", ringqueue.Options{}, func(k *killing) {
			c := startChild(k.t, "holdMany", k.q.Handle())
			if n := c.hear(); n != "255" {
				k.t.Fatalf("%s handles", n)
			}
			k.measure(c, nil, func(ctx context.Context) error {
				for {
					q, err := ringqueue.Attach[int](k.q.Handle(), nil)
					if err == nil {
						return q.Close()
					}
					if ctx.Err() != nil {
						return err
					}
				}
			})
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel() // mostly they sleep
			k := &killing{t: t, q: create[int](t, tempDir(t), &c.options)}
			for range killsPerCase(t) {
				c.once(k)
			}
			slices.Sort(k.took)
			median, worst := k.took[len(k.took)/2], k.took[len(k.took)-1]
			t.Logf("%d kills: median %.1f ms, worst %.1f ms", len(k.took), ms(median), ms(worst))
			if median > time.Second {
				t.Errorf("the median is %v", median)
			}
		})
	}
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// killing is one case of TestRecoveryTime.
type killing struct {
	t    *testing.T
	q    *ringqueue.Queue[int]
	took []time.Duration
}

// reopen gives the tester's roles up.
func (k *killing) reopen() {
	k.t.Helper()
	q, err := ringqueue.Attach[int](k.q.Handle(), nil)
	wantNil(k.t, "Attach", err)
	wantNil(k.t, "Close", k.q.Close())
	k.q = q
	k.t.Cleanup(func() { q.Close() })
}

// armed returns a condition: somebody sleeps on the word, who came after now.
func (k *killing) armed(word int) func() bool {
	w := sharedWord[atomic.Uint32](k.t, k.q.Ring(), word)
	w.And(^uint32(1))
	return func() bool { return w.Load()&1 != 0 }
}

// measure starts wait, kills the process when the one who waits sleeps, or at
// once, and notes the time until wait returns.
func (k *killing) measure(c *child, asleep func() bool, wait func(ctx context.Context) error) {
	k.t.Helper()
	ended := make(chan error, 1)
	var end time.Time
	start := func() {
		go func() {
			err := wait(within(30 * time.Second))
			end = time.Now()
			ended <- err
		}()
	}
	if asleep != nil {
		start()
		until(k.t, "the other one sleeps", asleep)
		<-time.After(rand.N(50 * time.Millisecond)) // any moment of its slice
	}
	killed := time.Now()
	c.signal(syscall.SIGKILL)
	if asleep == nil {
		start()
	}
	wantNil(k.t, "what waits", <-ended)
	k.took = append(k.took, end.Sub(killed))
	c.kill() // reap it
	k.q.Ring().Segment().RecoverDead()
	if n := k.q.Ring().Segment().Total(shm.Recoveries); n == 0 {
		k.t.Fatal("nobody was recovered")
	}
}

// Offsets of words in a queue's body: see FORMAT.md.
const (
	lapBitsWord  = 40
	notEmptyWord = 640
	notFullWord  = 768
	idleWord     = 896
)

// sharedWord returns a word of a queue's body.
func sharedWord[T any](t testing.TB, r *ringqueue.Ring, off int) *T {
	t.Helper()
	w, err := mem.At[T](r.Segment().Body(), off)
	if err != nil {
		t.Fatal(err)
	}
	return w
}
