package ringqueue

import (
	"fmt"
	"math/bits"
)

// blockSize is the unit of the data area, in bytes: one cache line.
const blockSize = 64

// Limits of a ring's geometry.
const (
	minBlocks = 2
	maxBlocks = 1 << (countBits - 1) // the count's modulus must exceed the blocks
)

// blocksFor returns how many blocks a record of n bytes takes: at least 1.
func blocksFor(n uint64) uint64 { return max((n+blockSize-1)/blockSize, 1) }

// geometry is the arithmetic of a ring: which block a position stands for, and
// what a word found there means for it. It is fixed at creation; every process
// works from its own copy, which a corrupt file can't change.
type geometry struct {
	blocks  uint64 // N, a power of two
	mask    uint64 // N-1
	shift   uint   // log2 N
	lapMask uint64 // 2^L - 1, where L is the number of tag bits in use
	half    uint64 // 2^(L-1): tags up to so many laps back are older
	sweep   uint64 // 2^(L-2) - 1
	mirror  bool   // the data area is mapped twice: records may wrap
}

// newGeometry returns the arithmetic for a ring of blocks blocks and lapBits
// bits of lap tag; lapBits 0 means as many as fit.
func newGeometry(blocks uint64, lapBits int, mirror bool) (geometry, error) {
	if blocks < minBlocks || blocks > maxBlocks || blocks&(blocks-1) != 0 {
		return geometry{}, fmt.Errorf("%d blocks: not a power of two from %d to %d", blocks, minBlocks, uint64(maxBlocks))
	}
	shift := bits.TrailingZeros64(blocks)
	most := min(tagBits, posBits-shift)
	if lapBits == 0 {
		lapBits = most
	}
	if lapBits < 2 || lapBits > most {
		return geometry{}, fmt.Errorf("%d bits of lap tag: not from 2 to %d", lapBits, most)
	}
	return geometry{
		blocks:  blocks,
		mask:    blocks - 1,
		shift:   uint(shift),
		lapMask: 1<<lapBits - 1,
		half:    1 << (lapBits - 1),
		sweep:   1<<(lapBits-2) - 1,
		mirror:  mirror,
	}, nil
}

// lap returns the lap tag of words written at pos.
func (g *geometry) lap(pos uint64) uint64 { return (pos >> g.shift) & g.lapMask }

// An age is how a word's lap tag compares with its position's.
type age uint8

const (
	older age = iota // the block is free at this position
	same             // the word describes the record at this position
	newer            // the position is stale: the ring has gone on
)

// age compares in L-bit signed arithmetic. A word can't be more than 2^(L-2)+1
// laps old, because sweep laps refresh those that no record starts at.
func (g *geometry) age(w word, pos uint64) age {
	switch d := (g.lap(pos) - w.tag()) & g.lapMask; {
	case d == 0:
		return same
	case d <= g.half:
		return older
	default:
		return newer
	}
}

// sweeps tells whether pos lies in a sweep lap: one lap in 2^(L-2), in which
// each claimer also tags the inner blocks of its extent. Without sweeps a block
// at which no record starts for 2^L laps would seem claimed (flaw F5).
func (g *geometry) sweeps(pos uint64) bool { return (pos>>g.shift)&g.sweep == 0 }

// fits tells whether an extent of m blocks can start at pos without a pad.
func (g *geometry) fits(pos, m uint64) bool { return g.mirror || pos&g.mask+m <= g.blocks }
