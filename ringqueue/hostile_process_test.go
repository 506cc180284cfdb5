//go:build unix

package ringqueue_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/shmkit/shmkit/ringqueue"
)

// childScribble writes nonsense into the queue's file at args[0] until its input
// ends: with args[1] "calm" now and then, else as fast as it can.
func childScribble(args []string) {
	f, err := os.OpenFile(args[0], os.O_RDWR, 0)
	must(err)
	v := &vandal{t: scribbler{}, file: f}
	v.body = int64(v.get(offBody))
	seed, err := strconv.ParseUint(args[2], 10, 64)
	must(err)
	ended := make(chan struct{})
	go func() {
		fmt.Scanln()
		close(ended)
	}()
	fmt.Println("scribbling")
	rng := rand.New(rand.NewPCG(seed, 23))
	calm := time.NewTicker(20 * time.Microsecond)
	defer calm.Stop()
	for {
		select {
		case <-ended:
			return
		default:
		}
		if args[1] == "calm" {
			<-calm.C
		}
		s := script(fmt.Appendf(nil, "%016x", rng.Uint64()))
		for i := range s {
			s[i] = byte(rng.Uint32())
		}
		v.damage(&s, rng.IntN(256))
	}
}

// A scribbler is the testing.TB of a vandal in a child.
type scribbler struct{ testing.TB }

func (scribbler) Helper() {}

func (scribbler) Fatal(args ...any) { must(fmt.Errorf("%v", args)) }

// TestHostileProcess has another process scribble into a queue while goroutines
// use it in every way. Whatever they get, none of them panics, faults, or is
// held up for longer than it asked for.
func TestHostileProcess(t *testing.T) {
	const each = 400 * time.Millisecond
	for i, pace := range []string{"calm", "wild"} {
		for modes := range 4 {
			o := *hostileOptions(tempDir(t))
			o.SingleProducer, o.SingleConsumer = modes&1 != 0, modes&2 != 0
			name := fmt.Sprintf("%s, single producer %v, single consumer %v", pace, o.SingleProducer, o.SingleConsumer)
			seed := uint64(4*i + modes)
			t.Run(name, func(t *testing.T) {
				if modes%2 == 0 {
					sufferVandal(t, &o, pace, seed, each, bytesValue)
				} else {
					sufferVandal(t, &o, pace, seed, each, plainValue)
				}
			})
		}
	}
}

func sufferVandal[T any](t *testing.T, o *ringqueue.Options, pace string, seed uint64, d time.Duration, value func(int) T) {
	q, err := ringqueue.Create[T]("q", o)
	wantNil(t, "Create", err)
	c := startChild(t, "scribble", q.Ring().Segment().Path(), pace, strconv.FormatUint(seed, 10))
	if got := c.hear(); got != "scribbling" {
		t.Fatalf("child: %s", got)
	}
	end := time.Now().Add(d)
	var wg sync.WaitGroup
	var done [3]int
	ops := hostileOps[T]()
	for i := range done {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(seed, uint64(i)))
			g := newTarget(t, q, o, value)
			for time.Now().Before(end) && !t.Failed() {
				ctx, cancel := context.WithTimeout(bg, time.Duration(rng.IntN(3))*time.Millisecond)
				g.do(ctx, ops[rng.IntN(len(ops))], rng.IntN(200)) // no Shutdown
				cancel()
				done[i]++
			}
			g.endOpen()
		})
	}
	wg.Wait()
	wantNil(t, "Close", q.Close())
	c.wait()
	t.Logf("operations: %v", done)
}
