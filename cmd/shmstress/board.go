package main

import (
	"fmt"
	"sync/atomic"

	"github.com/shmkit/shmkit/internal/mem"
	"github.com/shmkit/shmkit/shm"
)

// The board is a block of shared memory in which the members of a dict's run write
// down what they are about to do, and what they have done. It outlives each of them.
//
//	claims             the winners of the last rounds of each
//	line of a place    one for each member
//	keys of a place    one line for each key
//
// But where something else is said, a word is written by the process in that place
// only.
type board struct {
	seg    *shm.Segment
	claims []claimLine // written by everybody
	places []placeLine
	keys   [][]keyLine // by place
}

// A claimLine has the winners of the last rounds.
type claimLine [claimsKept]atomic.Uint64

// A placeLine is what the member in that place writes.
type placeLine struct {
	life    atomic.Uint64 // of the process; written by the referee
	ready   atomic.Uint64 // 1: it takes part
	beat    atomic.Uint64 // duties done
	duty    atomic.Uint64 // the one it is in, +1; 0: none
	changes atomic.Uint64 // that it has made to dicts
	_       [88]byte

	duties [16]atomic.Uint64 // done, by kind

	// Additions to each counter: those begun, and those that have returned.
	tried, added [counters]atomic.Uint64

	will lastWill
	_    [48]byte
}

// A keyLine is what is known of a key: versions from acked to tried may be there.
type keyLine struct{ acked, tried atomic.Uint64 }

const (
	counters      = 8
	claimKeys     = 64
	claimsKept    = 64
	claimsSize    = claimKeys * claimsKept * 8
	placeLineSize = 128 + 16*8 + 2*counters*8 + 128
	keyLineSize   = 16
)

func createBoard(name, dir string, places, keys int) (*board, error) {
	size := claimsSize + places*(placeLineSize+keys*keyLineSize)
	seg, err := shm.Create(name, int64(size), &shm.Options{Dir: dir, Slots: maxSlots})
	if err != nil {
		return nil, err
	}
	return viewBoard(seg, places, keys)
}

func openBoard(handle string, places, keys int) (*board, error) {
	seg, err := shm.OpenHandle(handle, nil, nil)
	if err != nil {
		return nil, err
	}
	return viewBoard(seg, places, keys)
}

func viewBoard(seg *shm.Segment, places, keys int) (*board, error) {
	b, bytes, off := &board{seg: seg}, seg.Bytes(), claimsSize
	var err error
	if b.claims, err = mem.Slice[claimLine](bytes, 0, claimKeys); err == nil {
		b.places, err = mem.Slice[placeLine](bytes, off, places)
	}
	off += places * placeLineSize
	for range places {
		var keyLines []keyLine
		if err == nil {
			keyLines, err = mem.Slice[keyLine](bytes, off, keys)
		}
		b.keys = append(b.keys, keyLines)
		off += keys * keyLineSize
	}
	if err != nil {
		return nil, fmt.Errorf("board: %w", err)
	}
	return b, nil
}

// changes returns how many changes all places but one have made.
func (b *board) changes(but int) (n uint64) {
	for i := range b.places {
		if i != but {
			n += b.places[i].changes.Load()
		}
	}
	return n
}

// count returns how often a counter was added to for sure, and at most. When additions go on,
// added comes from before tried.
func (b *board) count(counter int) (added, tried uint64) {
	for i := range b.places {
		added += b.places[i].added[counter].Load()
	}
	for i := range b.places {
		tried += b.places[i].tried[counter].Load()
	}
	return added, tried
}
