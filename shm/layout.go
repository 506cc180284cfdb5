package shm

import "sync/atomic"

// The file, in native byte order (little-endian on every supported platform):
//
//	0        header, one page of 4096 bytes; immutable once the file has its name
//	4096     slot table, 512 bytes a slot
//	bodyOff  body, whole pages, to the end of the file
//
// A slot is four lines of 128 bytes, because processors fetch cache lines in
// pairs: identity, producer-side counters, consumer-side counters, reserved.
// Only the process that holds the slot's liveness lock writes to any of them.

const (
	magic      = "\x89SHMKIT\n"
	endianMark = 0x0a0b0c0d
	version    = 1

	headerSize = 4096
	slotSize   = 512
	pageSize   = 4096 // least alignment of the body; larger where pages are

	kindLen = 16
	typeLen = 200
)

// Bits of header.flags.
const (
	flagPersistent = 1 << iota // outlives its processes
	flagFlock                  // liveness by a lock file a slot, not by OFD locks
	flagsKnown     = flagPersistent | flagFlock
)

// header is the start of page 0; the rest of the page is zero. It is written
// before the file has a name and never again.
type header struct {
	magic    [8]byte
	endian   uint32
	version  uint32
	flags    uint32
	crc      uint32 // CRC-32C of this struct with crc 0
	fileSize uint64
	slotOff  uint64
	slotSize uint32
	slots    uint32
	bodyOff  uint64
	bodySize uint64
	size     uint64 // bytes asked for; bodySize is this in whole pages
	mirror   uint64 // bytes at the end of the body to map twice
	created  int64  // Unix time in ns
	layout   uint64
	typeSum  uint64
	typeLen  uint32
	_        uint32
	kind     [kindLen]byte // zero-padded
	id       [16]byte      // random
	boot     [16]byte      // of the kernel; zero: unknown
	reserve  uint64        // bytes of the body that were not allocated at creation
	behind   uint64        // bytes of the body behind them
	_        [80]byte
	typ      [typeLen]byte
	_        [56]byte
}

// Values of slot.state.
const (
	slotFree = 0
	slotLive = 1 // joined and not left: live if its liveness lock is held, else dead
)

// slot is one process's entry in the slot table.
type slot struct {
	// state is stored by the holder of the liveness lock: the joiner sets it
	// live after the identity, the leaver or recoverer sets it free. Everybody
	// loads it, to know which slots are worth a system call.
	state atomic.Uint64
	// The identity is for people to read: no decision rests on it. It may be
	// torn, or that of the previous owner, to whoever reads without the lock.
	generation atomic.Uint64 // joins so far
	pid        atomic.Uint64 // in its own namespace
	start      atomic.Uint64 // process start, clock ticks after boot
	pidNS      atomic.Uint64 // inode of the PID namespace
	joined     atomic.Uint64 // Unix time in ns
	command    [10]atomic.Uint64

	counters [numCounters]atomic.Uint64
	_        [128]byte
}
