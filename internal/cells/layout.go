package cells

import (
	"errors"
	"fmt"
	"math"
	"sync/atomic"

	"github.com/shmkit/shmkit/internal/mem"
	"github.com/shmkit/shmkit/internal/robust"
)

// Errors of this package.
var (
	// ErrCorrupt is returned when the words in memory are impossible.
	ErrCorrupt = errors.New("corrupt cells")
	// ErrSize is returned for a number or width of cells that can't be.
	ErrSize = errors.New("impossible number or width of cells")
)

// lineSize keeps apart what is written independently.
const lineSize = 128

// The memory of cells, which starts at a multiple of 128:
//
//	0      writers' lock: see package robust
//	128    commit     what the journal is for; a line of its own
//	256    count      of cells; created, never changed
//	264    width      of each, in bytes; created, never changed
//	384    journal    one cell, if they are wide
//	…      cells      from a multiple of 128 on, side by side
type words struct {
	commit atomic.Uint64
	_      [lineSize - 8]byte
	count  uint64
	width  uint64
	_      [lineSize - 16]byte
}

const (
	wordsAt   = lineSize
	journalAt = 3 * lineSize
)

func round(n int) int { return (n + lineSize - 1) &^ (lineSize - 1) }

func narrow(width int) bool { return width == 1 || width == 2 || width == 4 || width == 8 }

// cellsAt returns where the cells begin.
func cellsAt(width int) int {
	if narrow(width) {
		return journalAt
	}
	return journalAt + round(width)
}

// Size returns how many bytes so many cells take. The error is [ErrSize].
func Size(count, width int) (int, error) {
	const most = math.MaxInt / 4
	if count < 1 || width < 1 || width > most || count > most/width || !narrow(width) && count >= maxWide {
		return 0, fmt.Errorf("%w: %d of %d bytes", ErrSize, count, width)
	}
	return round(cellsAt(width) + count*width), nil
}

// maxWide is one more than the most wide cells.
const maxWide = 1<<32 - 1

// Init makes the zeroes in b so many cells, each of them zero, before anybody else sees them.
func Init(b []byte, count, width int) error {
	w, err := mem.At[words](b, wordsAt)
	if err != nil {
		return err
	}
	w.count, w.width = uint64(count), uint64(width)
	return nil
}

// Cells are a process's side of some cells. Their methods may be called from several goroutines.
type Cells struct {
	count, width int

	lock    *robust.Mutex // of those who write wide cells
	words   *words
	journal []byte
	cells   []byte
	halves  []atomic.Uint32 // the cells, by four bytes, if they are narrower than 8
	wholes  []atomic.Uint64 // the cells, if they have 8
}

// View returns what there is in b, for who neither writes nor waits.
func View(b []byte) (*Cells, error) {
	w, err := mem.At[words](b, wordsAt)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	c := &Cells{words: w, count: int(w.count), width: int(w.width)}
	size, err := Size(c.count, c.width)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	if len(b) < size {
		return nil, fmt.Errorf("%w: %d bytes for cells of %d", ErrCorrupt, len(b), size)
	}
	at := cellsAt(c.width)
	c.cells = b[at : at+c.count*c.width]
	switch {
	case c.width == 8:
		c.wholes, err = mem.Slice[atomic.Uint64](b, at, c.count)
	case narrow(c.width):
		c.halves, err = mem.Slice[atomic.Uint32](b, at, (size-at)/4)
	default:
		c.journal = b[journalAt : journalAt+c.width]
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	return c, nil
}

// Open returns this process's side of the cells in b, which stay mapped as long as it is used.
func Open(host robust.Host, b []byte, o robust.Options) (*Cells, error) {
	c, err := View(b)
	if err != nil {
		return nil, err
	}
	if c.lock, err = robust.NewMutex(host, b, o); err != nil {
		return nil, err
	}
	return c, nil
}

// Len returns how many cells there are.
func (c *Cells) Len() int { return c.count }

// Width returns how many bytes a cell has.
func (c *Cells) Width() int { return c.width }

// Narrow tells whether cells are read and changed by single instructions.
func (c *Cells) Narrow() bool { return c.journal == nil }

// Bytes returns the memory of the cells themselves. Nothing keeps others from changing it
// meanwhile; what is written there is not atomic, and if it is wide may be overwritten by a value that
// was committed before.
func (c *Cells) Bytes() []byte { return c.cells }

// Close has those who wait to write give up.
func (c *Cells) Close() { c.lock.Close() }
