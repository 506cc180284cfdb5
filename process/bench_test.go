//go:build unix

package process_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/shmkit/shmkit/process"
)

// BenchmarkStartWait compares starting and waiting with its limit, an empty Go
// program under exec.Command ("empty"). The others are this program, which is
// large for its tests ("large"), and the smallest that can start processes
// ("small"): as a process ("process"), as one whose standard error passes
// through its parent ("tail"), and under exec.Command, ending where others call
// Main ("same"): what there is between "same" and "empty" is the size of the
// program. All are run in turns, so that a busy machine is busy for all, and the
// medians are compared.
func BenchmarkStartWait(b *testing.B) {
	dir := b.TempDir()
	empty := buildProgram(b, dir, "empty", "package main\n\nfunc main() {}\n")
	b.Run("small", func(b *testing.B) {
		small := filepath.Join(dir, "startwait")
		if out, err := exec.Command("go", "build", "-o", small, "./testdata/startwait").CombinedOutput(); err != nil {
			b.Fatalf("%v\n%s", err, out)
		}
		out, err := exec.Command(small, empty, strconv.Itoa(b.N)).CombinedOutput()
		if err != nil {
			b.Fatalf("%v\n%s", err, out)
		}
		for line := range strings.Lines(string(out)) {
			var name string
			var median float64
			if _, err := fmt.Sscan(line, &name, &median); err != nil {
				b.Fatalf("%q: %v", line, err)
			}
			reportMedian(b, name, median)
		}
	})
	b.Run("large", func(b *testing.B) {
		exits := withEnv(modeEnv + "=exit")
		ways := []struct {
			name string
			once func() error
			took []time.Duration
		}{
			{name: "empty", once: func() error { return exec.Command(empty).Run() }},
			{name: "same", once: func() error {
				cmd := exec.Command(os.Args[0])
				cmd.Env = exits
				return cmd.Run()
			}},
			{name: "process", once: func() error { return startWait(nil) }},
			{name: "tail", once: func() error { return startWait(&process.Options{Stderr: io.Discard, OwnGroup: true}) }},
		}
		for range b.N {
			for i := range ways {
				begin := time.Now()
				if err := ways[i].once(); err != nil {
					b.Fatal(err)
				}
				ways[i].took = append(ways[i].took, time.Since(begin))
			}
		}
		for _, w := range ways {
			slices.Sort(w.took)
			reportMedian(b, w.name, float64(w.took[len(w.took)/2]))
		}
	})
}

// emptyMedian is that of the empty program, which is the first of each run.
var emptyMedian float64

func reportMedian(b *testing.B, name string, ns float64) {
	if name == "empty" {
		emptyMedian = ns
	}
	b.ReportMetric(ns/1e3, name+"-µs")
	b.ReportMetric(ns/emptyMedian, name+"/empty")
	b.ReportMetric(0, "ns/op") // of all together: says nothing
}

func startWait(o *process.Options) error {
	ctx := context.Background()
	p, err := idle.Start(ctx, struct{}{}, o)
	if err != nil {
		return err
	}
	return p.Wait(ctx)
}

func buildProgram(b *testing.B, dir, name, source string) (path string) {
	b.Helper()
	src, path := filepath.Join(dir, name+".go"), filepath.Join(dir, name)
	if err := os.WriteFile(src, []byte(source), 0o600); err != nil {
		b.Fatal(err)
	}
	if out, err := exec.Command("go", "build", "-o", path, src).CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	return path
}
