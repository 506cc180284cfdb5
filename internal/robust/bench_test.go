//go:build linux

package robust_test

//lint:file-ignore SA2001 taking and giving back is what is measured

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/shmkit/shmkit/internal/mem"
	"github.com/shmkit/shmkit/internal/robust"
	"github.com/shmkit/shmkit/shm"
)

// BenchmarkUncontended compares pairs of lock and unlock with package sync's, in
// turn and in the same run: medians of the rounds, and their ratio. Ns/op is the
// whole measurement's and means nothing. The clock is one that others advance;
// "system clock" is what it costs to read the time in each Lock.
func BenchmarkUncontended(b *testing.B) {
	var now atomic.Int64
	p := newSegment(b)
	coarse, err := newParty(p.seg, p.seg.Body(), robust.Options{Clock: now.Load})
	if err != nil {
		b.Fatal(err)
	}
	var mu sync.Mutex
	var rw sync.RWMutex
	n := 0 // what the locks protect
	for _, c := range []struct {
		name         string
		ours, theirs func()
	}{
		{"mutex", func() { coarse.mutex.Lock(bg); n++; coarse.mutex.Unlock() }, func() { mu.Lock(); n++; mu.Unlock() }},
		{"mutex, system clock", func() { p.mutex.Lock(bg); n++; p.mutex.Unlock() }, func() { mu.Lock(); n++; mu.Unlock() }},
		{"rlock", func() { coarse.rlock.Lock(bg); n++; coarse.rlock.Unlock() }, func() { mu.Lock(); n++; mu.Unlock() }},
		{"rwlock, write", func() { coarse.rw.Lock(bg); n++; coarse.rw.Unlock() }, func() { rw.Lock(); n++; rw.Unlock() }},
		{"rwlock, read", func() { coarse.rw.RLock(bg); n++; coarse.rw.RUnlock() }, func() { rw.RLock(); n++; rw.RUnlock() }},
		{"semaphore", func() { coarse.sem.Acquire(bg); n++; coarse.sem.Release() }, func() { mu.Lock(); n++; mu.Unlock() }},
	} {
		b.Run(c.name, func(b *testing.B) {
			const rounds, each = 41, 20_000
			var ours, theirs []float64
			for b.Loop() {
				for range rounds {
					theirs = append(theirs, perCall(each, c.theirs))
					ours = append(ours, perCall(each, c.ours))
				}
			}
			b.ReportMetric(median(ours), "ns/pair")
			b.ReportMetric(median(theirs), "ns/sync-pair")
			b.ReportMetric(median(ours)/median(theirs), "ratio")
		})
	}
}

func perCall(n int, f func()) float64 {
	begin := time.Now()
	for range n {
		f()
	}
	return float64(time.Since(begin)) / float64(n)
}

func median(v []float64) float64 {
	slices.Sort(v)
	return v[len(v)/2]
}

// BenchmarkContended has two goroutines, and two processes, lock and unlock as fast
// as they can. Share is the part of this process: a half is fair.
func BenchmarkContended(b *testing.B) {
	b.Run("sync.Mutex, goroutines", func(b *testing.B) {
		var mu sync.Mutex
		n := 0
		contend(b, func() { mu.Lock(); n++; mu.Unlock() })
	})
	b.Run("goroutines", func(b *testing.B) {
		p := newSegment(b)
		n := 0
		contend(b, func() { p.mutex.Lock(bg); n++; p.mutex.Unlock() })
	})
	b.Run("processes", func(b *testing.B) {
		p := newSegment(b)
		c := p.peer(b)
		c.tell("spinlock")
		l := p.ledger()
		until(b, "it locks", func() bool { return l.rounds[1].Load() > 0 })
		before, n := l.rounds[1].Load(), 0
		longest := time.Duration(0)
		for b.Loop() {
			begin := time.Now()
			p.mutex.Lock(bg)
			longest = max(longest, time.Since(begin))
			p.mutex.Unlock()
			n++
		}
		theirs := l.rounds[1].Load() - before
		b.ReportMetric(float64(n)/float64(int64(n)+theirs), "share")
		b.ReportMetric(float64(longest)/1e6, "ms/longest")
	})
}

func contend(b *testing.B, f func()) {
	stop, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-stop:
				return
			default:
				f()
			}
		}
	}()
	for b.Loop() {
		f()
	}
	close(stop)
	<-ended
}

// spinLock locks and unlocks the mutex alone, until the process is killed.
func spinLock(p *party, _ []string) error {
	l := p.ledger()
	for {
		if err := p.mutex.Lock(bg); err != nil {
			return err
		}
		l.rounds[p.seg.Slot()].Add(1)
		if err := p.mutex.Unlock(); err != nil {
			return err
		}
	}
}

// BenchmarkRecover recovers from a death among so many objects in a segment of 256
// slots, of which the dead process holds one.
func BenchmarkRecover(b *testing.B) {
	const slots = 256
	for _, k := range []robust.Kind{robust.KindMutex, robust.KindSemaphore} {
		b.Run(fmt.Sprintf("10000 of kind %d", k), func(b *testing.B) {
			const n = 10_000
			size := robust.Size(k, slots)
			body := mem.BytesOfSlice(make([]uint64, n*size/8))
			for b.Loop() {
				for i := range n {
					if err := robust.Recover(k, body[i*size:][:size], slots, 7); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}

var _ robust.Host = (*shm.Segment)(nil)
