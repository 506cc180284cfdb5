//go:build faultpoints

package ringqueue

import (
	"runtime"
	"strings"
	"testing"

	"github.com/shmkit/shmkit/internal/fault"
)

// The tests in this file stop or kill an operation between two of its stores:
// the counterexamples of flaws_test.go that need it, and each operation at each
// of its steps.

// A stop is an operation that stands still before one of its steps.
type stop struct {
	resume chan bool // true: go on; false: die
	ended  chan struct{}
}

// stopAt runs f until it is about to take the n-th step of that name, counted
// from 1.
func stopAt(t *testing.T, step string, n int, f func()) *stop {
	t.Helper()
	s := &stop{make(chan bool), make(chan struct{})}
	arrived := make(chan struct{})
	fault.SetHook(func(at string) {
		if at != step {
			return
		}
		if n--; n > 0 {
			return
		}
		fault.SetHook(nil)
		close(arrived)
		if !<-s.resume {
			runtime.Goexit()
		}
	})
	go func() {
		defer close(s.ended)
		f()
	}()
	select {
	case <-arrived:
	case <-s.ended:
		fault.SetHook(nil)
		t.Fatalf("the operation never came to step %q", step)
	}
	return s
}

func (s *stop) goOn() { s.resume <- true; <-s.ended }
func (s *stop) die()  { s.resume <- false; <-s.ended }

func TestF2_RecoveredRecordIsBehindConsume(t *testing.T) {
	m := newRingMemory(t, 4, 3, 4)
	p, c1, c2 := m.core(0), m.core(1), m.core(2)
	put(t, p, "x")
	stopAt(t, "ring.consume", 1, func() { c1.borrow() }).die() // borrowed, consume not moved
	helper := stopAt(t, "ring.consume", 1, func() { c2.borrow() })
	recoverAll(t, p, 1)
	wantLength(t, p, 1) // looks for records behind consume, and may say that there are none
	helper.goOn()       // must not carry consume over the record unseen
	if got := take(t, p); got != "x" {
		t.Fatalf("got %q", got)
	}
}

func TestF3_DeathBetweenRequeueAndMark(t *testing.T) {
	m := newRingMemory(t, 4, 3, 4)
	p, c := m.core(0), m.core(1)
	put(t, p, "x")
	l, _ := c.borrow()
	stopAt(t, "ring.mark", 1, func() { c.requeue(l) }).die()
	recoverAll(t, p, 1) // finds nothing borrowed, and marks all the same
	if got := take(t, p); got != "x" {
		t.Fatalf("got %q", got)
	}
}

func TestF3_DeathOfRecovererBetweenRequeueAndMark(t *testing.T) {
	m := newRingMemory(t, 4, 3, 4)
	p, c := m.core(0), m.core(1)
	put(t, p, "x")
	c.borrow()
	stopAt(t, "ring.mark", 1, func() { p.recover(1) }).die()
	recoverAll(t, m.core(2), 1)
	if got := take(t, m.core(2)); got != "x" {
		t.Fatalf("got %q", got)
	}
}

func TestF7_ShutdownBetweenClaimAndCommit(t *testing.T) {
	m := newRingMemory(t, 4, 3, 4)
	p, c := m.core(0), m.core(1)
	var st status
	s := stopAt(t, "ring.tail", 1, func() { _, st = p.claimRecord(1) })
	m.shutdown.Store(shutdownDrain)
	if _, got := c.borrow(); got != blocked {
		t.Fatalf("status %d while a claim is open", got)
	}
	s.goOn()
	wantStatus(t, "claim", st, ended)
	if _, got := c.borrow(); got != empty {
		t.Fatalf("status %d after the claim was given up", got)
	}
}

func TestF7_ShutdownBeforeACommitWithoutClaim(t *testing.T) {
	for taken := range 3 {
		m := newRingMemory(t, 8, 3, 8)
		p, c := m.core(0), m.core(1)
		sp, sc := soleProducer{core: p}, soleConsumer{core: c}
		sp.takeOver()
		sc.takeOver()
		var kept uint64
		s := stopAt(t, "ring.sole.tail", 1, func() {
			cl, _ := sp.open(2, 2, batchLength(2, 2), reservedBatch)
			kept = sp.commitBatch(cl, []uint32{1, 1})
		})
		m.shutdown.Store(shutdownDrain)
		for range taken {
			l, st := sc.borrow()
			wantStatus(t, "borrow", st, done)
			c.release(l)
		}
		s.goOn()
		if kept != uint64(taken) {
			t.Fatalf("%d of 2 were put, %d were taken", kept, taken)
		}
		if _, st := sc.borrow(); st != empty {
			t.Fatalf("status %d after the rest was taken back", st)
		}
		wantLength(t, p, 0)
		m.check()
	}
}

// A record that was put too late and taken back must not come out with one that
// is put after it, through the run that a sole consumer was about to take.
func TestTakenBackRecordIsNotBorrowedWithALaterOne(t *testing.T) {
	m := newRingMemory(t, 8, 3, 8)
	p, c := m.core(0), m.core(1)
	sp, sc := soleProducer{core: p}, soleConsumer{core: c}
	sp.takeOver()
	sc.takeOver()
	var first status
	put := func() status {
		cl, st := sp.open(1, 1, 1, reserved)
		if st == done {
			st = sp.commit(cl)
		}
		return st
	}
	s := stopAt(t, "ring.sole.tail", 1, func() { first = put() })
	m.shutdown.Store(shutdownDrain)
	behind := &m.words[9&m.g.mask]
	fault.SetLookHook(func(word any) {
		if word == any(behind) {
			fault.SetLookHook(nil)
			s.goOn() // the consumer has seen the record, and looks at the next word
			dieAt(2, func() { put() })
		}
	})
	defer fault.SetLookHook(nil)
	n, _ := sc.borrowRun(make([]loan, 4))
	if first != ended || n != 0 {
		t.Fatalf("the put ended with status %d, and %d records were borrowed", first, n)
	}
	wantLength(t, p, 0)
	m.check()
}

// A process that keeps moving the cursors of a ring whose records can't wrap must
// not keep a sole producer from its end: it never comes to a place that fits.
func TestSoleProducerEndsItsSearchOnARingThatKeepsMoving(t *testing.T) {
	m := newRingMemory(t, 8, 3, 8)
	sp := soleProducer{core: m.core(0)}
	moved := 0
	fault.SetLookHook(func(word any) {
		if word != any(&m.tail) {
			return
		}
		if moved++; moved > 4*maxSteps {
			panic("the search goes on")
		}
		p := 8*uint64(moved+1) + 6 // two blocks before the end of a lap
		m.reclaim.Store(p)
		m.tail.Store(uint64(makeCursor(p, 0)))
	})
	defer fault.SetLookHook(nil)
	wantStatus(t, "take over", sp.takeOver(), done)
	_, st := sp.open(3, 1, 3*blockSize, reserved)
	wantStatus(t, "open", st, corrupt)
}

func TestF10_StoppedConsumerDoesNotHoldTheProducersUp(t *testing.T) {
	m := newRingMemory(t, 4, 3, 4)
	p, c := m.core(0), m.core(1)
	p.maxItems = 1
	put(t, p, "a")
	s := stopAt(t, "ring.consume", 1, func() { c.borrow() })
	put(t, p, "b")
	s.goOn()
}

func TestF11_BatchOfDeadProducerKeepsItsCount(t *testing.T) {
	m := newRingMemory(t, 8, 3, 8)
	p, c := m.core(0), m.core(1)
	stopAt(t, "ring.tail", 1, func() { p.claimBatch(3, 3) }).die()
	put(t, c, "x")
	if got := cursor(m.tail.Load()).count(); got != 4 {
		t.Fatalf("tail counts %d items", got)
	}
	if got := recoverAll(t, c, 0); got.dropped != 3 {
		t.Fatalf("recovered %+v", got)
	}
	wantLength(t, c, 1)
	if got := take(t, c); got != "x" {
		t.Fatalf("got %q", got)
	}
	if m.tail.Load() != m.consume.Load() {
		t.Fatal("the cursors do not meet in an empty ring")
	}
}

func TestF13_SoleConsumerStoppedBeforeItsCursor(t *testing.T) {
	m := newRingMemory(t, 4, 3, 4)
	p, c := m.core(0), m.core(1)
	sc := soleConsumer{core: c}
	sc.takeOver()
	put(t, p, "a")
	cl, _ := p.claimRecord(1)
	s := stopAt(t, "ring.sole.consume", 1, func() {
		l, _ := sc.borrow()
		c.release(l)
	})
	p.abort(cl)
	p.reclaimAll()
	put(t, p, "b") // someone helps consume over "a" and the gap
	put(t, p, "c")
	p.isFull(1)
	wantLength(t, p, 2)
	s.goOn() // puts consume back over the gap
	p.reclaimAll()
	for _, want := range []string{"b", "c"} {
		l, st := sc.borrow()
		wantStatus(t, "borrow", st, done)
		if got := payload(t, c, l); got != want {
			t.Fatalf("got %q, want %q", got, want)
		}
		c.release(l)
		c.reclaimAll()
		m.check()
	}
}

// TestDeathAtEachStep kills each operation before each of its steps and lets
// another process recover: everything committed comes out, once, and the ring
// is usable. The recoverer dies at each of its steps too.
func TestDeathAtEachStep(t *testing.T) {
	type ring struct {
		m *ringMemory
		c *core
		p soleProducer
		s soleConsumer
	}
	ops := map[string]func(*ring){
		"put":   func(r *ring) { cl, _ := r.c.claimRecord(70); r.c.commit(cl, 1) },
		"batch": func(r *ring) { cl, _ := r.c.claimBatch(2, 2); r.c.commitBatch(cl, []uint32{1, 1}) },
		"abort": func(r *ring) { cl, _ := r.c.claimRecord(70); r.c.abort(cl) },
		"get": func(r *ring) {
			if l, st := r.c.borrow(); st == done {
				r.c.release(l)
				r.c.reclaimAll()
			}
		},
		"nack": func(r *ring) {
			if l, st := r.c.borrow(); st == done {
				r.c.requeue(l)
			}
		},
		"run": func(r *ring) {
			var l [4]loan
			n, _ := r.c.borrowRun(l[:])
			for _, l := range l[:n] {
				r.c.release(l)
			}
			r.c.reclaimAll()
		},
		"sole reserve": func(r *ring) { cl, _ := r.p.claim(2, 1, 70, reserved); r.c.commit(cl, 1) },
		"sole put":     func(r *ring) { cl, _ := r.p.open(2, 1, 70, reserved); r.p.commit(cl) },
		"sole batch": func(r *ring) {
			cl, _ := r.p.open(3, 3, batchLength(3, 3), reservedBatch)
			r.p.commitBatch(cl, []uint32{1, 1, 1})
		},
		"sole run": func(r *ring) {
			var l [4]loan
			n, _ := r.s.borrowRun(l[:])
			for _, l := range l[:n] {
				r.c.release(l)
			}
			r.c.reclaimAll()
		},
		"sole series": func(r *ring) {
			if run, st := r.s.borrowSeries(4); st == done {
				r.c.releaseSeries(run)
				r.c.reclaimAll()
			}
		},
		"sole get": func(r *ring) {
			if l, st := r.s.borrow(); st == done {
				r.c.release(l)
				r.c.reclaimAll()
			}
		},
	}
	for name, op := range ops {
		for prefill := range 3 {
			for start := range uint64(8) { // where the wrap is
				deaths := 0
				for k := 1; ; k++ {
					for k2 := 0; ; k2++ {
						m := newRingMemory(t, 8, 3, 8)
						other := m.core(2)
						for range start {
							put(t, other, "")
							take(t, other)
						}
						r := &ring{m: m, c: m.core(1)}
						for i := range prefill {
							put(t, other, string(rune('a'+i)))
						}
						r.p = soleProducer{core: r.c}
						r.p.takeOver()
						r.s = soleConsumer{core: r.c}
						r.s.takeOver()
						if !dieAt(k, func() { op(r) }) {
							k2 = -1
						} else {
							deaths++
						}
						inRecovery := k2 > 0 && dieAt(k2, func() { m.core(3).recover(1) })
						recoverAll(t, other, 1)
						m.check()
						checkAfterDeath(t, m, name, prefill)
						if k2 < 0 || k2 > 0 && !inRecovery {
							if k2 < 0 {
								k = -1
							}
							break
						}
					}
					if k < 0 {
						break
					}
				}
				if deaths == 0 && prefill > 0 {
					t.Fatalf("%s: no step to die at", name)
				}
			}
		}
	}
}

// dieAt runs f and ends it before its n-th step; false if f ended first.
func dieAt(n int, f func()) bool {
	died := false
	fault.SetHook(func(string) {
		if n--; n == 0 {
			died = true
			runtime.Goexit()
		}
	})
	end := make(chan struct{})
	go func() { defer close(end); f() }()
	<-end
	fault.SetHook(nil)
	return died
}

// checkAfterDeath drains the ring and uses it for a few laps.
func checkAfterDeath(t *testing.T, m *ringMemory, op string, prefill int) {
	t.Helper()
	c := m.core(2)
	n, st := c.length()
	wantStatus(t, op+": length", st, done)
	var got []string
	for range n {
		got = append(got, take(t, c))
		m.check()
	}
	if _, st := c.borrow(); st != empty {
		t.Fatalf("%s: status %d after %d of %d records", op, st, n, n)
	}
	// What was there before comes in order, but for what was taken and what
	// was given back; what was put comes last.
	kept := strings.Join(got, "")
	before := "ab"[:prefill]
	switch op {
	case "get", "sole get", "nack":
		if prefill > 0 && kept != before && kept != before[1:] && kept != before[1:]+before[:1] {
			t.Fatalf("%s: %q left of %q", op, kept, before)
		}
		if op == "nack" && len(kept) != prefill {
			t.Fatalf("%s: %q left of %q", op, kept, before)
		}
	case "run", "sole run", "sole series":
		if !strings.HasSuffix(before, kept) && kept != "ba" && kept != before {
			t.Fatalf("%s: %q left of %q", op, kept, before)
		}
	default:
		if !strings.HasPrefix(kept, before) {
			t.Fatalf("%s: %q left of %q", op, kept, before)
		}
	}
	next := soleProducer{core: c}
	if strings.HasPrefix(op, "sole") {
		wantStatus(t, op+": take over", next.takeOver(), done)
	}
	for i := range 3 * 8 {
		for range 1 + i%2 {
			if !strings.HasPrefix(op, "sole") {
				put(t, c, "z")
				continue
			}
			cl, st := next.open(1, 1, 1, reserved)
			wantStatus(t, op+": open", st, done)
			copy(c.own(cl.pos, 1), "z")
			next.commit(cl)
		}
		for range 1 + i%2 {
			if got := take(t, c); got != "z" {
				t.Fatalf("%s: got %q", op, got)
			}
		}
		if _, st := c.borrow(); st != empty {
			t.Fatalf("%s: status %d where nothing was put", op, st)
		}
	}
	m.check()
	if m.reclaim.Load() != cursor(m.tail.Load()).pos() {
		t.Fatalf("%s: blocks are lost", op)
	}
}
