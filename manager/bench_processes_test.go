package manager_test

import (
	"bufio"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/shmkit/shmkit/manager"
)

var _ = addChild("bench", childBench)

// stints are what one or two processes do to a dict for a while.
var stints = []struct {
	name string
	do   func(d *manager.Dict[string, benchValue], n *manager.Dict[string, int64], i int, k string, v *benchValue)
}{
	{"get", func(d *manager.Dict[string, benchValue], _ *manager.Dict[string, int64], _ int, k string, v *benchValue) {
		d.GetInto(k, v)
	}},
	{"set", func(d *manager.Dict[string, benchValue], _ *manager.Dict[string, int64], _ int, k string, v *benchValue) {
		d.Set(k, *v)
	}},
	{"mix", func(d *manager.Dict[string, benchValue], _ *manager.Dict[string, int64], i int, k string, v *benchValue) {
		if i%20 == 0 {
			d.Set(k, *v)
		} else {
			d.GetInto(k, v)
		}
	}},
	{"add", func(_ *manager.Dict[string, benchValue], n *manager.Dict[string, int64], _ int, k string, _ *benchValue) {
		manager.Add(n, k, 1)
	}},
}

// stint does something for a while, and returns how often it did it.
func stint(what int, order []string, from int, d *manager.Dict[string, benchValue], n *manager.Dict[string, int64]) int {
	const time100ms = 100 * time.Millisecond
	var v benchValue
	done := 0
	for start := time.Now(); time.Since(start) < time100ms; {
		for range 1000 {
			stints[what].do(d, n, done, order[(from+done)%len(order)], &v)
			done++
		}
	}
	return done
}

// childBench is the second process: "DIR KEYS", then what to do, line by line.
func childBench(args []string) {
	m, err := manager.OpenExisting("m", &manager.Options{Dir: args[0]})
	check(err)
	d, err := manager.NewDict[string, benchValue](m, "d")
	check(err)
	n, err := manager.NewDict[string, int64](m, "n")
	check(err)
	keys, err := strconv.Atoi(args[1])
	check(err)
	order := picks(benchKeys(keys), false, 1<<20)
	fmt.Println("ready")
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		what, err := strconv.Atoi(in.Text())
		check(err)
		fmt.Println("done", stint(what, order, len(order)/2, d, n))
	}
}

// BenchmarkProcesses lets one process work on a dict, and two, in turns, for 100 ms
// each: x-one is how much two do in comparison.
func BenchmarkProcesses(b *testing.B) {
	const entries = 100_000
	dir := tempDir(b)
	m := open(b, &manager.Options{Dir: dir})
	d := newDict[string, benchValue](b, m, "d")
	n := newDict[string, int64](b, m, "n")
	keys := benchKeys(entries)
	for _, k := range keys {
		must(b, d.Set(k, benchValue{}))
		must(b, n.Set(k, 0))
	}
	order := picks(keys, false, 1<<20)
	c := startChild(b, "bench", dir, strconv.Itoa(entries))
	c.hear("ready")
	for what := range stints {
		b.Run(stints[what].name, func(b *testing.B) {
			var one, two []float64
			for b.Loop() {
				one = append(one, float64(stint(what, order, 0, d, n)))
				c.say(strconv.Itoa(what))
				own := stint(what, order, 0, d, n)
				other, err := strconv.Atoi(strings.TrimPrefix(c.hear("done "), "done "))
				must(b, err)
				two = append(two, float64(own+other))
			}
			slices.Sort(one)
			slices.Sort(two)
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(one[len(one)/2]/100_000, "one-M/s")
			b.ReportMetric(two[len(two)/2]/100_000, "two-M/s")
			b.ReportMetric(two[len(two)/2]/one[len(one)/2], "x-one")
		})
	}
}
