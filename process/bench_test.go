//go:build unix

package process_test

import (
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/shmkit/shmkit/process"
)

// BenchmarkStartWait compares starting and waiting with its limit: an empty
// Go program under exec.Command, the smallest there is ("empty"), and this
// same executable ending at the first line of its TestMain ("same"). "tail"
// is a process whose standard error passes through its parent.
func BenchmarkStartWait(b *testing.B) {
	dir := b.TempDir()
	src, bin := filepath.Join(dir, "main.go"), filepath.Join(dir, "empty")
	if err := os.WriteFile(src, []byte("package main\n\nfunc main() {}\n"), 0o600); err != nil {
		b.Fatal(err)
	}
	if out, err := exec.Command("go", "build", "-o", bin, src).CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	run := func(b *testing.B, cmd *exec.Cmd) {
		if err := cmd.Run(); err != nil {
			b.Fatal(err)
		}
	}
	ctx := context.Background()
	start := func(o *process.Options) func(*testing.B) {
		return func(b *testing.B) {
			p, err := idle.Start(ctx, struct{}{}, o)
			if err != nil {
				b.Fatal(err)
			}
			if err := p.Wait(ctx); err != nil {
				b.Fatal(err)
			}
		}
	}
	exits := withEnv(modeEnv + "=exit")
	ways := []struct {
		name string
		once func(*testing.B)
		took []time.Duration
	}{
		{name: "empty", once: func(b *testing.B) { run(b, exec.Command(bin)) }},
		{name: "same", once: func(b *testing.B) {
			cmd := exec.Command(os.Args[0])
			cmd.Env = exits
			run(b, cmd)
		}},
		{name: "process", once: start(nil)},
		{name: "tail", once: start(&process.Options{Stderr: io.Discard, OwnGroup: true})},
	}
	for range b.N {
		for i := range ways {
			begin := time.Now()
			ways[i].once(b)
			ways[i].took = append(ways[i].took, time.Since(begin))
		}
	}
	// In turns, and the medians compared: so that a busy machine is busy for all.
	var empty float64
	for _, w := range ways {
		slices.Sort(w.took)
		median := float64(w.took[len(w.took)/2])
		if empty == 0 {
			empty = median
		}
		b.ReportMetric(median/1e3, w.name+"-µs")
		b.ReportMetric(median/empty, w.name+"/empty")
	}
	b.ReportMetric(0, "ns/op") // of all together: says nothing
}
