// Package arena gives out blocks of a segment's memory to several processes, any of
// which may be killed at any instruction.
//
// # Model
//
// The arena is an array of chunks of 64 KiB in a range of addresses that is mapped
// from the start; their space is taken one by one, when they are first used. A chunk
// is cut into blocks of one size, or is part of an extent, which is a larger block of
// whole chunks. A block begins with its head: how often it has been given out (its
// incarnation) and whether it is free or being filled, live, or retired. The head is
// the truth, and all there is of it in the file. Which blocks are free is known to
// the process that owns the chunk, in its own memory; who takes over a chunk looks at
// the heads.
//
// So a process allocates from chunks of its own and takes no lock that another might
// hold. It owns a chunk only while it has free blocks of it at hand. Whoever
// retires a block takes it for itself if nobody owns its chunk; else it leaves a hint
// that there is something to harvest.
//
// What refers to a block, and when it may be retired, is the caller's business
// (package dict). So is reading: a reader without a lock compares page word and head
// before and after. Memory is never given back to another use under a reader that has
// set a [Pin], unless memory is short: then the pin is ousted, and its holder told.
//
// # Crash safety
//
// A process that dies leaves chunks that it owned. Its blocks being filled are free
// by their heads, its chunks given back by [Arena.Reap], which the holder of the dead
// slot's liveness lock runs after having finished or undone what the dead process had
// written down. A block between its making live and the first reference to it, or
// between the last reference and its retirement, must be named in such a note.
//
// # Memory model
//
// The source is the design in dict.md of the protocols: page words, heads, pins and
// epoch are sequentially consistent atomics. [Arena.Alloc] ends with a fence between
// the store of the new incarnation and the plain stores of the block's bytes. A reader
// needs mem.FenceLoads between its plain loads and the last look at the head. A pin is
// set by a swap before what it protects is looked up; a harvester looks at pins after
// the blocks were retired. One of the two sees the other.
//
// # Limits
//
// 256 process slots, 1 TiB. The largest block is 4 GiB less 64 KiB. A stopped process
// keeps the free blocks that it has at hand: at most 512 and one chunk of each size.
// The space of a chunk is not given back to the file system before [Arena.Trim].
package arena
