package process_test

import (
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/shmkit/shmkit/process"
)

// BenchmarkStartWait compares starting and waiting with its limit: an empty
// Go program under exec.Command, the smallest there is ("empty"), and this
// same executable ending at the first line of its TestMain ("same").
func BenchmarkStartWait(b *testing.B) {
	dir := b.TempDir()
	src, bin := filepath.Join(dir, "main.go"), filepath.Join(dir, "empty")
	if err := os.WriteFile(src, []byte("package main\n\nfunc main() {}\n"), 0o600); err != nil {
		b.Fatal(err)
	}
	if out, err := exec.Command("go", "build", "-o", bin, src).CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	run := func(cmd *exec.Cmd) {
		if err := cmd.Run(); err != nil {
			b.Fatal(err)
		}
	}
	b.Run("exec/empty", func(b *testing.B) {
		for range b.N {
			run(exec.Command(bin))
		}
	})
	b.Run("exec/same", func(b *testing.B) {
		env := withEnv(modeEnv + "=exit")
		for range b.N {
			cmd := exec.Command(os.Args[0])
			cmd.Env = env
			run(cmd)
		}
	})
	ctx := context.Background()
	start := func(o *process.Options) func(*testing.B) {
		return func(b *testing.B) {
			for range b.N {
				p, err := idle.Start(ctx, struct{}{}, o)
				if err != nil {
					b.Fatal(err)
				}
				if err := p.Wait(ctx); err != nil {
					b.Fatal(err)
				}
			}
		}
	}
	b.Run("process", start(nil))
	b.Run("process/tail", start(&process.Options{Stderr: io.Discard, OwnGroup: true}))
	b.Run("process/parallel", func(b *testing.B) {
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				p, err := idle.Start(ctx, struct{}{}, nil)
				if err != nil {
					b.Error(err)
					return
				}
				p.Wait(ctx)
			}
		})
	})
}
