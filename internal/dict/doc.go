// Package dict is a hash table from bytes to bytes in memory that several processes
// share, any of which may be killed at any instruction. Package manager puts types on it.
//
// # Model
//
// A table has stripes, by the first bits of the hash; a stripe is an extendible hash table:
// a directory of 2^d references to segments of 64 buckets of 7 slots. A slot is a
// word: 24 bits of the hash, flags, and a reference to the entry, a block of the arena
// that never changes. A key may be in either of two buckets, whichever has more room; when both are full
// the segment is split in two, which looks at slots only and takes some microseconds.
// (The protocols' sketch had a neighbour and a stash instead of the second choice, and 16 bits of the hash. Two choices fill
// a segment to four fifths before it must be split, without a count of overflows to keep right; and with 24 bits, the ones
// that choose the segment, a split needs none of the keys.)
//
// The locks are the store's: 128 for all tables of a segment. Under a lock there is no user
// code, no allocation and no system call but to wake somebody.
//
// # Crash safety
//
// Before a holder of a lock changes anything it writes down what it is about to do, in
// the lock's line: the intent. Who finds it dead looks at the one word that counts, the
// slot, or the header of the segment that is split, or the state of the transaction's record, and finishes or
// undoes it, in the dead one's name and under its liveness lock. Each step may be repeated, so that who
// repairs may die too. Locks first, then chunks of the arena, then the process slot: until a
// stripe is repaired, no block that its intent names can be given to others.
//
// # Memory model
//
// The order of all steps is that of the model-checked protocols (dict.md); each is an atomic
// operation. Stores under a lock are release stores, in order with each other; taking and giving back a
// lock are full barriers. A reader loads slot, page, head, slot again, then reads key and value, then a load fence,
// then head and page again.
//
// What keeps two steps in order where the processor would not, as arm64: an atomic load is
// LDAR there, a store STLR, a swap, an addition and a compare-and-swap are both. On amd64 only
// the swaps cost anything.
//
//	step                       before                    kept by
//	Get: slot, page, head,     each other                LDAR
//	  slot again
//	Get: slot again            key and value             LDAR
//	Get: key and value         head and page again       mem.FenceLoads (DMB ISHLD), in Still: an LDAR
//	                                                     does not hold back plain loads before it
//	Get, a miss: slots         the segment's header      LDAR
//	Alloc: the new head        key and value             mem.FenceStores (DMB ISHST): after an STLR plain
//	                                                     stores may go first
//	key and value              head live                 STLR
//	head live, intent          version, slot             mem.StoreRelease (STLR), each after the other
//	slot                       retire, counts, the       compare-and-swap, STLR
//	                           intent's end, the lock
//	lock                       what it guards            compare-and-swap (acquire), swap (release)
//	split: copies, headers,    each other, as in         STLR
//	  directory, clearing      finishSplit
//	Snapshot, Reading:         locks, slots              LDAR
//	  versions
//	Snapshot, Reading: slots   versions again            LDAR, and mem.FenceLoads
//	Tx: record, intents,       each other, as in apply   STLR
//	  heads, versions, commit,
//	  slots
//	View: pin                  slot                      swap: store before load needs a full barrier
//	View: value                pin again                 mem.FenceLoads
//	harvest: heads             epoch, then pins          addition: a full barrier between loads, too
//	retire                     the hint, pins            compare-and-swap before an addition, or a load
//	unlock                     looking for waiters       one swap does both
//
// What a dead process has stored is seen in the order of these, as by the living: recovery begins
// after the kernel has released its liveness lock.
//
// The race detector sees all of this in the tests of this package, which lie in the heap: the
// plain copies that the protocol checks afterwards are hidden from it (mem.Copy and others).
//
// # Limits
//
// A segment is never given back while its table lives. The depth of a directory is at most
// 24, which is 2^24 segments for each stripe.
package dict
