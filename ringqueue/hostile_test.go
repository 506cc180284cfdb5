//go:build unix

package ringqueue_test

import (
	"context"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"github.com/shmkit/shmkit/ringqueue"
	"github.com/shmkit/shmkit/shm"
)

// TestHostileBytes writes nonsense into a queue's memory, as another process
// that may open the file can: every operation ends, with an error or without,
// and none panics or reaches outside of the ring.
func TestHostileBytes(t *testing.T) {
	rounds := 300
	if testing.Short() {
		rounds = 50
	}
	rng := rand.New(rand.NewPCG(7, 7))
	for round := range rounds {
		hostileRound(t, rng, round)
	}
}

// FuzzHostileBytes is the same with bytes and places of the fuzzer's choice.
func FuzzHostileBytes(f *testing.F) {
	f.Add(uint64(1), uint8(1))
	f.Add(uint64(2), uint8(0xff))
	f.Fuzz(func(t *testing.T, seed uint64, round uint8) {
		hostileRound(t, rand.New(rand.NewPCG(seed, 1)), int(round))
	})
}

func hostileRound(t *testing.T, rng *rand.Rand, round int) {
	t.Helper()
	dir := tempDir(t)
	o := &ringqueue.Options{Dir: dir, Capacity: 4096, SingleProducer: round%2 == 0, SingleConsumer: round%3 == 0, MaxItems: round % 5 * 10}
	q, err := ringqueue.Create[[]byte]("q", o)
	wantNil(t, "Create", err)
	defer q.Close()
	for range rng.IntN(20) {
		q.TryPut(make([]byte, rng.IntN(300)))
		if rng.IntN(2) == 0 {
			q.TryGet()
		}
	}
	// What a process has in its own memory is out of reach; the first line of
	// the body, which only creation writes, is spared every other round.
	body := q.Ring().Segment().Body()[:4096+64*8]
	from := round % 2 * 128
	for range 1 + rng.IntN(20) {
		at := from + rng.IntN(len(body)-from)
		switch rng.IntN(3) {
		case 0:
			body[at] ^= 1 << rng.IntN(8)
		case 1:
			body[at] = byte(rng.Uint32())
		default:
			for i := at &^ 7; i < at&^7+8; i++ {
				body[i] = byte(rng.Uint32())
			}
		}
	}
	start := time.Now()
	ctx, cancel := context.WithTimeout(bg, 5*time.Millisecond)
	defer cancel()
	var open []ringqueue.Lease
	for range 40 {
		switch rng.IntN(12) {
		case 0:
			q.TryPut(make([]byte, rng.IntN(1100)))
		case 1:
			q.TryGet()
		case 2:
			q.PutMany(ctx, [][]byte{make([]byte, rng.IntN(200)), {1}, {}})
		case 3:
			q.TryGetMany(make([][]byte, 1+rng.IntN(9)))
		case 4:
			q.Len()
		case 5:
			q.Full()
		case 6:
			if l, err := q.Ring().TryBorrow(); err == nil {
				open = append(open, l)
			}
		case 7:
			if len(open) > 0 {
				if rng.IntN(2) == 0 {
					open[0].Release()
				} else {
					open[0].Requeue()
				}
				open = open[1:]
			}
		case 8:
			if s, err := q.Ring().TryReserve(rng.IntN(900)); err == nil {
				if rng.IntN(2) == 0 {
					s.Commit(rng.IntN(len(s.Bytes()) + 1))
				} else {
					s.Abort()
				}
			}
		case 9:
			q.Join(ctx)
		case 10:
			if i, err := shm.Inspect(filepath.Join(dir, "q")); err == nil {
				ringqueue.Inspect(i)
				i.Close()
			}
		case 11:
			if again, err := ringqueue.Open[[]byte]("q", o); err == nil {
				again.TryPut([]byte{1})
				again.TryGet()
				again.Close()
			}
		}
	}
	for i := range open {
		open[i].Release()
	}
	if d := time.Since(start); d > 20*time.Second {
		t.Fatalf("round %d: 40 operations took %v", round, d)
	}
}
