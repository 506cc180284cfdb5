package main

import (
	"math/bits"
	"time"
)

// A histogram counts durations, to one part in 16, in a fixed amount of memory.
// The zero value is empty.
type histogram struct {
	buckets [64 * 16]uint64
	count   uint64
	worst   time.Duration
}

func bucketOf(d time.Duration) int {
	n := uint64(max(d, 0))
	if n < 16 {
		return int(n)
	}
	shift := bits.Len64(n) - 5
	return (shift+1)*16 + int(n>>shift) - 16
}

// floorOf returns the shortest duration of a bucket.
func floorOf(bucket int) time.Duration {
	if bucket < 16 {
		return time.Duration(bucket)
	}
	return time.Duration(16+bucket%16) << (bucket/16 - 1)
}

func (h *histogram) add(d time.Duration) {
	h.buckets[bucketOf(d)]++
	h.count++
	h.worst = max(h.worst, d)
}

// quantile returns a duration that the fraction q of all does not exceed by more
// than one part in 16; 0 if there are none.
func (h *histogram) quantile(q float64) time.Duration {
	rank := uint64(q * float64(h.count))
	var n uint64
	for i, c := range h.buckets {
		if n += c; n > rank {
			return min(floorOf(i+1), h.worst)
		}
	}
	return h.worst
}
