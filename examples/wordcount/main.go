package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/shmkit/shmkit/pool"
	"github.com/shmkit/shmkit/process"
)

var countTask = pool.Register("wordcount", func(_ context.Context, pieces []piece) (counts, error) {
	return countPieces(pieces)
})

func main() {
	process.Main() // in a worker process this runs the tasks and never returns
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
	case errors.Is(err, errUsage):
		os.Exit(2)
	default:
		fmt.Fprintln(os.Stderr, "wordcount:", err)
		os.Exit(1)
	}
}

var errUsage = errors.New("usage") // the flag package has said it

// config is what the flags say.
type config struct {
	root    string
	workers int
	top     int
	json    bool
	kill    int
	verify  bool
}

func parse(args []string) (config, error) {
	var c config
	fs := flag.NewFlagSet("wordcount", flag.ContinueOnError)
	fs.IntVar(&c.workers, "workers", runtime.GOMAXPROCS(0), "worker `processes`; 0 counts in this process")
	fs.IntVar(&c.top, "top", 20, "how many of the most frequent words to show")
	fs.BoolVar(&c.json, "json", false, "print JSON instead of tables")
	fs.IntVar(&c.kill, "kill", 0, "SIGKILL so many random workers while it runs")
	fs.BoolVar(&c.verify, "verify", false, "count again in this process and compare; exit status 1 if the counts differ")
	fs.Usage = func() {
		fmt.Fprintf(fs.Output(), "Usage: wordcount [flags] [directory]\n\n"+
			"Counts the words of the text files under the directory, on a pool of worker\n"+
			"processes. The default directory is the source of the Go distribution.\n\n")
		fs.PrintDefaults()
	}
	if err := fs.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return c, err
		}
		return c, errUsage
	}
	bad := func(format string, args ...any) (config, error) {
		fmt.Fprintf(fs.Output(), "wordcount: "+format+"\n", args...)
		fs.Usage()
		return c, errUsage
	}
	switch {
	case fs.NArg() > 1:
		return bad("one directory, not %d", fs.NArg())
	case c.workers < 0 || c.top < 0 || c.kill < 0:
		return bad("-workers, -top and -kill can't be negative")
	case c.kill > 0 && c.workers == 0:
		return bad("-kill needs workers")
	case fs.NArg() == 1:
		c.root = fs.Arg(0)
		return c, nil
	}
	root, err := goSource()
	c.root = root
	return c, err
}

// goSource returns the source tree of the Go distribution.
func goSource() (string, error) {
	out, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return "", fmt.Errorf("find the Go distribution (or name a directory): go env GOROOT: %w", err)
	}
	return filepath.Join(strings.TrimSpace(string(out)), "src"), nil
}

func run(ctx context.Context, args []string, out io.Writer) error {
	c, err := parse(args)
	if err != nil {
		return err
	}
	tasks, files, size, err := find(c.root)
	if err != nil {
		return err
	}
	r := report{Directory: c.root, Workers: c.workers, Found: files, Size: size}
	start := time.Now()
	if c.workers == 0 {
		r.counts, err = countHere(ctx, tasks)
	} else {
		err = countOnPool(ctx, c, tasks, &r)
	}
	if err != nil {
		return err
	}
	r.elapsed = time.Since(start)
	if c.verify {
		here, err := countHere(ctx, tasks)
		if err != nil {
			return err
		}
		equal := r.equal(here)
		r.Equal = &equal
	}
	if err := r.print(out, c.json, c.top); err != nil {
		return err
	}
	if r.Equal != nil && !*r.Equal {
		return errors.New("the counts are not those of one process")
	}
	return nil
}

// countHere counts without a pool.
func countHere(ctx context.Context, tasks [][]piece) (counts, error) {
	all := newCounts()
	bar := newProgress(len(tasks))
	defer bar.end()
	for i, task := range tasks {
		if err := ctx.Err(); err != nil {
			return counts{}, err
		}
		c, err := countPieces(task)
		if err != nil {
			return counts{}, err
		}
		all.add(c)
		bar.show(i+1, &all)
	}
	return all, nil
}

// countOnPool counts on worker processes, and kills some of them if it is to.
func countOnPool(ctx context.Context, c config, tasks [][]piece, r *report) error {
	p, err := pool.New(&pool.Options{
		Workers:  c.workers,
		Retries:  c.kill,   // should all hit the same task
		Capacity: 16 << 20, // a task's counts are at most 4 MiB
	})
	if err != nil {
		return err
	}
	defer p.Terminate()
	r.counts = newCounts()
	bar := newProgress(len(tasks))
	defer bar.end()
	victims := plan(c.kill, len(tasks))
	killed := map[int]bool{}
	done := 0
	for res := range countTask.ImapUnordered(ctx, p, slices.Values(tasks)) {
		if res.Err != nil {
			return res.Err
		}
		r.add(res.Value)
		done++
		bar.show(done, &r.counts)
		for len(victims) > 0 && victims[0] <= done && killOne(p, killed) {
			victims = victims[1:]
		}
	}
	r.Killed = len(killed)
	p.Close()
	if err := p.Join(ctx); err != nil {
		return err
	}
	stats := p.Stats()
	r.Restarts, r.Retried = stats.Restarts, stats.Retried
	return nil
}

// plan returns after how many of n tasks each of kills workers dies, ascending:
// early enough for all to die before the end.
func plan(kills, n int) []int {
	at := make([]int, kills)
	for i := range at {
		at[i] = rand.IntN(max(n*3/4, 1))
	}
	slices.Sort(at)
	return at
}

// killOne kills a random worker that was not killed before, and tells whether
// there was one.
func killOne(p *pool.Pool, killed map[int]bool) bool {
	var pids []int
	for _, w := range p.Stats().Workers {
		if (w.State == "idle" || w.State == "running") && !killed[w.PID] {
			pids = append(pids, w.PID)
		}
	}
	if len(pids) == 0 {
		return false
	}
	pid := pids[rand.IntN(len(pids))]
	worker, err := os.FindProcess(pid)
	if err != nil {
		return false
	}
	defer worker.Release()
	if err := worker.Kill(); err != nil {
		return false
	}
	killed[pid] = true
	return true
}
