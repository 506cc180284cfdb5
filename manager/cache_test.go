package manager_test

import (
	"container/list"
	"math/rand/v2"
	"sort"
	"testing"

	"github.com/shmkit/shmkit/manager"
)

// lru is an exact one: what the cache is measured against.
type lru struct {
	room  int
	order *list.List
	at    map[int]*list.Element
}

func (l *lru) use(k int) (hit bool) {
	if e, ok := l.at[k]; ok {
		l.order.MoveToFront(e)
		return true
	}
	if l.order.Len() == l.room {
		oldest := l.order.Back()
		delete(l.at, oldest.Value.(int))
		l.order.Remove(oldest)
	}
	l.at[k] = l.order.PushFront(k)
	return false
}

// zipf draws from n keys with probabilities in proportion to 1/rank.
func zipf(rng *rand.Rand, n int) func() int {
	sums := make([]float64, n)
	sum := 0.0
	for i := range sums {
		sum += 1 / float64(i+1)
		sums[i] = sum
	}
	name := rng.Perm(n) // ranks must not be neighbours in anything
	return func() int { return name[min(n-1, sort.SearchFloat64s(sums, rng.Float64()*sum))] }
}

// TestHitRatio compares a cache that has room for a tenth of the keys with an exact
// LRU of as many entries, on a Zipf(1.0) trace.
func TestHitRatio(t *testing.T) {
	m := open(t, &manager.Options{MaxBytes: 4 << 20, Evict: true})
	d := newDict[int, [100]byte](t, m, "d")
	var v [100]byte
	for i := range 60000 {
		must(t, d.Set(-1-i, v))
	}
	room := d.Len()
	rng := rand.New(rand.NewPCG(1, 1))
	draw := zipf(rng, 10*room)
	l := &lru{room: room, order: list.New(), at: make(map[int]*list.Element)}
	uses, hits, exact, entries := 0, 0, 0, 0
	for i := range 40 * room {
		k := draw()
		inLRU := l.use(k)
		hit, err := d.GetInto(k, &v)
		must(t, err)
		if !hit {
			must(t, d.Set(k, v))
		}
		if i < 20*room {
			continue // until both are warm
		}
		uses++
		entries += d.Len()
		if hit {
			hits++
		}
		if inLRU {
			exact++
		}
	}
	ours, theirs := float64(hits)/float64(uses), float64(exact)/float64(uses)
	t.Logf("hit ratio %.4f with %d entries on average, exact LRU %.4f with %d", ours, entries/uses, theirs, room)
	if ours < theirs {
		t.Error("worse than an exact LRU")
	}
}
