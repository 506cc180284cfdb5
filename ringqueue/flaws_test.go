package ringqueue

import (
	"strings"
	"testing"
)

// The tests in this file and in death_test.go are the counterexamples that killed
// simpler versions of the protocol, F1 to F13, replayed against this one. Here
// are those that need nobody stopped or killed between two stores.

func recoverAll(t *testing.T, by *core, slot int) recovery {
	t.Helper()
	got, whole := by.recover(slot)
	if !whole {
		t.Fatal("recovery was overtaken with nobody there")
	}
	return got
}

func TestF1_ReclaimNeverPassesConsume(t *testing.T) {
	m := newRingMemory(t, 4, 3, 4)
	c := m.core(1)
	cl, _ := c.claimRecord(1)
	c.abort(cl) // discarded at the head, consume still before it
	for _, s := range []string{"a", "b", "c", "d"} {
		put(t, c, s)
		m.check()
	}
	for _, want := range []string{"a", "b", "c", "d"} {
		if got := take(t, c); got != want {
			t.Fatalf("got %q, want %q", got, want)
		}
	}
}

func TestF4_LengthAfterAbortBehindRecord(t *testing.T) {
	m := newRingMemory(t, 4, 3, 4)
	c := m.core(1)
	put(t, c, "a")
	cl, _ := c.claimRecord(1)
	wantLength(t, c, 2)
	c.abort(cl)
	wantLength(t, c, 1)
	cl, _ = c.claimRecord(1)
	_ = cl
	recoverAll(t, m.core(2), 1)
	wantLength(t, c, 1)
	take(t, c)
	wantLength(t, c, 0)
}

func TestF5_InnerBlocksDoNotGoStale(t *testing.T) {
	m := newRingMemory(t, 2, 2, 2)
	c := m.core(1)
	big, small := strings.Repeat("b", 2*blockSize), "s"
	for i := range 64 {
		for range i {
			put(t, c, big)
			if got := take(t, c); got != big {
				t.Fatalf("round %d: wrong bytes", i)
			}
		}
		put(t, c, small)
		put(t, c, small)
		for range 2 {
			if got := take(t, c); got != small {
				t.Fatalf("round %d: wrong bytes", i)
			}
		}
	}
}

func TestF5_PadsDoNotGoStale(t *testing.T) {
	m := newRingMemory(t, 8, 2, 8)
	c := m.core(1)
	for i := range 200 {
		s := strings.Repeat("x", 1+i%5*blockSize*3/4)
		put(t, c, s)
		if got := take(t, c); got != s {
			t.Fatalf("record %d: wrong bytes", i)
		}
	}
}

func TestF6_StaleConsumerSeesNewerWord(t *testing.T) {
	m := newRingMemory(t, 4, 4, 4)
	g := m.g
	w := makeWord(g.lap(8), 1, 0, 0, committed)
	if got := g.age(w, 4); got != newer {
		t.Fatalf("a word of the next lap has age %d", got)
	}
	if got := g.age(w, 8); got != same {
		t.Fatalf("a word of this lap has age %d", got)
	}
	if got := g.age(w, 12); got != older {
		t.Fatalf("a word of the last lap has age %d", got)
	}
}

func TestF8_AttemptNeverReturnsToZero(t *testing.T) {
	m := newRingMemory(t, 4, 3, 4)
	c := m.core(1)
	put(t, c, "x")
	for i := range 3 * maxAttempt {
		l, st := c.borrow()
		wantStatus(t, "borrow", st, done)
		if want := uint64(min(i, maxAttempt)); l.word.attempt() != want {
			t.Fatalf("delivery %d has attempt %d", i, l.word.attempt())
		}
		c.requeue(l)
	}
}

func TestF9_ShorterCommitKeepsTheExtent(t *testing.T) {
	m := newRingMemory(t, 8, 3, 8)
	c := m.core(1)
	cl, st := c.claimRecord(3 * blockSize)
	wantStatus(t, "claim", st, done)
	put(t, c, "next")
	fill(t, c, cl, "short")
	if a, b := take(t, c), take(t, c); a != "short" || b != "next" {
		t.Fatalf("got %q, %q", a, b)
	}
	m.check()
}

func TestF11_TailIsPastABatchBeforeItsCommit(t *testing.T) {
	m := newRingMemory(t, 8, 3, 8)
	p := m.core(0)
	cl, _ := p.claimBatch(3, 3)
	if got := cursor(m.tail.Load()); got != makeCursor(8, 0).plus(3, 3) {
		t.Fatalf("tail at %d with %d items", got.pos(), got.count())
	}
	p.commitBatch(cl, []uint32{1, 2, 3})
	put(t, p, "x")
	wantLength(t, p, 4)
}

func TestF12_PackedWidths(t *testing.T) {
	for shift := 1; 1<<shift <= maxBlocks; shift++ {
		g, err := newGeometry(1<<shift, 0, true)
		if err != nil {
			t.Fatal(err)
		}
		// The lap tag is derived from the position: it must be one too.
		last := uint64(posMask)
		if g.lap(last+1) != 0 || g.lap(last) != g.lapMask {
			t.Fatalf("2^%d blocks: the lap does not wrap with the position", shift)
		}
		if g.blocks >= 1<<countBits {
			t.Fatalf("2^%d blocks: more items than the count can tell apart", shift)
		}
	}
	if _, err := newGeometry(2*maxBlocks, 0, true); err == nil {
		t.Fatal("a ring with more items than the count can tell apart")
	}
}

func TestF13_SkippedRecordsAndSoleConsumer(t *testing.T) {
	m := newRingMemory(t, 4, 3, 4)
	p, c := m.core(0), m.core(1)
	sc := soleConsumer{core: c}
	sc.takeOver()
	cl, _ := p.claimRecord(1)
	put(t, p, "a")
	p.abort(cl) // consume is helped over it while the consumer stands before it
	p.reclaimAll()
	for range 20 {
		l, st := sc.borrow()
		wantStatus(t, "borrow", st, done)
		c.release(l)
		cl, _ := p.claimRecord(1)
		put(t, p, "a")
		p.abort(cl)
		p.reclaimAll()
		m.check()
	}
}
