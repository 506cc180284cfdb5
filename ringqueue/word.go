package ringqueue

// A word describes the record that starts at its block. It is the whole truth
// about that record: what it is, how long, whose, and in which lap of the ring
// it was written. Every change of a record's state is one store or one
// compare-and-swap of its word.
//
//	63       42 41      18 17   10 9       4 3     0
//	+----------+----------+-------+---------+-------+
//	| lap tag  |  length  | owner | attempt | state |
//	+----------+----------+-------+---------+-------+
//	    22         24         8        6        4
//
// The length counts bytes in a single record, blocks in a pad, and packs
// blocks and items in a batch extent. In a single record its highest bit says
// that the bytes refer to a block of the arena, where the record itself is (see
// large). A word with an older lap tag than its position's is free, whatever else
// it says: nothing is ever zeroed.
type word uint64

// A state is what a word says of its record.
//
//	free --claim--> reserved --commit--> committed --borrow--> borrowed --release--> released
//	                    |                    ^                      |
//	                    | abort, death       +---- requeue, death --+---- poison ----> discarded
//	                    +--> discarded
//
// reservedBatch and discardedBatch describe an extent of several records that
// is not committed yet, or never will be; its commit turns it into that many
// committed words. pad fills the end of a lap, or the end of a reservation
// that was committed shorter. inner marks a block inside an extent in sweep
// laps (see geometry.sweeps); no cursor ever stands on it.
type state uint8

const (
	reserved state = iota + 1
	reservedBatch
	committed
	borrowed
	released
	discarded
	discardedBatch
	pad
	inner
)

const (
	stateBits   = 4
	attemptBits = 6
	ownerBits   = 8
	lengthBits  = 24
	tagBits     = 22

	attemptShift = stateBits
	ownerShift   = attemptShift + attemptBits
	lengthShift  = ownerShift + ownerBits
	tagShift     = lengthShift + lengthBits

	maxAttempt = 1<<attemptBits - 1 // an attempt count saturates here and never returns to 0
	maxOwners  = 1 << ownerBits     // slots of a segment
	maxLength  = 1<<lengthBits - 1  // blocks of a pad, what else the field holds

	byReference = 1 << (lengthBits - 1) // the bit of a record's length
	maxInline   = byReference - 1       // bytes of a record in the ring

	// A batch extent packs its blocks and its items into the length field.
	batchItemBits  = 10
	maxBatchItems  = 1<<batchItemBits - 1
	maxBatchBlocks = 1<<(lengthBits-batchItemBits) - 1
)

func makeWord(tag, length uint64, owner int, attempt uint64, s state) word {
	return word(tag<<tagShift | length<<lengthShift | uint64(owner)<<ownerShift | attempt<<attemptShift | uint64(s))
}

func batchLength(blocks, items uint64) uint64 { return blocks<<batchItemBits | items }

func (w word) state() state    { return state(w & (1<<stateBits - 1)) }
func (w word) attempt() uint64 { return uint64(w>>attemptShift) & maxAttempt }
func (w word) owner() int      { return int(w>>ownerShift) & (maxOwners - 1) }
func (w word) length() uint64  { return uint64(w>>lengthShift) & maxLength }
func (w word) tag() uint64     { return uint64(w >> tagShift) }

// blocks returns how many blocks the record takes: at least 1, whatever the
// word says, so that a walk always advances.
func (w word) blocks() uint64 {
	switch w.state() {
	case pad:
		return max(w.length(), 1)
	case reservedBatch, discardedBatch:
		return max(w.length()>>batchItemBits, 1)
	default:
		return blocksFor(w.length() &^ byReference)
	}
}

// large tells whether the single record w is one by reference.
func (w word) large() bool { return w&(byReference<<lengthShift) != 0 }

// items returns how many items the record adds to the cursors' counts.
func (w word) items() uint64 {
	switch w.state() {
	case pad, inner:
		return 0
	case reservedBatch, discardedBatch:
		return w.length() & maxBatchItems
	default:
		return 1
	}
}

// terminal tells whether the record is over: its blocks wait for reclaim.
func (w word) terminal() bool {
	switch w.state() {
	case released, discarded, discardedBatch, pad:
		return true
	}
	return false
}

// claimed tells whether a producer still holds the record.
func (w word) claimed() bool {
	s := w.state()
	return s == reserved || s == reservedBatch
}

// with returns w in another state; tag, length, owner and attempt stay.
func (w word) with(s state) word { return w&^(1<<stateBits-1) | word(s) }

// borrowedBy returns the committed word w as borrowed by the given slot.
func (w word) borrowedBy(slot int) word {
	const owner = (maxOwners - 1) << ownerShift
	return (w &^ owner & ^word(1<<stateBits-1)) | word(slot)<<ownerShift | word(borrowed)
}

// again returns the borrowed word w as committed once more, with its attempt
// count one higher. The count never returns to 0: attempt 0 means that the
// consume cursor has not passed the record (invariant I3).
func (w word) again() word {
	n := min(w.attempt()+1, maxAttempt)
	const attempts = maxAttempt << attemptShift
	return w&^attempts&^(1<<stateBits-1) | word(n)<<attemptShift | word(committed)
}

// discard returns the dead or aborted reservation w as discarded: the same
// extent, the same number of items.
func (w word) discard() word {
	if w.state() == reservedBatch {
		return w.with(discardedBatch)
	}
	return w.with(discarded)
}

// A cursor packs a position in blocks and the number of items before it. Both
// are derived from the walk over the words, so whoever finds a cursor behind
// can help it forward and gets the same result as everybody else.
//
//	63                    24 23          0
//	+-----------------------+-------------+
//	|  position in blocks   |    items    |
//	+-----------------------+-------------+
//
// Both wrap around; only differences are used. 40 bits of blocks are 64 TiB.
type cursor uint64

const (
	countBits = 24
	posBits   = 64 - countBits
	countMask = 1<<countBits - 1
	posMask   = 1<<posBits - 1
)

func makeCursor(pos, count uint64) cursor { return cursor(pos<<countBits | count&countMask) }

func (c cursor) pos() uint64   { return uint64(c >> countBits) }
func (c cursor) count() uint64 { return uint64(c) & countMask }

// step returns the cursor behind the record that w describes at c.
func (c cursor) step(w word) cursor { return c.plus(w.blocks(), w.items()) }

func (c cursor) plus(blocks, items uint64) cursor {
	return makeCursor(c.pos()+blocks, c.count()+items)
}

// after returns how many blocks position a lies after position b; negative
// when it lies before.
func after(a, b uint64) int64 { return int64((a-b)<<countBits) >> countBits }
