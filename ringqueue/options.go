package ringqueue

import (
	"fmt"
	"io/fs"
	"log/slog"

	"github.com/shmkit/shmkit/internal/arena"
	"github.com/shmkit/shmkit/shm"
)

// Options say how a queue is created and how this handle uses it. The zero
// value of each field is the default; a nil *Options is all defaults.
type Options struct {
	// Dir is the directory of the queue's file. Empty: [shm.DefaultDir].
	Dir string

	// Capacity is the size of the ring in bytes, rounded up to a power of two
	// of at least a page, at most 512 MiB. A record takes its size rounded up
	// to 64 bytes, and at least 64. 0: 1 MiB, or what MaxItems needs if that
	// is more. Creation only.
	Capacity int

	// MaxItems bounds the number of queued items. 0: as many as fit. Creation
	// only. A discarded item (its producer died or aborted) may take one place
	// until the items before it are taken.
	MaxItems int

	// MaxRecord bounds the size of a record in bytes. Records larger than a quarter
	// of the capacity, or 8 MiB − 1, are carried by reference: see MaxLarge. 0: 64 MiB,
	// or the size of an item where all have the same; a quarter of the capacity when
	// MaxLarge is negative. At most 4 GiB − 64 KiB − 64. Creation only.
	MaxRecord int

	// MaxLarge bounds the memory for records by reference in bytes. It lies in the
	// queue's file, which is longer by so much, but takes space only when there is
	// such a record; then it keeps it. Each takes its size and 64 bytes, rounded up to
	// 64 KiB. 0: 16 of the largest, or MaxItems items that all have one size;
	// negative: there are none, and MaxRecord is at most a quarter of the capacity.
	// Creation only.
	MaxLarge int64

	// Prefault touches every page at open, so that no operation takes a page
	// fault later. HugePages asks the kernel for huge pages.
	Prefault, HugePages bool

	// SingleProducer and SingleConsumer give the side to one handle at a time,
	// which makes it faster: the first that uses it, until it is closed or its
	// process dies. Others get [ErrRoleTaken]. Creation only.
	SingleProducer, SingleConsumer bool

	// Wait is how this handle waits: [shm.Adaptive], [shm.Spin], [shm.Block].
	Wait shm.WaitPolicy

	// MaxAttempts is how often a record is delivered at most, when consumers
	// die holding it or give it back; then it is discarded and counted as a
	// dead letter. From 1 to 63; 0: 16; negative: without limit. Creation only.
	MaxAttempts int

	// Persistent keeps the queue when the last process has left it. Else the
	// last one that closes it removes it, or, when that one was killed, the
	// next [shm.Dir.Sweep], Open or Create of the name. Creation only.
	Persistent bool

	// Mode is the file's permission bits. 0: 0600. Creation only.
	Mode fs.FileMode

	// Logger gets a line for each dead process that this handle has cleaned up
	// after. nil: none.
	Logger *slog.Logger
}

const (
	defaultAttempts = 16
	defaultRecord   = 64 << 20
	defaultLarge    = 16 // of the largest
)

// settings are the options of creation, checked and completed.
type settings struct {
	capacity  uint64
	maxItems  uint64
	maxRecord uint64
	chunks    uint64 // for large records
	poison    uint64
	modes     uint64
}

// settings completes the options for records of recordSize bytes; 0 when they
// vary.
func (o *Options) settings(recordSize int) (settings, error) {
	if o.MaxItems < 0 || o.MaxItems > maxBlocks {
		return settings{}, fmt.Errorf("MaxItems %d: not from 0 to %d", o.MaxItems, maxBlocks)
	}
	if most := largest(maxChunks); o.MaxRecord < 0 || uint64(o.MaxRecord) > most {
		return settings{}, fmt.Errorf("MaxRecord %d: %w: not from 0 to %d bytes", o.MaxRecord, ErrTooLarge, most)
	}
	if o.MaxAttempts > maxAttempt {
		return settings{}, fmt.Errorf("MaxAttempts %d: more than %d", o.MaxAttempts, maxAttempt)
	}
	capacity, err := roundCapacity(o.ring(recordSize))
	if err != nil {
		return settings{}, err
	}
	s := settings{capacity: capacity, maxItems: uint64(o.MaxItems)}
	if s.maxRecord, s.chunks, err = o.records(min(capacity/4, maxInline), uint64(recordSize)); err != nil {
		return settings{}, err
	}
	switch {
	case o.MaxAttempts == 0:
		s.poison = defaultAttempts
	case o.MaxAttempts > 0:
		s.poison = uint64(o.MaxAttempts)
	}
	if o.SingleProducer {
		s.modes |= modeSoleProducer
	}
	if o.SingleConsumer {
		s.modes |= modeSoleConsumer
	}
	return s, nil
}

// ring returns the capacity to ask for.
func (o *Options) ring(recordSize int) int {
	if o.Capacity != 0 {
		return o.Capacity
	}
	each := int(blocksFor(uint64(recordSize)) * blockSize)
	if o.MaxLarge < 0 {
		return max(defaultCapacity, o.MaxItems*each, 4*max(o.MaxRecord, recordSize))
	}
	if recordSize > defaultCapacity/4 {
		each = blockSize // they go by reference
	}
	return max(defaultCapacity, o.MaxItems*each)
}

// records returns the size of the largest record, and how many chunks there are for
// those that are larger than inline.
func (o *Options) records(inline, recordSize uint64) (most, chunks uint64, err error) {
	most = max(uint64(o.MaxRecord), recordSize)
	if o.MaxLarge < 0 {
		if most > inline {
			return 0, 0, fmt.Errorf("%w: records of %d bytes, without any by reference, need a capacity of %d (and are at most %d bytes)",
				ErrTooLarge, most, 4*most, maxInline)
		}
		if o.MaxRecord == 0 {
			most = inline
		}
		return most, 0, nil
	}
	switch {
	case o.MaxRecord > 0:
	case recordSize == 0:
		most = max(defaultRecord, inline)
	case recordSize <= inline:
		most = inline
	}
	if most <= inline {
		return most, 0, nil
	}
	each := chunksFor(most)
	switch {
	case o.MaxLarge > 0:
		chunks = (uint64(o.MaxLarge) + arena.ChunkSize - 1) / arena.ChunkSize
	case recordSize > 0:
		chunks = min(max(defaultLarge, uint64(o.MaxItems))*each, maxChunks)
	default:
		chunks = min(defaultLarge*each, maxChunks)
	}
	if chunks < each || chunks > maxChunks {
		return 0, 0, fmt.Errorf("%w: records of %d bytes in a MaxLarge of %d, at most %d", ErrTooLarge, most, o.MaxLarge, int64(maxChunks)*arena.ChunkSize)
	}
	return most, chunks, nil
}

func (o *Options) segment() *shm.Options {
	logger := o.Logger
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	return &shm.Options{
		Dir:        o.Dir,
		Mode:       o.Mode,
		Persistent: o.Persistent,
		Prefault:   o.Prefault,
		HugePages:  o.HugePages,
		Logger:     logger,
	}
}
