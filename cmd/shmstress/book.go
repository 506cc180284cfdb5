package main

import (
	"math/bits"
	"sync"
	"time"
)

// settleAfter is how long after a record must have been taken the book waits
// for it, or for its return from a dead consumer.
const settleAfter = time.Minute

// windowMost is how many records a life's window holds before those at its
// front that have not ended are put aside.
const windowMost = 1 << 14

// A book is the referee's account of every record: put for sure, perhaps, or
// not; delivered how often; ended or not. Its memory does not grow with the
// run: what has ended is forgotten, but for the fact.
//
// Whatever a killed member was in the middle of is in doubt, and only that:
//
//   - A record that a producer was putting may be there or not; but if a later
//     one of it is, it must be.
//   - An item that a consumer's get had taken and the consumer had not noted is
//     gone, which is what at most once means. The queue's own counter tells how
//     many these can be at most: mayLose.
//   - A record whose ack had begun may have ended or come again.
//   - A record that a consumer had taken and not noted comes again with its
//     attempt counted: mayReturn.
//
// Notes of several consumers are read one after the other, so that what is
// written later may be read earlier. All judgement is therefore on sets, and
// final one round later.
type book struct {
	*court
	ledger    *ledger
	producers int
	consumers int

	mu       sync.Mutex
	lives    []map[uint32]*life // by producers' seats
	newest   []uint32           // the last life of each
	furthest []uint32           // the last life of each of which a record was seen
	readers  []*reader          // by consumers' seats; and the referee itself
	strays   map[recordID]*stray

	mayLose   uint64
	mayReturn uint64
	mayEnd    uint64 // deaths in the middle of an ack
	skipped   uint64 // deliveries that nobody has noted
	skip      string // the last one
	overdue   uint64 // of skipped, those before overdueAt
	overdueAt time.Duration

	totals bookTotals
}

// bookTotals is what the book has seen. Records: see queueTotals.
type bookTotals struct {
	Put, Taken, Acked, Nacked, Redelivered   uint64
	DoubtPut, DoubtLost, DoubtAcked, Unnoted uint64
}

// A stray is a record that has not ended though many behind it have.
type stray struct {
	rec
	since   time.Duration
	settled bool
}

// A reader is a consumer's seat as the book knows it.
type reader struct {
	seat int
	last []place          // by producers' seats: the last record in order
	held map[recordID]int // what it keeps, with the attempt
	gone uint64           // records that this life has taken or acked
}

// A place is where in a producer's order a record stands.
type place struct {
	life uint32
	seq  uint64 // plus 1, so that the zero place is before all
}

func (p place) before(id recordID) bool {
	return p.life < id.life || p.life == id.life && p.seq <= id.seq
}

func newBook(c *court, l *ledger, producers, consumers int) *book {
	b := &book{court: c, ledger: l, producers: producers, consumers: consumers, strays: map[recordID]*stray{}}
	for range producers {
		b.lives = append(b.lives, map[uint32]*life{})
	}
	b.newest = make([]uint32, producers)
	b.furthest = make([]uint32, producers)
	for i := range consumers + 1 {
		b.readers = append(b.readers, &reader{seat: i, last: make([]place, producers), held: map[recordID]int{}})
	}
	return b
}

// producerStarts opens the account of the next life on a producer's seat.
func (b *book) producerStarts(seat int, no uint32) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.newest[seat] = no
	b.lives[seat][no] = &life{seat: uint8(seat), no: no}
	b.ledger.lines[seat].seated(no)
}

// producerEnds closes the account of the life on a producer's seat.
func (b *book) producerEnds(seat int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	line := &b.ledger.lines[seat]
	l := b.lives[seat][b.newest[seat]]
	l.dead, l.begun, l.ended = true, line.begun.Load(), line.ended.Load()
	b.totals.Put += l.ended
	b.totals.DoubtPut += l.begun - l.ended
}

// consumerStarts prepares a consumer's seat for its next life.
func (b *book) consumerStarts(seat int, life uint32) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ledger.lines[b.producers+seat].seated(life)
}

// consumerEnds takes what a consumer has noted, gives back what it held, and
// works out what its death leaves in doubt. gets returns the count of gets of a
// slot of the queue.
func (b *book) consumerEnds(seat int, gets func(slot int) uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.read(seat)
	r := b.readers[seat]
	line := &b.ledger.lines[b.producers+seat]
	k, n, ending := line.doing()
	if k.takes() {
		b.mayReturn += uint64(n)
	}
	if k.gets() {
		counted := gets(int(line.slot.Load())) - line.gets.Load()
		b.mayLose += min(uint64(n), counted-min(counted, r.gone))
	}
	if k == opAck {
		b.mayEnd++
	}
	for id, attempt := range r.held {
		rec := b.find(id)
		if rec == nil {
			continue // it was charged
		}
		rec.freed |= attemptBit(attempt)
		if k == opAck && id == ending.id() && !rec.ended() {
			rec.flags |= recDoubt
			rec.acked = uint8(attempt)
		}
	}
	clear(r.held)
	r.gone = 0
}

// round reads what has been noted since the last one, and settles what it can.
func (b *book) round() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for seat := range b.consumers {
		b.read(seat)
	}
	b.settleAll(time.Since(b.start))
}

// read reads a consumer's notes.
func (b *book) read(seat int) {
	line, notes := &b.ledger.lines[b.producers+seat], b.ledger.notes[seat]
	head := line.head.Load()
	for at := line.tail.Load(); at != head; at++ {
		b.judge(b.readers[seat], notes[at%uint64(len(notes))])
	}
	line.tail.Store(head)
}

// judge takes one note into account.
func (b *book) judge(r *reader, n note) {
	id := n.id()
	if !b.wasPut(r, n) {
		return
	}
	rec := b.find(id)
	if rec == nil {
		b.charge(late, "consumer %d: %v came after it had ended (%v, attempt %d)", r.seat, id, n.kind(), n.attempt())
		return
	}
	bit := attemptBit(n.attempt())
	switch n.kind() {
	case noteTaken:
		b.totals.Taken++
		r.gone++
		if rec.ended() {
			b.charge(duplicate, "consumer %d: %v was taken, and had been before: %s", r.seat, id, rec.story())
		}
		rec.flags |= recTaken
		if r.last[id.seat].before(id) {
			r.last[id.seat] = place{id.life, id.seq + 1}
		} else {
			rec.flags |= recEarly
		}
	case noteHeld:
		b.hold(r, rec, id, n.attempt())
	case noteAcked:
		b.totals.Acked++
		r.gone++
		delete(r.held, id)
		if rec.ended() {
			b.charge(duplicate, "consumer %d: %v was acked, and had ended before: %s", r.seat, id, rec.story())
		}
		rec.flags |= recAcked
		rec.acked = uint8(n.attempt())
	case noteNacked:
		b.totals.Nacked++
		delete(r.held, id)
		rec.freed |= bit
	}
	if rec.flags&recAcked != 0 && bits.Len64(rec.seen) > int(rec.acked) {
		b.charge(late, "consumer %d: %v came after it had been acked: %s", r.seat, id, rec.story())
	}
}

// hold takes into account that a consumer was delivered a record to keep.
func (b *book) hold(r *reader, rec *rec, id recordID, attempt int) {
	bit := attemptBit(attempt)
	if rec.seen&bit != 0 && attempt < maxAttempt {
		b.charge(duplicate, "consumer %d: %v came with attempt %d, and had before: %s", r.seat, id, attempt, rec.story())
	}
	rec.seen |= bit
	r.held[id] = attempt
	if attempt > 1 {
		b.totals.Redelivered++
		return
	}
	if attempt < 1 {
		b.charge(attempts, "consumer %d: %v came with attempt %d", r.seat, id, attempt)
	}
	if last := &r.last[id.seat]; last.before(id) {
		*last = place{id.life, id.seq + 1}
	} else {
		b.charge(reordered, "consumer %d: %v came for the first time after p%d.%d#%d", r.seat, id, id.seat, last.life, last.seq-1)
	}
}

// wasPut tells whether the note is of a record that may be there, and charges
// whoever is to blame if not.
func (b *book) wasPut(r *reader, n note) bool {
	id := n.id()
	switch {
	case n.kind() == noteTorn:
		b.charge(torn, "consumer %d: a record that says it is %v; its bytes are in the evidence", r.seat, id)
		return false
	case n.recordKind() == abortedRecord:
		b.charge(aborted, "consumer %d: got a record of producer %d, life %d, whose reservation was given up", r.seat, id.seat, id.life)
		return false
	case n.recordKind() != plainRecord || int(id.seat) >= b.producers || id.life == 0 || id.life > b.newest[id.seat]:
		b.charge(invented, "consumer %d: got %v, and there is no such producer", r.seat, id)
		return false
	}
	l := b.lives[id.seat][id.life]
	if l == nil {
		b.charge(late, "consumer %d: %v came long after all of its producer had ended", r.seat, id)
		return false
	}
	begun := l.begun
	if !l.dead {
		begun = b.ledger.lines[id.seat].begun.Load()
	}
	if id.seq >= begun {
		b.charge(invented, "consumer %d: got %v, and its producer had put %d records only", r.seat, id, begun)
		return false
	}
	b.furthest[id.seat] = max(b.furthest[id.seat], id.life)
	return true
}

// find returns the account of a record that was put; nil if it has been closed.
func (b *book) find(id recordID) *rec {
	l := b.lives[id.seat][id.life]
	if l == nil {
		return nil
	}
	if r := l.at(id.seq); r != nil {
		return r
	}
	if s := b.strays[id]; s != nil {
		return &s.rec
	}
	return nil
}

// taken takes into account what the referee itself has taken at the end.
func (b *book) taken(notes ...note) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, n := range notes {
		b.judge(b.readers[b.consumers], n)
	}
}
