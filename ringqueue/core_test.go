package ringqueue

import (
	"encoding/binary"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"pgregory.net/rapid"
)

// ringMemory is a ring's shared memory on the heap, for cores of several slots.
type ringMemory struct {
	t                      testing.TB
	g                      geometry
	words                  []atomic.Uint64
	data                   []byte
	tail, consume, reclaim atomic.Uint64
	redeliver, dropped     atomic.Uint64
	shutdown               atomic.Uint32
}

// newRingMemory makes an unmirrored ring of blocks blocks with lapBits bits of
// tag, whose first record stands at pos.
func newRingMemory(t testing.TB, blocks uint64, lapBits int, pos uint64) *ringMemory {
	t.Helper()
	g, err := newGeometry(blocks, lapBits, false)
	if err != nil {
		t.Fatal(err)
	}
	m := &ringMemory{t: t, g: g, words: make([]atomic.Uint64, blocks), data: make([]byte, blocks*blockSize)}
	m.core(0).start(pos)
	return m
}

// core returns the ring as the process in slot me sees it.
func (m *ringMemory) core(me int) *core {
	return &core{
		geometry: m.g, me: me, words: m.words, data: m.data,
		tail: &m.tail, consume: &m.consume, reclaim: &m.reclaim,
		redeliver: dirty{&m.redeliver}, dropped: dirty{&m.dropped},
		shutdown: &m.shutdown,
	}
}

// check verifies the order of the cursors (invariant I2).
func (m *ringMemory) check() {
	m.t.Helper()
	tl, co, re := cursor(m.tail.Load()), cursor(m.consume.Load()), m.reclaim.Load()
	if after(tl.pos(), co.pos()) < 0 || after(co.pos(), re) < 0 || uint64(after(tl.pos(), re)) > m.g.blocks {
		m.t.Fatalf("cursors out of order: reclaim %d consume %d tail %d of %d blocks", re, co.pos(), tl.pos(), m.g.blocks)
	}
}

func put(t testing.TB, c *core, payload string) {
	t.Helper()
	cl, st := c.claimRecord(uint64(len(payload)))
	if st != done {
		t.Fatalf("claim of %d bytes: status %d", len(payload), st)
	}
	fill(t, c, cl, payload)
}

func fill(t testing.TB, c *core, cl claim, payload string) {
	t.Helper()
	b, ok := c.span(cl.pos, uint64(len(payload)))
	if !ok {
		t.Fatal("the claimed extent is outside of the ring")
	}
	copy(b, payload)
	c.commit(cl, uint64(len(payload)))
}

func payload(t testing.TB, c *core, l loan) string {
	t.Helper()
	b, ok := c.span(l.pos, l.word.length())
	if !ok {
		t.Fatal("the borrowed record is outside of the ring")
	}
	return string(b)
}

// take borrows and releases the next record.
func take(t testing.TB, c *core) string {
	t.Helper()
	l, st := c.borrow()
	if st != done {
		t.Fatalf("borrow: status %d", st)
	}
	s := payload(t, c, l)
	c.release(l)
	c.reclaimAll()
	return s
}

func wantStatus(t testing.TB, what string, got, want status) {
	t.Helper()
	if got != want {
		t.Fatalf("%s: status %d, want %d", what, got, want)
	}
}

func wantLength(t testing.TB, c *core, want int) {
	t.Helper()
	if n, st := c.length(); n != want || st != done {
		t.Fatalf("length %d (status %d), want %d", n, st, want)
	}
}

func TestWordFields(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tag := rapid.Uint64Range(0, 1<<tagBits-1).Draw(t, "tag")
		length := rapid.Uint64Range(0, maxLength).Draw(t, "length")
		owner := rapid.IntRange(0, maxOwners-1).Draw(t, "owner")
		attempt := rapid.Uint64Range(0, maxAttempt).Draw(t, "attempt")
		s := state(rapid.IntRange(1, int(inner)).Draw(t, "state"))
		w := makeWord(tag, length, owner, attempt, s)
		if w.tag() != tag || w.length() != length || w.owner() != owner || w.attempt() != attempt || w.state() != s {
			t.Fatalf("%#x does not hold what was put in", uint64(w))
		}
		b := w.borrowedBy(7)
		if b.owner() != 7 || b.state() != borrowed || b.tag() != tag || b.length() != length || b.attempt() != attempt {
			t.Fatalf("borrowed: %#x of %#x", uint64(b), uint64(w))
		}
		a := b.again()
		if a.state() != committed || a.attempt() != min(attempt+1, maxAttempt) || a.attempt() == 0 || a.length() != length || a.tag() != tag {
			t.Fatalf("again: %#x of %#x", uint64(a), uint64(b))
		}
		if w.blocks() == 0 {
			t.Fatal("a walk over it would not advance")
		}
	})
}

func TestCursorWraps(t *testing.T) {
	c := makeCursor(posMask, countMask)
	n := c.plus(2, 3)
	if n.pos() != 1 || n.count() != 2 {
		t.Fatalf("got position %d, count %d", n.pos(), n.count())
	}
	if after(n.pos(), c.pos()) != 2 || after(c.pos(), n.pos()) != -2 {
		t.Fatal("differences do not survive the wrap")
	}
}

// TestModel drives rings of all shapes with random steps of three processes,
// one of which may die at any moment between steps, beside a plain model.
func TestModel(t *testing.T) {
	for _, tt := range []struct {
		name          string
		blocks        uint64
		lapBits       int
		pos           uint64
		sole          bool
		maxItems, poi uint64
	}{
		{"tiny", 4, 3, 4, false, 0, 0},
		{"two bits of tag", 4, 2, 4, false, 0, 0},
		{"every lap sweeps", 8, 2, 8, false, 0, 0},
		{"tag about to wrap", 4, 3, 4 * 7, false, 0, 0},
		{"position about to wrap", 8, 4, posMask + 1 - 16, false, 0, 0},
		{"bounded", 16, 5, 16, false, 3, 0},
		{"poison", 16, 5, 16, false, 0, 2},
		{"sole", 8, 3, 8, true, 0, 0},
		{"sole, bounded", 8, 3, posMask + 1 - 16, true, 2, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			rapid.Check(t, func(rt *rapid.T) {
				m := newRingMemory(t, tt.blocks, tt.lapBits, tt.pos)
				runModel(rt, m, tt.sole, tt.maxItems, tt.poi)
			})
		})
	}
}

// item is a record of the model.
type item struct {
	payload  string
	attempts uint64
}

func runModel(t *rapid.T, m *ringMemory, sole bool, maxItems, poison uint64) {
	type actor struct {
		*core
		claims []claim
		loans  []loan
	}
	procs := make([]*actor, 3)
	var producer soleProducer
	var consumer soleConsumer
	newActor := func(slot int) *actor {
		c := m.core(slot)
		c.maxItems, c.poison = maxItems, poison
		return &actor{core: c}
	}
	for i := range procs {
		procs[i] = newActor(i)
	}
	takeOver := func() {
		producer = soleProducer{core: procs[0].core}
		producer.takeOver()
		consumer = soleConsumer{core: procs[1].core}
		consumer.takeOver()
	}
	takeOver()
	var fresh []string        // committed or reserved, in order; "" while reserved or aborted
	index := map[uint64]int{} // position of a claim → index into fresh
	held := map[uint64]item{} // position → borrowed
	var again []item          // to be delivered again, any order
	next := 0                 // index into fresh of the next first delivery
	serial := 0
	newPayload := func() string {
		serial++
		n := rapid.OneOf(rapid.Just(8), rapid.IntRange(4, 2*blockSize)).Draw(t, "size")
		return string(binary.LittleEndian.AppendUint32(make([]byte, n-4), uint32(serial)))
	}
	queued := func() (n int) {
		for _, p := range fresh[next:] {
			if p != "dead" {
				n++
			}
		}
		return n
	}
	delivered := func(a *actor, l loan, s string) {
		it := item{s, l.word.attempt()}
		if l.word.attempt() == 0 {
			for next < len(fresh) && fresh[next] == "dead" {
				next++
			}
			if next == len(fresh) || fresh[next] != s {
				t.Fatalf("first delivery out of order")
			}
			next++
		} else {
			i := slices.Index(again, it)
			if i < 0 {
				t.Fatalf("redelivered attempt %d of something not given back", it.attempts)
			}
			again = slices.Delete(again, i, i+1)
		}
		held[l.pos] = it
		a.loans = append(a.loans, l)
	}
	giveBack := func(l loan, poisoned bool) {
		it := held[l.pos]
		delete(held, l.pos)
		if want := poison > 0 && it.attempts+1 >= poison; poisoned != want {
			t.Fatalf("poisoned %v after %d attempts of %d", poisoned, it.attempts+1, poison)
		}
		if !poisoned {
			it.attempts = min(it.attempts+1, maxAttempt)
			again = append(again, it)
		}
	}
	pick := func(n int) int { return rapid.IntRange(0, n-1).Draw(t, "which") }
	putter := func() *actor {
		if sole {
			return procs[0]
		}
		return procs[pick(3)]
	}
	getter := func() *actor {
		if sole {
			return procs[1]
		}
		return procs[pick(3)]
	}
	doClaim := func(a *actor, blocks, items, length uint64, s state) (claim, status) {
		if sole {
			return producer.claim(blocks, items, length, s)
		}
		return a.claim(blocks, items, length, s)
	}
	t.Repeat(map[string]func(*rapid.T){
		"": func(*rapid.T) {
			m.check()
			if n, st := procs[2].length(); st != done || n != queued()+len(again) {
				t.Fatalf("length %d (status %d), want %d fresh and %d again", n, st, queued(), len(again))
			}
		},
		"claim": func(*rapid.T) {
			a, p := putter(), newPayload()
			n := uint64(len(p))
			if blocksFor(n) > m.g.blocks/2 {
				return
			}
			cl, st := doClaim(a, blocksFor(n), 1, n, reserved)
			if st != done {
				wantStatus(m.t, "claim", st, full)
				if len(fresh) == next && len(held) == 0 && len(again) == 0 {
					t.Fatal("an empty ring is full")
				}
				return
			}
			b, _ := a.span(cl.pos, n)
			copy(b, p)
			a.claims = append(a.claims, cl)
			index[cl.pos] = len(fresh)
			fresh = append(fresh, "")
		},
		"commit": func(*rapid.T) {
			a := putter()
			if len(a.claims) == 0 {
				return
			}
			i := pick(len(a.claims))
			cl := a.claims[i]
			a.claims = slices.Delete(a.claims, i, i+1)
			n := cl.word.length() - uint64(rapid.IntRange(0, int(cl.word.length())).Draw(t, "shorter"))
			b, _ := a.span(cl.pos, n)
			fresh[index[cl.pos]] = string(b)
			a.commit(cl, n)
		},
		"abort": func(*rapid.T) {
			a := putter()
			if len(a.claims) == 0 {
				return
			}
			cl := a.claims[0]
			a.claims = a.claims[1:]
			fresh[index[cl.pos]] = "dead"
			a.abort(cl)
		},
		"batch": func(*rapid.T) {
			a := putter()
			k := rapid.IntRange(1, 3).Draw(t, "items")
			if maxItems > 0 {
				k = min(k, int(maxItems))
			}
			var blocks uint64
			var lengths []uint32
			var ps []string
			for range k {
				p := newPayload()
				if blocks+blocksFor(uint64(len(p))) > max(m.g.blocks/2, 2) {
					break
				}
				blocks += blocksFor(uint64(len(p)))
				ps, lengths = append(ps, p), append(lengths, uint32(len(p)))
			}
			if len(ps) == 0 {
				return
			}
			direct := sole && rapid.Bool().Draw(t, "direct")
			claimBatch := doClaim
			if direct {
				claimBatch = func(_ *actor, blocks, items, length uint64, s state) (claim, status) {
					return producer.open(blocks, items, length, s)
				}
			}
			cl, st := claimBatch(a, blocks, uint64(len(ps)), batchLength(blocks, uint64(len(ps))), reservedBatch)
			if st != done {
				wantStatus(m.t, "claim of a batch", st, full)
				return
			}
			q := cl.pos
			for _, p := range ps {
				b, _ := a.span(q, uint64(len(p)))
				copy(b, p)
				q += blocksFor(uint64(len(p)))
			}
			if direct {
				producer.commitBatch(cl, lengths)
			} else {
				a.commitBatch(cl, lengths)
			}
			fresh = append(fresh, ps...)
		},
		"borrow": func(*rapid.T) {
			a := getter()
			var loans [4]loan
			var n int
			var st status
			most := rapid.IntRange(1, 4).Draw(t, "most")
			if sole && rapid.Bool().Draw(t, "series") {
				var run series
				run, st = consumer.borrowSeries(uint64(most))
				for ; st == done && n < int(run.n); n++ {
					loans[n] = run.first
					loans[n].pos += uint64(n) * run.first.word.blocks()
				}
			} else if sole {
				n, st = consumer.borrowRun(loans[:most])
			} else {
				n, st = a.borrowRun(loans[:most])
			}
			if st == done {
				for _, l := range loans[:n] {
					delivered(a, l, payload(m.t, a.core, l))
				}
				return
			}
			for next < len(fresh) && fresh[next] == "dead" {
				next++
			}
			want := empty
			if next < len(fresh) {
				want = blocked
				if fresh[next] != "" {
					want = done
				}
			}
			if st != want || len(again) > 0 {
				t.Fatalf("borrow: status %d with %d to redeliver, want %d", st, len(again), want)
			}
		},
		"release": func(*rapid.T) {
			a := getter()
			if len(a.loans) == 0 {
				return
			}
			i := pick(len(a.loans))
			l := a.loans[i]
			a.loans = slices.Delete(a.loans, i, i+1)
			if payload(m.t, a.core, l) != held[l.pos].payload {
				t.Fatal("a borrowed record changed")
			}
			delete(held, l.pos)
			a.release(l)
			if rapid.Bool().Draw(t, "reclaim") {
				a.reclaimAll()
			}
		},
		"requeue": func(*rapid.T) {
			a := getter()
			if len(a.loans) == 0 {
				return
			}
			i := pick(len(a.loans))
			l := a.loans[i]
			a.loans = slices.Delete(a.loans, i, i+1)
			giveBack(l, a.requeue(l))
		},
		"die": func(*rapid.T) {
			slot := pick(3)
			a := procs[slot]
			got, whole := procs[(slot+1)%3].recover(slot)
			if !whole {
				t.Fatal("recovery was overtaken with nobody there")
			}
			if got.dropped != uint64(len(a.claims)) || got.redelivered+got.poisoned != uint64(len(a.loans)) {
				t.Fatalf("recovered %+v of %d claims and %d loans", got, len(a.claims), len(a.loans))
			}
			for _, cl := range a.claims {
				fresh[index[cl.pos]] = "dead"
			}
			for _, l := range a.loans {
				giveBack(l, poison > 0 && held[l.pos].attempts+1 >= poison)
			}
			procs[slot] = newActor(slot)
			takeOver()
		},
	})
	// Everybody dies, and what was committed comes out, once.
	for slot := range procs {
		if _, whole := procs[0].recover(slot); !whole {
			t.Fatal("recovery was overtaken with nobody there")
		}
		for _, cl := range procs[slot].claims {
			fresh[index[cl.pos]] = "dead"
		}
		for _, l := range procs[slot].loans {
			giveBack(l, poison > 0 && held[l.pos].attempts+1 >= poison)
		}
		procs[slot].loans = nil
	}
	want := queued() + len(again)
	for i := range want {
		l, st := procs[0].borrow()
		if st != done {
			t.Fatalf("drained %d of %d: status %d", i, want, st)
		}
		delivered(procs[0], l, payload(m.t, procs[0].core, l))
		procs[0].release(l)
		m.check()
	}
	if _, st := procs[0].borrow(); st != empty {
		t.Fatalf("after the drain: status %d", st)
	}
	procs[0].reclaimAll()
	if r, tl := m.reclaim.Load(), cursor(m.tail.Load()).pos(); r != tl {
		t.Fatalf("after the drain reclaim is at %d, tail at %d", r, tl)
	}
}

// TestStress lets goroutines with cores of their own run against each other:
// nothing lost, nothing twice, each producer's records in order.
func TestStress(t *testing.T) {
	for _, tt := range []struct {
		name                 string
		producers, consumers int
		sole                 bool
	}{
		{"1:1", 1, 1, false}, {"sole", 1, 1, true}, {"3:3", 3, 3, false}, {"4:1", 4, 1, false}, {"1:4", 1, 4, false},
	} {
		t.Run(tt.name, func(t *testing.T) { stress(t, tt.producers, tt.consumers, tt.sole, 20000) })
	}
}

func stress(t *testing.T, producers, consumers int, sole bool, each int) {
	m := newRingMemory(t, 16, 16, 16)
	var wg, cg sync.WaitGroup
	var failed atomic.Bool
	report := func(format string, args ...any) {
		failed.Store(true)
		t.Errorf(format, args...)
	}
	for p := range producers {
		wg.Go(func() {
			c := m.core(p)
			sp := soleProducer{core: c}
			sp.takeOver()
			for i := 0; i < each && !failed.Load(); {
				k := uint64(1 + i%3)
				k = min(k, uint64(each-i))
				var cl claim
				var st status
				if sole && i%2 == 0 {
					cl, st = sp.open(k, k, batchLength(k, k), reservedBatch)
				} else if sole {
					cl, st = sp.claim(k, k, batchLength(k, k), reservedBatch)
				} else {
					cl, st = c.claimBatch(k, k)
				}
				if st == full {
					runtime.Gosched()
					continue
				} else if st != done {
					report("claim: status %d", st)
					return
				}
				var lengths [3]uint32
				for j := range k {
					b, _ := c.span(cl.pos+j, 8)
					binary.LittleEndian.PutUint32(b, uint32(p))
					binary.LittleEndian.PutUint32(b[4:], uint32(i)+uint32(j))
					lengths[j] = 8
				}
				if sole && i%2 == 0 {
					sp.commitBatch(cl, lengths[:k])
				} else {
					c.commitBatch(cl, lengths[:k])
				}
				i += int(k)
			}
		})
	}
	var left atomic.Int64
	left.Store(int64(producers * each))
	seen := make([][]atomic.Uint32, producers)
	for p := range seen {
		seen[p] = make([]atomic.Uint32, each)
	}
	for i := range consumers {
		cg.Go(func() {
			c := m.core(100 + i)
			sc := soleConsumer{core: c}
			sc.takeOver()
			last := make([]int, producers)
			var loans [4]loan
			for left.Load() > 0 && !failed.Load() {
				var n int
				var st status
				if sole {
					n, st = sc.borrowRun(loans[:])
				} else {
					n, st = c.borrowRun(loans[:])
				}
				if st == empty || st == blocked {
					runtime.Gosched()
					continue
				} else if st != done {
					report("borrow: status %d", st)
					return
				}
				for j, l := range loans[:n] {
					b, _ := c.span(l.pos, 8)
					p, v := binary.LittleEndian.Uint32(b), int(binary.LittleEndian.Uint32(b[4:]))
					if seen[p][v].Add(1) != 1 {
						report("item %d of producer %d came twice", v, p)
					}
					if l.word.attempt() == 0 && v < last[p] {
						report("item %d of producer %d came after %d", v, p, last[p])
					}
					last[p] = max(last[p], v)
					if j == 0 && l.word.attempt() == 0 && v%97 == 0 && !sole {
						seen[p][v].Store(0)
						c.requeue(l)
						continue
					}
					left.Add(-1)
					c.release(l)
				}
				c.reclaimAll()
			}
		})
	}
	wg.Wait()
	cg.Wait()
	m.check()
	for p := range seen {
		for v := range seen[p] {
			if n := seen[p][v].Load(); n != 1 && !failed.Load() {
				t.Fatalf("item %d of producer %d came %d times", v, p, n)
			}
		}
	}
}

func BenchmarkCore(b *testing.B) {
	m := newRingMemory(b, 1024, 0, 1024)
	c := m.core(1)
	sp, sc := soleProducer{core: c}, soleConsumer{core: c}
	sp.takeOver()
	sc.takeOver()
	buf := make([]byte, 64)
	b.Run("shared", func(b *testing.B) {
		for range b.N {
			cl, _ := c.claimRecord(64)
			s, _ := c.span(cl.pos, 64)
			copy(s, buf)
			c.commit(cl, 64)
			l, _ := c.borrow()
			s, _ = c.span(l.pos, 64)
			copy(buf, s)
			c.release(l)
		}
	})
	sp.takeOver()
	sc.takeOver()
	b.Run("sole", func(b *testing.B) {
		for range b.N {
			cl, st := sp.open(1, 1, 64, reserved)
			if st != done {
				b.Fatal(st)
			}
			copy(c.own(cl.pos, 64), buf)
			sp.commit(cl)
			l, st := sc.borrow()
			if st != done {
				b.Fatal(st)
			}
			s, _ := c.span(l.pos, 64)
			copy(buf, s)
			c.release(l)
		}
	})
}
