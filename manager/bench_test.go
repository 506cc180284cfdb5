package manager_test

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/puzpuzpuz/xsync/v4"

	"github.com/shmkit/shmkit/manager"
)

// The benchmarks compare a dict with the maps of one process, and with stores that several
// can use, in one run: what is timed alternates between them in rounds of some milliseconds, and
// the medians are set against each other. Keys have 16 bytes, values 64. Run them with
//
//	go test -run '^$' -bench . ./manager

type benchValue [64]byte

// A benchMap is what is compared.
type benchMap struct {
	name string
	slow bool // by orders of magnitude: shorter rounds will do
	get  func(k string, v *benchValue) bool
	set  func(k string, v *benchValue)
	add  func(k string)                     // to a counter; nil: it has no such operation
	fill func(keys []string, v *benchValue) // as fast as it can; nil: by set
}

// benchMaps returns all, the dict first.
func benchMaps(b *testing.B) []benchMap {
	maps := []benchMap{dictMap(b), xsyncMap(), syncMap(), lockedMap(), bboltMap(b)}
	if r, ok := redisMap(b); ok {
		maps = append(maps, r)
	}
	return maps
}

func dictMap(b *testing.B) benchMap {
	m := open(b, &manager.Options{MaxBytes: 4 << 30})
	d := newDict[string, benchValue](b, m, "d")
	counters := newDict[string, int64](b, m, "counters")
	return benchMap{
		name: "dict",
		get: func(k string, v *benchValue) bool {
			ok, err := d.GetInto(k, v)
			return ok && err == nil
		},
		set: func(k string, v *benchValue) {
			if err := d.Set(k, *v); err != nil {
				b.Fatal(err) // must would be a tenth of the time
			}
		},
		add: func(k string) {
			if _, err := manager.Add(counters, k, 1); err != nil {
				b.Fatal(err)
			}
		},
	}
}

func xsyncMap() benchMap {
	x, counters := xsync.NewMap[string, benchValue](), xsync.NewMap[string, int64]()
	return benchMap{
		name: "xsync",
		get: func(k string, v *benchValue) (ok bool) {
			*v, ok = x.Load(k)
			return ok
		},
		set: func(k string, v *benchValue) { x.Store(k, *v) },
		add: func(k string) {
			counters.Compute(k, func(n int64, _ bool) (int64, xsync.ComputeOp) { return n + 1, xsync.UpdateOp })
		},
	}
}

func syncMap() benchMap {
	var s sync.Map
	return benchMap{
		name: "sync.Map",
		get: func(k string, v *benchValue) bool {
			got, ok := s.Load(k)
			if ok {
				*v = got.(benchValue)
			}
			return ok
		},
		set: func(k string, v *benchValue) { s.Store(k, *v) },
	}
}

func lockedMap() benchMap {
	var mu sync.RWMutex
	plain, counters := make(map[string]benchValue), make(map[string]int64)
	return benchMap{
		name: "map+RWMutex",
		get: func(k string, v *benchValue) (ok bool) {
			mu.RLock()
			*v, ok = plain[k]
			mu.RUnlock()
			return ok
		},
		set: func(k string, v *benchValue) {
			mu.Lock()
			plain[k] = *v
			mu.Unlock()
		},
		add: func(k string) {
			mu.Lock()
			counters[k]++
			mu.Unlock()
		},
	}
}

// benchKeys returns n keys of 16 bytes.
func benchKeys(n int) []string {
	keys := make([]string, n)
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range keys {
		var b [16]byte
		binary.LittleEndian.PutUint64(b[:], rng.Uint64())
		binary.LittleEndian.PutUint64(b[8:], rng.Uint64())
		keys[i] = string(b[:])
	}
	return keys
}

// picks returns the order in which keys are used.
func picks(keys []string, zipf bool, n int) []string {
	rng := rand.New(rand.NewPCG(3, 4))
	z := rand.NewZipf(rng, 1.01, 1, uint64(len(keys)-1))
	order := make([]string, n)
	for i := range order {
		j := rng.IntN(len(keys))
		if zipf {
			j = int(z.Uint64())
		}
		order[i] = keys[j]
	}
	return order
}

func BenchmarkDict(b *testing.B) {
	for _, n := range []int{100_000, 1_000_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			keys := benchKeys(n)
			maps := benchMaps(b)
			inserted := make([][]float64, len(maps))
			for i := range maps {
				inserted[i] = maps[i].insert(keys)
			}
			b.Run("insert", func(b *testing.B) { // was done once, whatever b.N
				for b.Loop() {
				}
				report(b, maps, inserted)
			})
			for _, dist := range []string{"uniform", "zipf"} {
				order := picks(keys, dist == "zipf", 1<<20)
				for _, op := range []string{"get", "set", "mix", "add"} {
					b.Run(op+"/"+dist, func(b *testing.B) { compare(b, maps, order, op) })
				}
			}
		})
	}
}

// insert inserts the keys, and returns how many nanoseconds each took, in rounds. Of what
// is slow only the first ones are timed.
func (m *benchMap) insert(keys []string) (times []float64) {
	var v benchValue
	round := m.round()
	for n := 0; len(keys) >= round && (!m.slow || n < 10); n++ {
		own := make([]string, round) // who looks a key up has another string
		for i, k := range keys[:round] {
			own[i] = strings.Clone(k)
		}
		start := time.Now()
		for _, k := range own {
			m.set(k, &v)
		}
		times = append(times, float64(time.Since(start).Nanoseconds())/float64(round))
		keys = keys[round:]
	}
	if m.fill != nil {
		m.fill(keys, &v)
		return times
	}
	for _, k := range keys {
		m.set(strings.Clone(k), &v)
	}
	return times
}

// round is how many operations are timed together.
func (m *benchMap) round() int {
	if m.slow {
		return 200
	}
	return 20000
}

// compare times rounds of the maps in turn.
func compare(b *testing.B, maps []benchMap, order []string, op string) {
	if op == "add" {
		maps = slices.DeleteFunc(slices.Clone(maps), func(m benchMap) bool { return m.add == nil })
		order = slices.Clone(order[:1<<16]) // so many counters at most
	}
	times := make([][]float64, len(maps))
	at := 0
	for turn := 0; b.Loop(); turn++ {
		for j := range maps {
			i := (turn + j) % len(maps) // none always comes after the same other one
			m := &maps[i]
			chunk := order[at : at+m.round()]
			start := time.Now()
			m.do(b, op, chunk)
			times[i] = append(times[i], float64(time.Since(start).Nanoseconds())/float64(len(chunk)))
		}
		at = (at + 20000) % (len(order) - 20000)
	}
	report(b, maps, times)
}

// do does an operation with each of the keys.
func (m *benchMap) do(b *testing.B, op string, keys []string) {
	var v benchValue
	switch op {
	case "get":
		for _, k := range keys {
			if !m.get(k, &v) {
				b.Fatal("a key is missing")
			}
		}
	case "set":
		for _, k := range keys {
			m.set(k, &v)
		}
	case "mix":
		for j, k := range keys {
			if j%20 == 0 {
				m.set(k, &v)
			} else {
				m.get(k, &v)
			}
		}
	case "add":
		for _, k := range keys {
			m.add(k)
		}
	}
}

// report reports the medians, and how the first map's compares with each.
func report(b *testing.B, maps []benchMap, times [][]float64) {
	b.ReportMetric(0, "ns/op")
	base := 0.0
	for i, t := range times {
		t = slices.Sorted(slices.Values(t))
		median := t[len(t)/2]
		if i == 0 {
			base = median
		}
		b.ReportMetric(median, maps[i].name+"-ns")
		if i > 0 {
			b.ReportMetric(base/median, "x-"+maps[i].name)
		}
	}
}

// BenchmarkGrow inserts entries into an empty dict, and reports the worst single Set,
// and what the file takes for a byte of keys and values.
func BenchmarkGrow(b *testing.B) {
	for _, n := range []int{100_000, 1_000_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			keys := benchKeys(n)
			for b.Loop() {
				b.StopTimer()
				m := open(b, nil)
				d := newDict[string, benchValue](b, m, "d")
				empty := spaceOf(b, m)
				times := make([]time.Duration, n)
				b.StartTimer()
				var v benchValue
				for i, k := range keys {
					start := time.Now()
					if err := d.Set(k, v); err != nil {
						b.Fatal(err)
					}
					times[i] = time.Since(start)
				}
				b.StopTimer()
				slices.Sort(times)
				b.ReportMetric(float64(times[n-1].Microseconds()), "worst-µs")
				b.ReportMetric(float64(times[n-n/10000].Microseconds()), "p99.99-µs")
				b.ReportMetric(float64(times[n/2].Nanoseconds()), "median-ns")
				if space := spaceOf(b, m) - empty; space > 0 {
					b.ReportMetric(float64(space)/float64(n*80), "bytes/byte")
				}
				m.Close()
				b.StartTimer()
			}
			b.ReportMetric(0, "ns/op")
		})
	}
}
