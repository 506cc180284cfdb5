package main

import (
	"testing"
	"time"
)

func TestHistogram(t *testing.T) {
	var h histogram
	if h.quantile(0.5) != 0 || h.worst != 0 {
		t.Error("the empty one is not zero")
	}
	for i := 1; i <= 1000; i++ {
		h.add(time.Duration(i) * time.Millisecond)
	}
	for q, want := range map[float64]time.Duration{0.5: 500 * time.Millisecond, 0.99: 990 * time.Millisecond, 0: time.Millisecond, 1: time.Second} {
		if got := h.quantile(q); got < want || got > want+want/15 {
			t.Errorf("quantile %v: %v, want %v", q, got, want)
		}
	}
	if h.worst != time.Second || h.count != 1000 {
		t.Errorf("worst %v, count %d", h.worst, h.count)
	}
	for d := time.Duration(0); d < 1<<20; d++ {
		if b := bucketOf(d); floorOf(b) > d || floorOf(b+1) <= d {
			t.Fatalf("%d is in bucket %d, from %d to %d", d, b, floorOf(b), floorOf(b+1))
		}
	}
}
