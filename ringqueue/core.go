package ringqueue

import (
	"sync/atomic"

	"github.com/shmkit/shmkit/internal/fault"
)

// core is the lock-free ring: the words, the cursors and the data, and the
// steps by which records move through their states. It neither waits nor
// wakes, and knows nothing of files, slots' locks or types. Whoever calls it
// holds a use of the mapping.
//
// The three cursors are hints. Tail is at or before the frontier (the first
// free word), consume at or before the first record never borrowed, reclaim at
// or before the first record not terminal: reclaim ≤ consume ≤ tail. Anybody
// can recompute them from the words and help them forward by compare-and-swap,
// so a process that dies between two steps leaves nothing that others can't
// see and finish.
//
// The protocol was model-checked before it was written; the names F1 to F13 in
// the comments are the counterexamples that killed simpler versions.
type core struct {
	geometry
	maxItems uint64 // 0: as many as fit
	poison   uint64 // deliveries after which a record is discarded; 0: never
	me       int    // the slot written into claimed and borrowed words

	words []atomic.Uint64 // one per block
	data  []byte          // the blocks, twice in a row if mirrored

	tail    *atomic.Uint64 // cursor; producers, helpers
	consume *atomic.Uint64 // cursor; consumers, helpers
	reclaim *atomic.Uint64 // position; anybody

	// redeliver says that committed records may lie behind consume, dropped
	// that discarded ones may lie between consume and tail. See dirty.
	redeliver dirty
	dropped   dirty

	shutdown *atomic.Uint32 // shutdownFlag; set once or twice, never cleared

	large *large // where records by reference are; nil: there are none
}

// A status is the outcome of a step that did not fail halfway.
type status uint8

const (
	done    status = iota
	full           // no room, or MaxItems reached
	empty          // nothing to take
	blocked        // the next record is still being written by its owner
	ended          // shut down
	corrupt        // the words contradict each other: not written by this protocol
	noSpace        // no memory for a large record, and nobody who could give any back
)

// maxSteps bounds every loop over shared words. Each round of a correct ring
// means that somebody else got on; so many of them in one operation mean that
// the memory is being written by something that does not follow the protocol.
const maxSteps = 1 << 16

// maxWalks bounds how often a walk over all words starts again because the ring
// has overtaken it.
const maxWalks = 100

func (c *core) load(pos uint64) word { return word(look(&c.words[pos&c.mask])) }

func (c *core) swap(pos uint64, old, new word, step string) bool {
	fault.Point(step)
	return c.words[pos&c.mask].CompareAndSwap(uint64(old), uint64(new))
}

// store publishes a word that only the caller may change: a record's owner
// while it lives, its recoverer afterwards (invariant I4). Sequentially
// consistent, because what follows is a look at the waiters' word.
func (c *core) store(pos uint64, w word, step string) {
	fault.Point(step)
	c.words[pos&c.mask].Store(uint64(w))
}

func (c *core) loadTail() cursor    { return cursor(look(c.tail)) }
func (c *core) loadConsume() cursor { return cursor(look(c.consume)) }
func (c *core) loadReclaim() uint64 { return look(c.reclaim) }

// loadShutdown returns 0 until the queue is shut down.
func (c *core) loadShutdown() uint32 {
	fault.Look(c.shutdown)
	return c.shutdown.Load()
}

// look loads a shared word. Every load on which a step depends passes here, so
// that the explorer can place the steps of others before it.
func look(w *atomic.Uint64) uint64 {
	fault.Look(w)
	return w.Load()
}

// helpTail moves tail over the record w at t, unless somebody has done it.
func (c *core) helpTail(t cursor, w word) {
	fault.Point("ring.tail")
	c.tail.CompareAndSwap(uint64(t), uint64(t.step(w)))
}

// helpTailPast makes sure that tail does not stand at pos, where w was found.
func (c *core) helpTailPast(pos uint64, w word) {
	if t := c.loadTail(); t.pos() == pos {
		c.helpTail(t, w)
	}
}

// helpConsume moves consume over the record w at at. Tail goes first, so that
// the cursors stay in order.
func (c *core) helpConsume(at cursor, w word) {
	c.helpTailPast(at.pos(), w)
	fault.Point("ring.consume")
	c.consume.CompareAndSwap(uint64(at), uint64(at.step(w)))
}

// span returns the bytes of the record of n bytes at pos, or false if a ring of
// this geometry can't hold such a record there.
func (c *core) span(pos, n uint64) ([]byte, bool) {
	off := pos & c.mask * blockSize
	if n > uint64(len(c.data))-off {
		return nil, false
	}
	return c.data[off : off+n : off+n], true
}

// own returns the n bytes of a record that this process has claimed: they
// are inside of the ring, because claim has seen to that.
func (c *core) own(pos, n uint64) []byte {
	off := pos & c.mask * blockSize
	return c.data[off : off+n : off+n]
}

// A dirty word says "there may be some; look": {version, dirty bit}. It is
// marked after the change that it announces, and cleared only by somebody who
// looked everywhere and found nothing while the version stood still. A death
// between change and mark is made good by recovery, which marks always (F3).
type dirty struct{ w *atomic.Uint64 }

// load returns the word; its lowest bit is set when there may be some.
func (d dirty) load() uint64 { return look(d.w) }

// mark announces that there may be some.
func (d dirty) mark() {
	for {
		v := d.load()
		fault.Point("ring.mark")
		if d.w.CompareAndSwap(v, (v|1)+2) {
			return
		}
	}
}

// clear withdraws the announcement, unless somebody has marked since seen.
func (d dirty) clear(seen uint64) {
	fault.Point("ring.clear")
	d.w.CompareAndSwap(seen, seen&^1)
}
