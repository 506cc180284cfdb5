package cells

import (
	"github.com/shmkit/shmkit/internal/fault"
)

// Operations on narrow cells, whose values are the low bytes of a word. They never wait.

// place returns where a cell of less than 8 bytes is: in which four bytes, and how many bits from
// the low end, and what it is masked with.
func (c *Cells) place(i int) (at int, shift uint, mask uint32) {
	byteAt := i * c.width
	return byteAt / 4, uint(byteAt%4) * 8, uint32(1<<(8*c.width) - 1)
}

// Load returns a narrow cell's value.
func (c *Cells) Load(i int) uint64 {
	if c.width == 8 {
		return c.wholes[i].Load()
	}
	at, shift, mask := c.place(i)
	return uint64(c.halves[at].Load() >> shift & mask)
}

// Store changes a narrow cell.
func (c *Cells) Store(i int, v uint64) {
	if c.width == 8 {
		fault.Point("cells.store")
		c.wholes[i].Store(v)
		return
	}
	c.Swap(i, v)
}

// Swap changes a narrow cell and returns what it was.
func (c *Cells) Swap(i int, v uint64) (old uint64) {
	if c.width == 8 {
		fault.Point("cells.swap")
		return c.wholes[i].Swap(v)
	}
	for {
		if old = c.Load(i); c.CompareAndSwap(i, old, v) {
			return old
		}
	}
}

// CompareAndSwap changes a narrow cell if it is old, and tells whether it was.
func (c *Cells) CompareAndSwap(i int, old, v uint64) bool {
	if c.width == 8 {
		fault.Point("cells.cas")
		return c.wholes[i].CompareAndSwap(old, v)
	}
	at, shift, mask := c.place(i)
	for {
		w := c.halves[at].Load()
		if uint64(w>>shift&mask) != old {
			return false
		}
		fault.Point("cells.cas.part")
		if c.halves[at].CompareAndSwap(w, (w&^(mask<<shift))|uint32(v)<<shift) {
			return true // else it may only be a neighbour that has changed
		}
	}
}
