package dict

import (
	"fmt"
	"sync/atomic"
)

// What a store has in the body before the arena:
//
//	base      stripes: Stripes × 256 bytes
//
// In blocks of the arena, after the head:
//
//	object    words 1 kind, 2 id, 3 shape, 4 touched; from word 8 on a bit for each
//	          process slot that has a handle of it
//	table     an object; its shape is log2 of its stripes | first lock<<8; from word
//	          16 on a line of 8 words for each of its stripes
//	directory word 1 depth, 2 the directory before it; from word 8 on 2^depth
//	          references to segments
//	segment   word 1 header (local depth | prefix<<8); from word 8 on 64 buckets of 8
//	          words: 7 slots and a control word
//	record    of a transaction: word 1 its state, 2 how many changes; from word 8 on
//	          16 words for each
//	entry     word 1 length of the key (20 bits) | of the value<<20 (32 bits) |
//	          flags<<56; word 2 expiry, if it has one; the key, padded to 8 bytes;
//	          the value
//
// A 64-bit hash is used as follows, from the top: up to 8 bits choose the stripe of
// the table; the next 24, the tag, choose the segment by their first bits, and stand
// in the slot, so that a split needn't look at the entries; the lowest 11 choose the
// two buckets.

// Stripes is the number of locks of a store.
const Stripes = 128

// stripe is a lock, with what is done under it. All stores are by its holder,
// or by who recovers a dead one in its name, but for the waiters' bit and the event.
type stripe struct {
	// lock is the holder's slot + 1, and the waiters' bit.
	lock atomic.Uint32
	// event is an event count (package futex) of the commits.
	event atomic.Uint32
	// ver grows before the first slot store of each lock session.
	ver atomic.Uint64
	// op says what the holder is in the middle of, and so what the fields mean.
	op atomic.Uint64
	f  [13]atomic.Uint64
	_  [128]byte
}

const waiters = 1 << 31 // bit of stripe.lock

// Values of stripe.op.
const (
	opNone    = 0
	opReplace = 1 // of one slot's word
	opSplit   = 2 // of a segment
	opTx      = 3 // of several slots, named by a record
	opUnlink  = 4 // of a segment or directory of a table that nobody uses
)

// Fields of opReplace. The counts are the ones after it.
const (
	rSlot   = iota // index of the slot's word
	rNew           // its new content
	rNewInc        // incarnation of the new entry
	rOld
	rOldInc
	rLine // index of the first word of the table's stripe
	rCount
	rBytes
	rWith    // block that becomes live with the new entry, or retired with the old one; or 0
	rWithInc // its incarnation
)

// Fields of opUnlink.
const (
	uWord = iota // index of the word that refers to the block
	uOld         // its content before
	uNew         // and after
	uRef         // the block
	uInc
)

// The field of opTx.
const tRecord = 0 // reference to the record

// Words of a record.
const (
	recordState = 1
	recordCount = 2
)

// Words of a change in a record.
const (
	cLock   = iota // number of the lock
	cSlot          // index of the slot's word
	cNew           // its new content
	cNewInc        // incarnation of the new entry
	cOld
	cOldInc
	cLine // as in opReplace
	cEntries
	cBytes
)

// changeWords are the words of a change in a record.
const changeWords = 16

const txCommitted = 1

// Fields of opSplit.
const (
	sOld    = iota // the segment to split; 0: the first one of a stripe is made
	sNew           // the segment for the upper half
	sNewInc        // its incarnation
	sDir           // the directory of twice the size; 0: the old one will do
	sDirInc
	sLine
	sDepth // local depth after the split
	sPrefix
)

// Words of a table's stripe, from its line on.
const (
	lineRoot    = iota // directory<<8 | depth; 0: nothing there yet
	lineCount          // entries
	lineBytes          // of their blocks
	lineHand           // where eviction goes on: position of a segment | bucket
	lineEvicted        // how many entries were evicted
	lineExpired        // how many were removed because their time was over
	lineWords   = 8
)

// Words of blocks.
const (
	wordKind  = 1
	wordID    = 2
	wordShape = 3
	tableWord = 16
	wordDepth = 1
	wordPrev  = 2
	wordHdr   = 1
	wordMeta  = 1
	firstWord = 8
)

const (
	buckets   = 64
	slotsEach = 7
	control   = 7 // index of the control word in its bucket

	// SegmentBytes is the size of a segment.
	SegmentBytes = (firstWord + buckets*8) * 8
	maxDepth     = 24
)

// A slot's word is tag<<40 | flags<<36 | reference>>4; 0 is a free slot.
const (
	tagShift = 40
	refMask  = 1<<36 - 1

	// FlagExpires marks an entry with an expiry.
	FlagExpires = 1
	// FlagRefers marks an entry whose value is a reference to an object.
	FlagRefers = 2
)

func slotWord(tag uint64, flags uint64, ref uint64) uint64 {
	return tag<<tagShift | flags<<36 | ref>>4
}

func refOf(w uint64) uint64   { return w & refMask << 4 }
func tagOf(w uint64) uint64   { return w >> tagShift }
func flagsOf(w uint64) uint64 { return w >> 36 & 15 }

// MaxKey is the longest key in bytes, MaxValue the longest value.
const (
	MaxKey   = 1<<20 - 1
	MaxValue = 1<<32 - 1
)

func metaWord(klen, vlen int, flags uint64) uint64 {
	return uint64(klen) | uint64(vlen)<<20 | flags<<56
}

func keyLen(meta uint64) int        { return int(meta & MaxKey) }
func valueLen(meta uint64) int      { return int(meta >> 20 & MaxValue) }
func entryFlags(m uint64) uint64    { return m >> 56 & 15 }
func pad(n int) int                 { return (n + 7) &^ 7 }
func keyOff(flags uint64) int       { return 16 + int(flags&FlagExpires)*8 }
func valueOff(meta uint64) int      { return keyOff(entryFlags(meta)) + pad(keyLen(meta)) }
func entrySize(meta uint64) int     { return valueOff(meta) + valueLen(meta) }
func position(h uint64) uint64      { return h << 8 }
func tagFor(h uint64) uint64        { return position(h) >> 40 }
func index(p uint64, d int) int     { return int(p >> (64 - d)) }
func headerOf(d, prefix int) uint64 { return uint64(d) | uint64(prefix)<<8 }

// owns tells whether the segment with this header is the one for position p.
func owns(hdr, p uint64) bool { return hdr>>8 == p>>(64-hdr&0xff) }

// pairOf returns the two buckets of a hash.
func pairOf(h uint64) (first, second int) {
	first = int(h & (buckets - 1))
	return first, (first + 1 + int(h>>6&31)) & (buckets - 1)
}

// checkBody checks numbers that may come from a file.
func checkBody(size, base int) error {
	if base < 0 || base%256 != 0 || base > size || Size > size-base {
		return fmt.Errorf("%w: stripes at %d of %d bytes", ErrCorrupt, base, size)
	}
	return nil
}

// Size is how many bytes a store takes outside of the arena.
const Size = Stripes * 256
