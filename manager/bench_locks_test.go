package manager_test

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gofrs/flock"

	"github.com/shmkit/shmkit/manager"
)

// A benchLock is what is compared: locking and unlocking once.
type benchLock struct {
	name string
	once func() error
}

// lockOf returns a lock of the manager as one of those.
func lockOf(l *manager.Lock) benchLock {
	return benchLock{"Lock", func() error {
		if err := l.Lock(bg); err != nil {
			return err
		}
		return l.Unlock()
	}}
}

// fileLock returns a lock of the file system as one of those: flock(2), which waits by trying.
func fileLock(dir string) benchLock {
	f := flock.New(filepath.Join(dir, "flock"))
	return benchLock{"flock", func() error {
		if err := f.Lock(); err != nil {
			return err
		}
		return f.Unlock()
	}}
}

// BenchmarkLock locks and unlocks what nobody else wants.
func BenchmarkLock(b *testing.B) {
	dir := tempDir(b)
	m := open(b, &manager.Options{Dir: dir})
	l, err := manager.NewLock(m, "lock")
	must(b, err)
	w, err := manager.NewRWLock(m, "rwlock")
	must(b, err)
	var mu sync.Mutex
	var rw sync.RWMutex
	for _, k := range []benchLock{
		{"sync.Mutex", func() error { mu.Lock(); mu.Unlock(); return nil }}, //lint:ignore SA2001 that is what is measured
		lockOf(l),
		{"sync.RWMutex, reading", func() error { rw.RLock(); rw.RUnlock(); return nil }}, //lint:ignore SA2001 that is what is measured
		{"RWLock, reading", func() error {
			if err := w.RLock(bg); err != nil {
				return err
			}
			return w.RUnlock()
		}},
		fileLock(dir),
	} {
		b.Run(k.name, func(b *testing.B) {
			for b.Loop() {
				if err := k.once(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("Python's multiprocessing.Lock", func(b *testing.B) {
		ns, err := pythonLock()
		if err != nil {
			b.Skip("python3 with multiprocessing is not there: ", err)
		}
		b.ReportMetric(ns, "ns/op")
	})
}

// pythonLock returns what Python's lock takes, in nanoseconds.
func pythonLock() (float64, error) {
	const script = `
import multiprocessing, time
l = multiprocessing.Lock()
n = 300000
t = time.perf_counter()
for _ in range(n):
    l.acquire(); l.release()
print((time.perf_counter() - t) / n * 1e9)`
	out, err := exec.Command("python3", "-c", script).Output()
	if err != nil {
		return 0, err
	}
	return strconv.ParseFloat(strings.TrimSpace(string(out)), 64)
}

var _ = addChild("contender", func(args []string) { // "DIR KIND": until it is killed
	m, err := manager.OpenExisting("m", &manager.Options{Dir: args[0]})
	check(err)
	k, n, err := contended(m, args[0], args[1])
	check(err)
	fmt.Println("ready")
	for {
		check(k.once())
		check(n.Add(1))
	}
})

// contended returns the lock that two processes want, and a counter of who has had it.
func contended(m *manager.Manager, dir, kind string) (benchLock, *manager.Counter, error) {
	n, err := manager.NewCounter(m, "theirs")
	if err != nil || kind == "flock" {
		return fileLock(dir), n, err
	}
	l, err := manager.NewLock(m, "lock")
	return lockOf(l), n, err
}

// BenchmarkLockContended has two processes lock and unlock as fast as they can. It reports how often
// both together had the lock, and the share of the one that had it less often.
func BenchmarkLockContended(b *testing.B) {
	const round = 300 * time.Millisecond
	for _, kind := range []string{"Lock", "flock"} {
		b.Run(kind, func(b *testing.B) {
			dir := tempDir(b)
			m := open(b, &manager.Options{Dir: dir})
			k, theirs, err := contended(m, dir, kind)
			must(b, err)
			c := startChild(b, "contender", dir, kind)
			c.hear("ready")
			var mine, others int64
			var took time.Duration
			for b.Loop() {
				before, err := theirs.Load()
				must(b, err)
				ctx, cancel := context.WithTimeout(bg, round)
				start := time.Now()
				for ctx.Err() == nil {
					if err := k.once(); err != nil {
						b.Fatal(err)
					}
					mine++
				}
				took += time.Since(start)
				cancel()
				after, err := theirs.Load()
				must(b, err)
				others += after - before
			}
			c.kill()
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(float64(mine+others)/took.Seconds()/1e6, "M/s")
			b.ReportMetric(100*float64(min(mine, others))/float64(mine+others), "%-of-the-slower")
		})
	}
}
