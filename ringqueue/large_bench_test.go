//go:build unix

package ringqueue_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/shmkit/shmkit/ringqueue"
)

// BenchmarkHandOver measures what it takes to hand a record over that is written: from
// before Commit until behind Borrow, by one goroutine, the median. It is the same
// for a record of 16 MiB, which goes by reference, as for one of 64 bytes, which
// lies in the ring. What comes before and after, which is not the same, is printed
// beside it: getting the memory and giving it back.
func BenchmarkHandOver(b *testing.B) {
	for _, size := range []int{64, 4 << 10, 1 << 20, 16 << 20, 64 << 20} {
		b.Run(fmt.Sprintf("%dK", size>>10), func(b *testing.B) {
			q := create[[]byte](b, tempDir(b), &ringqueue.Options{MaxLarge: 256 << 20})
			r := q.Ring()
			var reserve, handOver, release []float64
			for b.Loop() {
				start := time.Now()
				s, err := r.TryReserve(size)
				reserve = append(reserve, float64(time.Since(start)))
				if err != nil {
					b.Fatal(err)
				}
				s.Bytes()[0], s.Bytes()[size-1] = 1, 1

				start = time.Now()
				if err := s.Commit(size); err != nil {
					b.Fatal(err)
				}
				l, err := r.TryBorrow()
				handOver = append(handOver, float64(time.Since(start)))
				if err != nil || len(l.Bytes()) != size {
					b.Fatalf("%d bytes, %v", len(l.Bytes()), err)
				}

				start = time.Now()
				l.Release()
				release = append(release, float64(time.Since(start)))
			}
			b.ReportMetric(median(handOver), "hand-over-ns")
			b.ReportMetric(median(reserve), "reserve-ns")
			b.ReportMetric(median(release), "release-ns")
			b.ReportMetric(0, "ns/op")
		})
	}
}
