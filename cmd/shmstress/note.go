package main

import "time"

// A note is what a consumer writes down about a record: 16 bytes,
//
//	kind 8 | seat 8 | attempt 8 | 8 unused | life 32
//	seq 48 | record's kind 8 | 8 unused
//
// It is plain memory. The consumer passes it on by moving its head, and gets the
// room back when the referee has moved its tail.
type note struct{ who, seq uint64 }

type noteKind uint8

const (
	noteTaken  noteKind = 1 + iota // by a Get: it is gone
	noteHeld                       // received or borrowed: it is the consumer's until it is
	noteAcked                      // ended for good, or
	noteNacked                     // given back
	noteTorn                       // its bytes are not those of a record
)

func (k noteKind) String() string {
	if k < noteTaken || k > noteTorn {
		return "?"
	}
	return [...]string{"taken", "held", "acked", "nacked", "torn"}[k-noteTaken]
}

func newNote(k noteKind, id recordID, attempt int, kind recordKind) note {
	return note{
		who: uint64(k) | uint64(id.seat)<<8 | uint64(uint8(attempt))<<16 | uint64(id.life)<<32,
		seq: id.seq | uint64(kind)<<48,
	}
}

func (n note) kind() noteKind         { return noteKind(n.who) }
func (n note) attempt() int           { return int(uint8(n.who >> 16)) }
func (n note) recordKind() recordKind { return recordKind(n.seq >> 48) }
func (n note) id() recordID {
	return recordID{seat: uint8(n.who >> 8), life: uint32(n.who >> 32), seq: n.seq & seqMask}
}

// A notebook is a consumer's end of its ring of notes.
type notebook struct {
	line  *seatLine
	notes []note
}

// add writes notes down, of which some are of records that came new. It waits
// while the referee is behind; stop ends that.
func (b *notebook) add(stop <-chan struct{}, fresh int, notes ...note) {
	head := b.line.head.Load()
	for _, n := range notes {
		for head-b.line.tail.Load() == uint64(len(b.notes)) {
			select {
			case <-stop:
				return
			case <-time.After(50 * time.Microsecond):
			}
		}
		b.notes[head%uint64(len(b.notes))] = n
		head++
		b.line.head.Store(head)
	}
	b.line.passed.Store(b.line.passed.Load() + uint64(fresh))
}

// An opKind is what a member is in the middle of.
type opKind uint8

const (
	opNone opKind = iota
	opPut
	opTryPut
	opPutMany
	opReserve
	opAbort
	opGet
	opGetMany
	opReceive
	opBorrow
	opAck
	opNack
)

var opNames = [...]string{"-", "put", "try put", "put many", "reserve and commit", "reserve and abort", "get", "get many", "receive", "borrow", "ack", "nack"}

func (k opKind) String() string { return opNames[min(int(k), len(opNames)-1)] }

// takes tells whether the operation takes records.
func (k opKind) takes() bool { return k >= opGet && k <= opBorrow }

// gets tells whether what it takes is gone.
func (k opKind) gets() bool { return k == opGet || k == opGetMany }

// enter says that the member begins an operation on up to n records.
func (s *seatLine) enter(k opKind, n int) { s.op.Store(uint64(k) | uint64(n)<<8) }

// enterEnding says that it begins to end the delivery of a record.
func (s *seatLine) enterEnding(k opKind, id recordID, attempt int) {
	n := newNote(0, id, attempt, 0)
	s.opWho.Store(n.who)
	s.opSeq.Store(n.seq)
	s.enter(k, 1)
}

// leave says that the operation has returned, and been noted.
func (s *seatLine) leave() {
	s.op.Store(0)
	s.beat.Store(s.beat.Load() + 1)
}

// doing returns the operation that the member is in, for up to n records, and
// for an ending operation which one.
func (s *seatLine) doing() (k opKind, n int, ending note) {
	w := s.op.Load()
	return opKind(w), int(w >> 8), note{s.opWho.Load(), s.opSeq.Load()}
}
