package manager_test

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/puzpuzpuz/xsync/v4"

	"github.com/shmkit/shmkit/manager"
)

// The benchmarks compare a dict with the maps of one process, in one run: what is timed
// alternates between them in rounds of some milliseconds, and the medians are set
// against each other. Keys have 16 bytes, values 64. Run them with
//
//	go test -run '^$' -bench Dict ./manager

type benchValue [64]byte

// A benchMap is what is compared.
type benchMap struct {
	name string
	get  func(k string, v *benchValue) bool
	set  func(k string, v *benchValue)
}

func benchMaps(b *testing.B) []benchMap {
	m := open(b, &manager.Options{MaxBytes: 4 << 30})
	d := newDict[string, benchValue](b, m, "d")
	x := xsync.NewMap[string, benchValue]()
	var s sync.Map
	var mu sync.RWMutex
	plain := make(map[string]benchValue)
	return []benchMap{
		{"dict", func(k string, v *benchValue) bool {
			ok, err := d.GetInto(k, v)
			return ok && err == nil
		}, func(k string, v *benchValue) {
			if err := d.Set(k, *v); err != nil {
				b.Fatal(err)
			}
		}},
		{"xsync", func(k string, v *benchValue) (ok bool) {
			*v, ok = x.Load(k)
			return ok
		}, func(k string, v *benchValue) { x.Store(k, *v) }},
		{"sync.Map", func(k string, v *benchValue) bool {
			got, ok := s.Load(k)
			if ok {
				*v = got.(benchValue)
			}
			return ok
		}, func(k string, v *benchValue) { s.Store(k, *v) }},
		{"map+RWMutex", func(k string, v *benchValue) (ok bool) {
			mu.RLock()
			*v, ok = plain[k]
			mu.RUnlock()
			return ok
		}, func(k string, v *benchValue) {
			mu.Lock()
			plain[k] = *v
			mu.Unlock()
		}},
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
	sizes := []int{100_000, 1_000_000}
	if os.Getenv("SHMKIT_BENCH") == "" {
		sizes = sizes[:1]
	}
	for _, n := range sizes {
		keys := benchKeys(n)
		maps := benchMaps(b)
		var v benchValue
		for _, m := range maps {
			for _, k := range keys {
				m.set(strings.Clone(k), &v) // who looks a key up has another string
			}
		}
		for _, dist := range []string{"uniform", "zipf"} {
			order := picks(keys, dist == "zipf", 1<<20)
			for _, op := range []string{"get", "set", "mix"} {
				b.Run(fmt.Sprintf("%s/%s/%d", op, dist, n), func(b *testing.B) { compare(b, maps, order, op) })
			}
		}
	}
}

// compare times rounds of the maps in turn.
func compare(b *testing.B, maps []benchMap, order []string, op string) {
	const round = 20000
	times := make([][]float64, len(maps))
	var v benchValue
	at := 0
	for b.Loop() {
		chunk := order[at : at+round]
		at = (at + round) % (len(order) - round)
		for i := range maps {
			m := &maps[i]
			start := time.Now()
			switch op {
			case "get":
				for _, k := range chunk {
					if !m.get(k, &v) {
						b.Fatal("a key is missing")
					}
				}
			case "set":
				for _, k := range chunk {
					m.set(k, &v)
				}
			case "mix":
				for j, k := range chunk {
					if j%20 == 0 {
						m.set(k, &v)
					} else {
						m.get(k, &v)
					}
				}
			}
			times[i] = append(times[i], float64(time.Since(start).Nanoseconds())/round)
		}
	}
	b.ReportMetric(0, "ns/op")
	base := 0.0
	for i, t := range times {
		slices.Sort(t)
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
