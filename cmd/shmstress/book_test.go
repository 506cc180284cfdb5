package main

import (
	"testing"
	"time"
)

// A desk is a book with a ledger that the test writes, in the place of members.
// It has two producers, a and b, and two consumers.
type desk struct {
	*book
	t *testing.T
}

const (
	seatA, seatB = 0, 1
)

func newDesk(t *testing.T) *desk {
	l := &ledger{head: new(ledgerHead), lines: make([]seatLine, 4), notes: [][]note{make([]note, 1<<17), make([]note, 1<<17)}}
	d := &desk{newBook(newCourt(), l, 2, 2), t}
	d.producerStarts(seatA, 1)
	d.producerStarts(seatB, 1)
	d.consumerStarts(0, 1)
	d.consumerStarts(1, 1)
	return d
}

// put lets a producer put records for sure, and try to put more.
func (d *desk) put(seat int, sure, perhaps uint64) {
	line := &d.ledger.lines[seat]
	line.begun.Store(line.ended.Load() + sure + perhaps)
	line.ended.Store(line.ended.Load() + sure)
}

// notes lets a consumer note something about records of a producer's life.
func (d *desk) notes(consumer int, kind noteKind, seat uint8, life uint32, attempt int, seqs ...uint64) {
	b := notebook{&d.ledger.lines[2+consumer], d.ledger.notes[consumer]}
	for _, seq := range seqs {
		b.add(nil, 0, newNote(kind, recordID{seat, life, seq}, attempt, plainRecord))
	}
}

func (d *desk) take(consumer int, seqs ...uint64) { d.notes(consumer, noteTaken, seatA, 1, 0, seqs...) }
func (d *desk) hold(consumer, attempt int, seqs ...uint64) {
	d.notes(consumer, noteHeld, seatA, 1, attempt, seqs...)
}
func (d *desk) ack(consumer, attempt int, seqs ...uint64) {
	d.notes(consumer, noteAcked, seatA, 1, attempt, seqs...)
}
func (d *desk) nack(consumer, attempt int, seqs ...uint64) {
	d.notes(consumer, noteNacked, seatA, 1, attempt, seqs...)
}

// dies lets a consumer die in the middle of an operation on n records, of which
// the queue has counted some as taken.
func (d *desk) dies(consumer int, k opKind, n int, counted uint64) {
	d.ledger.lines[2+consumer].enter(k, n)
	d.consumerEnds(consumer, func(int) uint64 { return counted })
	d.consumerStarts(consumer, 2)
}

// diesEnding lets it die while it ends a delivery.
func (d *desk) diesEnding(consumer int, k opKind, seq uint64, attempt int) {
	d.ledger.lines[2+consumer].enterEnding(k, recordID{seatA, 1, seq}, attempt)
	d.consumerEnds(consumer, func(int) uint64 { return 0 })
	d.consumerStarts(consumer, 2)
}

// end ends the run.
func (d *desk) end() {
	d.round()
	d.round()
	for seat := range 2 {
		if l := d.lives[seat][d.newest[seat]]; l != nil && !l.dead {
			d.producerEnds(seat)
		}
	}
	d.close()
}

// kinds returns the kinds of the violations.
func (d *desk) kinds() []string {
	var ks []string
	vs, _ := d.verdict()
	for _, v := range vs {
		d.t.Logf("%s: %s", v.Kind, v.Text)
		ks = append(ks, v.Kind)
	}
	return ks
}

// TestBookFinds plants what must not happen, and some things that may.
func TestBookFinds(t *testing.T) {
	for name, tt := range map[string]struct {
		happens func(d *desk)
		want    string // kind of the first violation; "" for none
	}{
		"all taken":                {func(d *desk) { d.put(seatA, 3, 0); d.take(0, 0, 2); d.take(1, 1) }, ""},
		"all acked":                {func(d *desk) { d.put(seatA, 2, 0); d.hold(0, 1, 0, 1); d.ack(0, 1, 1, 0) }, ""},
		"loss":                     {func(d *desk) { d.put(seatA, 3, 0); d.take(0, 0, 2) }, lost},
		"loss of the last one":     {func(d *desk) { d.put(seatA, 3, 0); d.take(0, 0, 1) }, lost},
		"loss of all":              {func(d *desk) { d.put(seatA, 3, 0) }, lost},
		"perhaps put":              {func(d *desk) { d.put(seatA, 1, 5); d.take(0, 0) }, ""},
		"perhaps put, and was":     {func(d *desk) { d.put(seatA, 1, 5); d.take(0, 0, 1, 2) }, ""},
		"perhaps put, with a hole": {func(d *desk) { d.put(seatA, 1, 5); d.take(0, 0, 1, 3) }, lost},
		"loss of one given back":   {func(d *desk) { d.put(seatA, 1, 0); d.hold(0, 1, 0); d.nack(0, 1, 0) }, lost},
		"loss of one that a dead consumer held": {func(d *desk) {
			d.put(seatA, 1, 0)
			d.hold(0, 1, 0)
			d.dies(0, opNone, 0, 0)
		}, lost},

		"taken twice":         {func(d *desk) { d.put(seatA, 1, 0); d.take(0, 0); d.take(1, 0) }, duplicate},
		"taken and acked":     {func(d *desk) { d.put(seatA, 1, 0); d.take(0, 0); d.hold(1, 1, 0); d.ack(1, 1, 0) }, duplicate},
		"delivered to two":    {func(d *desk) { d.put(seatA, 1, 0); d.hold(0, 1, 0); d.hold(1, 1, 0) }, duplicate},
		"again after its ack": {func(d *desk) { d.put(seatA, 1, 0); d.hold(0, 1, 0); d.ack(0, 1, 0); d.hold(1, 2, 0) }, late},
		"again when forgotten": {func(d *desk) {
			d.put(seatA, 1, 0)
			d.take(0, 0)
			d.round()
			d.round()
			d.round()
			d.take(0, 0)
		}, late},

		"given back and again": {func(d *desk) {
			d.put(seatA, 1, 0)
			d.hold(0, 1, 0)
			d.nack(0, 1, 0)
			d.hold(1, 2, 0)
			d.ack(1, 2, 0)
		}, ""},
		"given back and taken": {func(d *desk) { d.put(seatA, 1, 0); d.hold(0, 1, 0); d.nack(0, 1, 0); d.take(1, 0) }, ""},
		"stopped before it could note that it gave back": {func(d *desk) {
			d.put(seatA, 1, 0)
			d.hold(0, 2, 0)
			d.ack(0, 2, 0)
			d.round()
			d.hold(1, 1, 0) // written before the others, and read after them
			d.round()
			d.round()
			d.nack(1, 1, 0)
		}, ""},
		"read in the wrong order": {func(d *desk) {
			d.put(seatA, 1, 0)
			d.hold(0, 2, 0) // consumer 0 is read first
			d.ack(0, 2, 0)
			d.round()
			d.hold(1, 1, 0)
			d.nack(1, 1, 0)
		}, ""},
		"again after its consumer's death": {func(d *desk) {
			d.put(seatA, 1, 0)
			d.hold(0, 1, 0)
			d.dies(0, opNone, 0, 0)
			d.hold(1, 2, 0)
			d.ack(1, 2, 0)
		}, ""},
		"given to another while it is held": {func(d *desk) {
			d.put(seatA, 1, 0)
			d.hold(0, 1, 0)
			d.hold(1, 2, 0)
			d.ack(1, 2, 0)
			d.ack(0, 1, 0)
		}, late},
		"attempt skipped": {func(d *desk) { d.put(seatA, 1, 0); d.hold(0, 2, 0); d.ack(0, 2, 0) }, attempts},
		"attempt of a dead consumer": {func(d *desk) {
			d.put(seatA, 1, 0)
			d.dies(1, opReceive, 1, 0)
			d.hold(0, 2, 0)
			d.ack(0, 2, 0)
		}, ""},
		"attempt 0": {func(d *desk) { d.put(seatA, 1, 0); d.hold(0, 0, 0); d.ack(0, 0, 0) }, attempts},

		"out of order": {func(d *desk) { d.put(seatA, 3, 0); d.hold(0, 1, 0, 2, 1); d.ack(0, 1, 0, 1, 2) }, reordered},
		"out of order over two consumers": {func(d *desk) {
			d.put(seatA, 3, 0)
			d.hold(0, 1, 0, 2)
			d.hold(1, 1, 1)
			d.ack(0, 1, 0, 2)
			d.ack(1, 1, 1)
		}, ""},
		"taken out of order":             {func(d *desk) { d.put(seatA, 2, 0); d.take(0, 1, 0) }, attempts},
		"taken out of order when it may": {func(d *desk) { d.put(seatA, 2, 0); d.dies(1, opBorrow, 1, 0); d.take(0, 1, 0) }, ""},
		"an earlier life after a later one": {func(d *desk) {
			d.put(seatA, 2, 0)
			d.producerEnds(seatA)
			d.producerStarts(seatA, 2)
			d.put(seatA, 1, 0)
			d.hold(0, 1, 0)
			d.notes(0, noteHeld, seatA, 2, 1, 0)
			d.hold(0, 1, 1)
		}, reordered},

		"no such producer": {func(d *desk) { d.notes(0, noteTaken, 7, 1, 0, 0) }, invented},
		"no such life":     {func(d *desk) { d.put(seatA, 1, 0); d.notes(0, noteTaken, seatA, 2, 0, 0) }, invented},
		"never begun":      {func(d *desk) { d.put(seatA, 1, 1); d.take(0, 0, 1, 2) }, invented},
		"torn":             {func(d *desk) { d.put(seatA, 1, 0); d.notes(0, noteTorn, seatA, 1, 0, 0) }, torn},
		"aborted": {func(d *desk) {
			b := notebook{&d.ledger.lines[2], d.ledger.notes[0]}
			b.add(nil, 0, newNote(noteTaken, recordID{seatA, 1, 0}, 0, abortedRecord))
		}, aborted},

		"lost in a get": {func(d *desk) { d.put(seatA, 3, 0); d.take(0, 0); d.dies(0, opGetMany, 64, 3) }, ""},
		"lost in a get that had counted less": {func(d *desk) {
			d.put(seatA, 3, 0)
			d.take(0, 0)
			d.dies(0, opGetMany, 64, 2)
		}, lost},
		"lost in a get for less": {func(d *desk) { d.put(seatA, 3, 0); d.take(0, 0); d.dies(0, opGet, 1, 3) }, lost},
		"lost in a receive":      {func(d *desk) { d.put(seatA, 1, 0); d.dies(0, opReceive, 1, 1) }, lost},
		"lost in an ack":         {func(d *desk) { d.put(seatA, 1, 0); d.hold(0, 1, 0); d.diesEnding(0, opAck, 0, 1) }, ""},
		"again after an ack that was cut short": {func(d *desk) {
			d.put(seatA, 1, 0)
			d.hold(0, 1, 0)
			d.diesEnding(0, opAck, 0, 1)
			d.hold(1, 2, 0)
			d.ack(1, 2, 0)
		}, ""},
		"given back after an ack that was cut short, and lost": {func(d *desk) {
			d.put(seatA, 1, 0)
			d.hold(0, 1, 0)
			d.diesEnding(0, opAck, 0, 1)
			d.hold(1, 2, 0)
			d.nack(1, 2, 0)
		}, lost},
		"another than the one whose ack was cut short": {func(d *desk) {
			d.put(seatA, 2, 0)
			d.hold(0, 1, 0, 1)
			d.diesEnding(0, opAck, 0, 1)
		}, lost},
		"lost in a nack": {func(d *desk) { d.put(seatA, 1, 0); d.hold(0, 1, 0); d.diesEnding(0, opNack, 0, 1) }, lost},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t)
			tt.happens(d)
			d.end()
			switch got := d.kinds(); {
			case tt.want == "" && len(got) > 0:
				t.Errorf("violations: %q", got)
			case tt.want != "" && (len(got) == 0 || got[0] != tt.want):
				t.Errorf("violations: %q, want %q", got, tt.want)
			}
		})
	}
}

// TestBookForgets runs a long life with a hole, and expects the book to stay
// small, and to give the record up in the end.
func TestBookForgets(t *testing.T) {
	d := newDesk(t)
	const all = 4 * windowMost
	d.put(seatA, all, 0)
	for seq := range uint64(all) {
		if seq != 5 {
			d.take(0, seq)
		}
	}
	for range 4 {
		d.round()
	}
	l := d.lives[seatA][1]
	if len(l.recs) > windowMost || len(d.strays) != 1 {
		t.Errorf("%d records in the window, %d strays", len(l.recs), len(d.strays))
	}
	d.settleAll(time.Since(d.start) + settleAfter - time.Second)
	if ks := d.kinds(); len(ks) > 0 {
		t.Errorf("too early: %q", ks)
	}
	d.settleAll(time.Since(d.start) + settleAfter + time.Second)
	if ks := d.kinds(); len(ks) != 1 || ks[0] != lost || len(d.strays) != 0 {
		t.Errorf("%q, %d strays", ks, len(d.strays))
	}
}

// TestBookForgetsLives expects the account of a dead producer to be closed when
// its successor's records have long been seen.
func TestBookForgetsLives(t *testing.T) {
	d := newDesk(t)
	d.put(seatA, 2, 3)
	d.take(0, 0, 1)
	d.producerEnds(seatA)
	d.producerStarts(seatA, 2)
	d.put(seatA, 1, 0)
	d.round()
	d.settleAll(2 * settleAfter)
	if d.lives[seatA][1] == nil {
		t.Error("closed before a record of the next life was seen")
	}
	d.notes(0, noteTaken, seatA, 2, 0, 0)
	d.round()
	d.settleAll(time.Since(d.start) + 2*settleAfter)
	if d.lives[seatA][1] != nil {
		t.Error("not closed")
	}
	d.notes(0, noteTaken, seatA, 1, 0, 1)
	d.round()
	if ks := d.kinds(); len(ks) != 1 || ks[0] != late {
		t.Errorf("%q", ks)
	}
}

// TestBookBalances expects deliveries that nobody noted to be charged while the
// run goes on, but not before a death can have been reported.
func TestBookBalances(t *testing.T) {
	d := newDesk(t)
	d.put(seatA, 1, 0)
	d.hold(0, 2, 0)
	d.ack(0, 2, 0)
	for range 3 {
		d.round()
	}
	d.settleAll(balanceEvery)
	if ks := d.kinds(); len(ks) > 0 {
		t.Errorf("too early: %q", ks)
	}
	d.settleAll(2 * balanceEvery)
	if ks := d.kinds(); len(ks) != 1 || ks[0] != attempts {
		t.Errorf("%q", ks)
	}
}

// TestBookWaitsForTheLiving expects the book not to give up a record that a
// living consumer holds, however long that takes.
func TestBookWaitsForTheLiving(t *testing.T) {
	d := newDesk(t)
	const all = 2 * windowMost
	d.put(seatA, all, 0)
	d.hold(0, 1, 0)
	for seq := range uint64(all - 1) {
		d.take(1, seq+1)
	}
	d.round()
	d.settleAll(time.Since(d.start) + 3*settleAfter)
	d.ack(0, 1, 0)
	d.end()
	if ks := d.kinds(); len(ks) > 0 {
		t.Errorf("%q", ks)
	}
}
