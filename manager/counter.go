package manager

import (
	"fmt"
	"sync/atomic"

	"github.com/shmkit/shmkit/internal/fault"
	"github.com/shmkit/shmkit/internal/mem"
)

// A Counter is a sum to which many processes add at once without disturbing each other: each has a
// line of the cache of its own for it. What a process has added stays when it leaves or dies, and
// nothing is counted twice. Reading the sum goes through the lines of all.
//
// Its methods may be called from several goroutines.
type Counter struct {
	part
	mine *atomic.Uint64
	all  []counterLine
}

// counterLine is what the processes that had the slot, one after the other, have added.
type counterLine struct {
	n atomic.Uint64
	_ [lineSize - 8]byte
}

const counterSize = slots * lineSize

// NewCounter opens the counter called name in m, or creates it, being 0, when there is none: see
// [NewLock]. It takes 32 KiB.
func NewCounter(m *Manager, name string) (*Counter, error) {
	c := new(Counter)
	if err := c.obtainWords(m, name, record{kind: kindCounter}, counterSize, nil, c.attach); err != nil {
		return nil, wrap("open", name, err)
	}
	endWith(c.use, c)
	return c, nil
}

func (c *Counter) attach(b []byte) (err error) {
	if c.all, err = mem.Slice[counterLine](b, 0, slots); err != nil {
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	c.mine = &c.all[c.m.seg.Slot()].n
	return nil
}

// UnmarshalBinary makes c a handle of the counter of the reference. It fails with [ErrNotExist]
// when that is gone.
func (c *Counter) UnmarshalBinary(b []byte) error {
	n := new(Counter)
	if err := n.resolveWords(b, kindCounter, n.attach); err != nil {
		return err
	}
	*c = *n
	endWith(c.use, c)
	return nil
}

// Add adds n, which may be negative. The error is nil or [ErrClosed].
func (c *Counter) Add(n int64) error {
	if err := c.begin("add"); err != nil {
		return err
	}
	fault.Point("manager.count")
	c.mine.Add(uint64(n))
	return c.end("add", nil)
}

// Load returns the sum. It is exact for all that was added before the call; what is added
// meanwhile is in it or not. It wraps around beyond an int64. The error is nil or [ErrClosed].
func (c *Counter) Load() (int64, error) {
	if err := c.begin("load"); err != nil {
		return 0, err
	}
	sum := uint64(0)
	for i := range c.all {
		sum += c.all[i].n.Load()
	}
	return int64(sum), c.end("load", nil)
}

// String returns the counter's name and sum.
func (c *Counter) String() string {
	n, err := c.Load()
	if err != nil {
		return fmt.Sprintf("%s %q: %v", kindNames[kindCounter], c.name, err)
	}
	return fmt.Sprintf("%s %q: %d", kindNames[kindCounter], c.name, n)
}
