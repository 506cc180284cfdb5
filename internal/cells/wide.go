package cells

import (
	"context"
	"errors"

	"github.com/shmkit/shmkit/internal/fault"
	"github.com/shmkit/shmkit/internal/mem"
	"github.com/shmkit/shmkit/internal/robust"
)

// A commit says for which cell the journal is, and counts.
//
//	63       32        0
//	[ count | cell+1 ]
//
// Each change of a wide cell makes two of them: one with the cell, and then one with none. A
// reader that sees the same commit before and after it has read has seen no change in between:
// that would take 4 billion of them while it reads.
type commit uint64

const cellMask = 1<<32 - 1

func (k commit) cell() int           { return int(k&cellMask) - 1 } // -1: none
func (k commit) next(i int) commit   { return (k>>32+1)<<32 | commit(i+1) }
func (c *Cells) committed() commit   { return commit(c.words.commit.Load()) }
func (c *Cells) cell(i int) []byte   { return c.cells[i*c.width : (i+1)*c.width] }
func (c *Cells) valid(k commit) bool { return k.cell() < c.count }

// Read copies a wide cell to dst. Beside others who write again and again it waits for its turn
// among them after some tries, and only then; the error is then [robust.Mutex.Lock]'s, and
// [ErrCorrupt] for impossible words.
func (c *Cells) Read(ctx context.Context, i int, dst []byte) error {
	const tries = 100
	for try := 0; ; try++ {
		k := c.committed()
		if !c.valid(k) {
			return ErrCorrupt
		}
		if k.cell() == i {
			mem.Copy(dst, c.journal)
		} else {
			mem.Copy(dst, c.cell(i))
		}
		mem.FenceLoads()
		fault.Look(&c.words.commit)
		if c.committed() == k {
			return nil
		}
		if try >= tries {
			return c.Update(ctx, i, func(now, _ []byte) bool { mem.Copy(dst, now); return false })
		}
	}
}

// Write changes a wide cell to src. It waits for others who write; the error is then
// [robust.Mutex.Lock]'s.
func (c *Cells) Write(ctx context.Context, i int, src []byte) error {
	return c.Update(ctx, i, func(_, next []byte) bool { mem.Copy(next, src); return true })
}

// Update calls f with a wide cell's memory and that of the next value, while nobody else writes. If f
// returns true, having filled the latter, it becomes the cell's value. f must be short, and not
// block.
func (c *Cells) Update(ctx context.Context, i int, f func(now, next []byte) bool) error {
	// What a dead owner had begun is finished, or was nothing, before the lock is free.
	if err := c.lock.Lock(ctx); err != nil && !errors.Is(err, robust.ErrOwnerDied) {
		return err
	}
	defer c.lock.Unlock()
	k := c.committed()
	if k.cell() >= 0 {
		return ErrCorrupt // the lock was unlocked by somebody else
	}
	fault.Point("cells.journal")
	if !f(c.cell(i), c.journal) {
		return nil
	}
	fault.Point("cells.commit")
	c.words.commit.Store(uint64(k.next(i)))
	c.carryOut(i)
	return nil
}

// carryOut copies what is committed to its place.
func (c *Cells) carryOut(i int) {
	k := c.committed()
	mem.FenceStores() // who reads half of what follows also finds the commit
	fault.Point("cells.copy")
	mem.Copy(c.cell(i), c.journal)
	fault.Point("cells.done")
	c.words.commit.Store(uint64(k.next(-1)))
}

// Recover repairs the cells after the death of the slot's process, in its name, and frees the
// writers' lock if it had that. It consists of steps that may be repeated, and the caller holds the
// slot's liveness lock: see [robust.Recover]. Leaving is the same.
func Recover(b []byte, slots, slot int) error {
	if robust.Holds(robust.KindMutex, b, slots, slot) {
		c, err := View(b)
		if err != nil {
			return err
		}
		if k := c.committed(); k.cell() >= 0 {
			if c.Narrow() || !c.valid(k) {
				return ErrCorrupt
			}
			c.carryOut(k.cell())
		}
	}
	return robust.Recover(robust.KindMutex, b, slots, slot)
}
