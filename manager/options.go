package manager

import (
	"fmt"
	"io/fs"
	"log/slog"

	"github.com/shmkit/shmkit/internal/arena"
	"github.com/shmkit/shmkit/shm"
)

// Options say how a manager is created and how this handle uses it. The zero value
// of each field is the default; a nil *Options is all defaults.
type Options struct {
	// Dir is the directory of the manager's file. Empty: [shm.DefaultDir].
	Dir string

	// MaxBytes bounds the memory for objects, in bytes, rounded up to 64 KiB; from
	// 1 MiB to 1 TiB. It is reserved as addresses, and taken from the file system as
	// it is needed. 0: 1 GiB. Creation only.
	MaxBytes int64

	// Evict makes the manager a cache: when MaxBytes is reached, dicts give up the
	// entries that were used least, instead of refusing new ones with
	// [ErrNoSpace]. Creation only.
	Evict bool

	// Wait is how this handle waits: [shm.Adaptive], [shm.Spin], [shm.Block].
	Wait shm.WaitPolicy

	// Persistent keeps the manager when the last process has left it. Else the last
	// one that closes it removes it, or, when that one was killed, the next
	// [shm.Dir.Sweep], Open or Create of the name. Creation only.
	Persistent bool

	// Mode is the file's permission bits. 0: 0600. Creation only.
	Mode fs.FileMode

	// Logger gets a line for each dead process that this handle has cleaned up
	// after. nil: none.
	Logger *slog.Logger
}

const (
	defaultBytes = 1 << 30
	leastBytes   = 1 << 20
)

// chunks returns how many chunks the arena has.
func (o *Options) chunks() (int, error) {
	n := o.MaxBytes
	if n == 0 {
		n = defaultBytes
	}
	if n < leastBytes || n > arena.MaxChunks*arena.ChunkSize {
		return 0, fmt.Errorf("%w: MaxBytes %d is not from %d to %d", shm.ErrSize, n, leastBytes, int64(arena.MaxChunks)*arena.ChunkSize)
	}
	return int((n + arena.ChunkSize - 1) / arena.ChunkSize), nil
}

func (o *Options) segment() *shm.Options {
	logger := o.Logger
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	return &shm.Options{Dir: o.Dir, Mode: o.Mode, Persistent: o.Persistent, Slots: slots, Logger: logger}
}
