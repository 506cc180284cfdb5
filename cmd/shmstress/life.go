package main

import (
	"fmt"
	"math/bits"
	"strings"
	"time"
)

// A life is the account of what one producer process has put.
//
// It keeps a window of records: those that have not met their end, and those
// behind them. What is before the window has ended, or has been moved to the
// book's stragglers.
type life struct {
	seat uint8
	no   uint32

	dead         bool
	begun, ended uint64        // of a dead one: see seatLine
	passed       time.Duration // when a record of a later life was seen; 0: not yet

	base uint64 // seq of the window's first record
	recs []rec
	done int // of the first ones, how many were settled at the end of the last round
}

// A rec is what the notes have told about a record.
type rec struct {
	seen  uint64 // bit a-1: it was delivered with attempt a, and kept until acked or nacked
	freed uint64 // those of seen that have given it back, or died
	flags recFlags
	acked uint8 // the attempt that was acked, perhaps
}

type recFlags uint8

const (
	recTaken recFlags = 1 << iota // by a Get
	recAcked                      // for sure
	recDoubt                      // a consumer was killed in its ack: perhaps acked
	recEarly                      // a Get took it out of order: so it had been delivered before
)

// maxAttempt is where attempt numbers saturate.
const maxAttempt = 64

func attemptBit(attempt int) uint64 { return 1 << (min(max(attempt, 1), maxAttempt) - 1) }

// ended tells whether nobody may get the record any more.
func (r *rec) ended() bool { return r.flags&(recTaken|recAcked) != 0 }

// settled tells whether nothing more will be noted about the record.
func (r *rec) settled() bool {
	open := r.seen &^ r.freed
	if r.flags&recAcked != 0 {
		open &^= attemptBit(int(r.acked))
	}
	return r.ended() && open == 0
}

// skipped returns how many deliveries nobody has noted: those before the last
// one that was, and the one that a Get out of order tells of.
func (r *rec) skipped() int {
	if r.seen == 0 {
		if r.flags&recEarly != 0 {
			return 1
		}
		return 0
	}
	return bits.Len64(r.seen) - bits.OnesCount64(r.seen)
}

// doubtful tells whether the record may have ended with its consumer's death.
func (r *rec) doubtful() bool {
	return r.flags&recDoubt != 0 && bits.Len64(r.seen) <= int(r.acked)
}

// story says what became of a record.
func (r *rec) story() string {
	if r.seen == 0 && r.flags == 0 {
		return "never delivered"
	}
	var b strings.Builder
	for a := 1; a <= maxAttempt; a++ {
		if bit := attemptBit(a); r.seen&bit != 0 {
			fmt.Fprintf(&b, "delivered with attempt %d, ", a)
			if r.freed&bit != 0 {
				b.WriteString("given back, ")
			}
		}
	}
	if r.flags&recTaken != 0 {
		b.WriteString("taken by a get, ")
	}
	if r.flags&recAcked != 0 {
		fmt.Fprintf(&b, "acked with attempt %d, ", r.acked)
	}
	return strings.TrimSuffix(b.String(), ", ")
}

// at returns the window's record of that seq, and makes the window long enough.
// It is nil if the record is before the window.
func (l *life) at(seq uint64) *rec {
	if seq < l.base {
		return nil
	}
	for uint64(len(l.recs)) <= seq-l.base {
		l.recs = append(l.recs, rec{})
	}
	return &l.recs[seq-l.base]
}

// drop takes the first n records from the window.
func (l *life) drop(n int) {
	l.base += uint64(n)
	l.recs = l.recs[n:]
	if cap(l.recs) > 4*len(l.recs)+1024 {
		l.recs = append(make([]rec, 0, 2*len(l.recs)), l.recs...)
	}
}
