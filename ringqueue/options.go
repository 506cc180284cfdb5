package ringqueue

import (
	"fmt"
	"io/fs"
	"log/slog"

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

	// MaxRecord bounds the size of a record in bytes. 0: a quarter of the
	// capacity, which is also the most, up to 16 MiB − 1. Creation only.
	MaxRecord int

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

const defaultAttempts = 16

// settings are the options of creation, checked and completed.
type settings struct {
	capacity  uint64
	maxItems  uint64
	maxRecord uint64
	poison    uint64
	modes     uint64
}

// settings completes the options for records of recordSize bytes; 0 when they
// vary.
func (o *Options) settings(recordSize int) (settings, error) {
	if o.MaxItems < 0 || o.MaxItems > maxBlocks {
		return settings{}, fmt.Errorf("MaxItems %d: not from 0 to %d", o.MaxItems, maxBlocks)
	}
	if o.MaxRecord < 0 || o.MaxRecord > maxLength {
		return settings{}, fmt.Errorf("MaxRecord %d: %w: not from 0 to %d bytes", o.MaxRecord, ErrTooLarge, maxLength)
	}
	if o.MaxAttempts > maxAttempt {
		return settings{}, fmt.Errorf("MaxAttempts %d: more than %d", o.MaxAttempts, maxAttempt)
	}
	record := max(o.MaxRecord, recordSize)
	want := o.Capacity
	if want == 0 {
		each := int(blocksFor(uint64(recordSize)) * blockSize)
		want = max(defaultCapacity, o.MaxItems*each, 4*record)
	}
	capacity, err := roundCapacity(want)
	if err != nil {
		return settings{}, err
	}
	s := settings{
		capacity:  capacity,
		maxItems:  uint64(o.MaxItems),
		maxRecord: min(capacity/4, maxLength),
	}
	if uint64(record) > s.maxRecord {
		return settings{}, fmt.Errorf("%w: records of %d bytes need a capacity of %d, have %d (and are at most %d bytes)",
			ErrTooLarge, record, 4*record, capacity, maxLength)
	}
	if o.MaxRecord > 0 {
		s.maxRecord = uint64(o.MaxRecord)
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
