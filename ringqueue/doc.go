// Package ringqueue is a queue between the processes of one machine: bounded,
// first in first out, for any number of producers and consumers, in a
// memory-mapped file. It is what multiprocessing.Queue and JoinableQueue are to
// Python, without the pipe, the feeder thread and the lock that a killed reader
// takes to its grave.
//
// [Queue] carries values of one Go type. Under it lies [Ring], which carries
// records of bytes and hands out the ring's own memory: Reserve room, write,
// Commit; Borrow a record, read, Release.
//
// # Model
//
// The data is a ring of 64-byte blocks; a record takes as many as it needs, one
// behind the other (the data is mapped twice in a row, so that they may wrap).
// Beside the blocks stands a ring of descriptors, one 64-bit word a block. The
// word of a record's first block says everything about it: lap of the ring,
// length, who holds it, how often it was delivered, and its state
//
//	free → reserved → committed → borrowed → released → free
//
// Claiming room is one compare-and-swap of that word, which publishes owner and
// length together, and so is borrowing; each other change is one store by the
// owner. (A sole producer needs no claim: its Put goes from free to committed by
// one store.) Three cursors
// (tail, consume, reclaim) save everybody the walk, but are only hints that
// anybody can recompute and help forward. Nobody waits for anybody, but for the
// record at the head to be committed, because the order is kept.
//
// A record of more than a quarter of the ring is carried by reference: it lies in
// memory of its own in the same file, where it is written and read in place as well.
// Handing it over costs the same whatever its size, and whoever has borrowed it keeps
// no place in the ring: such a lease may be long.
//
// Guarantees:
//
//   - First deliveries are in the order in which the records were reserved.
//   - When Put or Commit returns, the record is visible to every process.
//   - Get is at most once. Receive with Ack, and Borrow with Release, are at
//     least once, with the attempt counted. What is delivered again may come
//     after later records.
//   - Len is exact when nobody is in the middle of an operation.
//
// # Crash safety
//
// Any process may be killed between any two instructions. What it held is then
// named in the words, and whoever waits for it next, opens the queue, or has it
// open (once a second) finds the dead process's liveness lock free and repairs:
//
//   - a record being written is discarded: that one only;
//   - a record being read by Get is delivered to somebody else, and so is a
//     lease or a delivery that was not ended; after MaxAttempts deliveries it is
//     discarded and counted as a dead letter;
//   - an exclusive role is free again; an item taken and not done no longer
//     holds up Join.
//
// A process that is stopped keeps what it holds, for ever if need be: nobody is
// robbed for being slow. While it stands in the middle of a record, those behind
// it wait; Len, TryPut and TryGet never do.
//
// A process in the instant between claiming a descriptor and its
// compare-and-swap relies on the ring not advancing by an exact multiple of its
// lap tags meanwhile (4 TiB of traffic in a 1 MiB ring, to the block): the only
// assumption about time.
//
// # Memory model
//
// A commit is a sequentially consistent atomic store, a borrow an atomic load
// of the same word: what a producer wrote before Commit or Put happens before
// what a consumer reads after Borrow or Get. A release happens before the next
// reservation of the same memory in the same way. Within a batch the first
// record is published last, and with it all of them.
//
// In exclusive mode some stores are release stores only. Each is followed by a
// sequentially consistent store of the same goroutine before it looks at what
// others wrote, and every reader validates the word that it acts on; the order
// borrowed word, cursor, released word is what keeps reclaim behind consume.
//
// # Limits
//
//   - A record in the ring is at most a quarter of the capacity, and 8 MiB − 1 byte;
//     one by reference as large as Options.MaxRecord and Options.MaxLarge allow, and
//     4 GiB − 64 KiB − 64 bytes. The file is longer by MaxLarge, 1 GiB by default,
//     but takes space only for what was needed at one time, in units of 64 KiB.
//   - Capacity is at most 512 MiB; 256 handles can hold a queue at once.
//   - A record takes whole blocks of 64 bytes, plus 8 bytes for each.
//   - A record in the ring that is borrowed for long holds up the reuse of the
//     memory behind it: the ring fills. One by reference only keeps its own.
//   - When the memory for records by reference is used up, puts of them wait, or
//     return [ErrFull], as with a full ring. If the file system is full, and none of
//     them is there that could make room by being taken, they return [ErrNoSpace].
//   - Processes that share a queue trust each other's values, not each other's
//     health: whoever may open the file may also write nonsense into it. Nonsense
//     is an error ([ErrCorrupt]) or a wrong record, but never a panic, a fault, an
//     endless loop or memory outside of the ring. Against a file that is cut short
//     while it is mapped there is no help: see package shm.
package ringqueue
