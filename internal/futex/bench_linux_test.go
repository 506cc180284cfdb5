package futex_test

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/shmkit/shmkit/internal/futex"
	"github.com/shmkit/shmkit/internal/mem"
)

// BenchmarkRoundTrip plays ping-pong between two processes: through gates, and
// beside that the limit, in turn with it in the same run: a raw futex, and two
// words that both sides spin on. It prints the medians of the rounds and their
// ratio; ns/op is the whole measurement's and means nothing.
func BenchmarkRoundTrip(b *testing.B) {
	const rounds = 41 // many: where the scheduler puts the two makes a factor of three
	for _, c := range []struct {
		name, ours, raw string
		n               int
	}{
		{"block", "block", "futex", 2_000},
		{"block, cancellable", "cancellable", "futex", 2_000},
		{"spin", "spin", "spinning", 20_000},
		{"adaptive", "adaptive", "spinning", 20_000},
	} {
		b.Run(c.name, func(b *testing.B) {
			t, path := newShared[table](b)
			peer := startChild(b, "echo", path)
			play := func(game string) float64 {
				peer.say(fmt.Sprintf("%s %d", game, c.n))
				if got := peer.hear(); got != "ready" {
					b.Fatalf("child: %s", got)
				}
				start := time.Now()
				games[game](t, true, c.n)
				d := time.Since(start)
				if got := peer.hear(); got != "done" {
					b.Fatalf("child: %s", got)
				}
				return float64(d) / float64(c.n)
			}
			var ours, raws []float64
			for b.Loop() {
				for range rounds {
					raw, our := play(c.raw), play(c.ours)
					raws, ours = append(raws, raw), append(ours, our)
				}
			}
			b.ReportMetric(median(ours), "ns/trip")
			b.ReportMetric(median(raws), "ns/raw-trip")
			b.ReportMetric(median(ours)/median(raws), "ratio")
		})
	}
}

func median(v []float64) float64 {
	slices.Sort(v)
	return v[len(v)/2]
}

// A table has a side for each player. The values are equal before each trip.
type table struct {
	ping, pong struct {
		value atomic.Uint32
		_     [124]byte
		word  atomic.Uint32
		_     [124]byte
	}
}

// games are ways to play n round trips, as the first player or the second.
var games = map[string]func(t *table, first bool, n int){
	"block":    func(t *table, first bool, n int) { playGates(bg, t, first, n, futex.Block) },
	"spin":     func(t *table, first bool, n int) { playGates(bg, t, first, n, futex.Spin) },
	"adaptive": func(t *table, first bool, n int) { playGates(bg, t, first, n, futex.Adaptive) },
	"cancellable": func(t *table, first bool, n int) {
		ctx, cancel := context.WithCancel(bg)
		defer cancel()
		playGates(ctx, t, first, n, futex.Block)
	},
	"spinning": func(t *table, first bool, n int) {
		playRaw(t, first, n, func(*atomic.Uint32, uint32) { mem.Pause() }, func(*atomic.Uint32) {})
	},
	"futex": func(t *table, first bool, n int) {
		playRaw(t, first, n,
			func(w *atomic.Uint32, old uint32) { futex.Wait(w, old, time.Second) },
			func(w *atomic.Uint32) { futex.Wake(w, math.MaxInt32) })
	},
}

// playRaw plays with the two values alone.
func playRaw(t *table, first bool, n int, wait func(w *atomic.Uint32, old uint32), wake func(*atomic.Uint32)) {
	mine, theirs := &t.pong.value, &t.ping.value
	if first {
		mine, theirs = theirs, mine
	}
	v := mine.Load()
	for range n {
		if first {
			mine.Store(v + 1)
			wake(mine)
		}
		for theirs.Load() == v {
			wait(theirs, v)
		}
		if v++; !first {
			mine.Store(v)
			wake(mine)
		}
	}
}

// change is a wait for a value.
type change struct {
	value *atomic.Uint32
	want  uint32
}

func (c *change) Try() (bool, error) { return c.value.Load() == c.want, nil }
func (c *change) Slice()             {}

// playGates plays with a gate on each side, and no look at all before Wait.
func playGates(ctx context.Context, t *table, first bool, n int, p futex.Policy) {
	mine, theirs := &t.pong, &t.ping
	if first {
		mine, theirs = theirs, mine
	}
	g := futex.NewGate(&theirs.word, p)
	c := &change{value: &theirs.value, want: mine.value.Load()}
	for range n {
		c.want++
		if first {
			mine.value.Store(c.want)
			futex.Notify(&mine.word)
		}
		must(g.Wait(ctx, c))
		if !first {
			mine.value.Store(c.want)
			futex.Notify(&mine.word)
		}
	}
}

// childEcho is the second player.
func childEcho(args []string) {
	t := attach[table](args[0])
	for {
		var game, n string
		if _, err := fmt.Scanln(&game, &n); err != nil {
			return
		}
		trips, err := strconv.Atoi(strings.TrimSpace(n))
		must(err)
		fmt.Println("ready")
		games[game](t, false, trips)
		fmt.Println("done")
	}
}
