package arena

import "github.com/shmkit/shmkit/internal/fault"

// Reap gives back what a dead process's slot has of the arena: pins and chunks. The
// caller holds the slot's liveness lock, and has before finished or undone
// everything in which the dead process's blocks are named. Each step may be
// repeated: a reaper that dies leaves the rest to the next one.
func (a *Arena) Reap(slot int) {
	a.clearPins(slot)
	a.clearQuiet(slot)
	dead := uint32(slot) + 1
	for i := range a.table {
		if a.table[i].owner.Load() == dead {
			a.mend(i)
		}
	}
	for i := range a.table {
		ch := &a.table[i]
		if ch.owner.Load() != dead {
			continue
		}
		if n := blocksOf(ch.page.Load()); n > 0 {
			fault.Point("arena.reap.hint")
			ch.hint.Store(uint32(n)) // nobody knows how many: worth a look
		}
		fault.Point("arena.reap.owner")
		ch.owner.Store(0)
	}
	// Even if it had no chunks, or an earlier reaper has given them back: blocks that it
	// retired may lie in others'.
	fault.Point("arena.reap.deaths")
	a.head.deaths.Add(1)
}

// blocksOf returns how many blocks a chunk has, by its page word.
func blocksOf(page uint64) int {
	switch c := classOf(page); {
	case c == extent:
		return 1
	case c >= slab && c-slab < len(blockSizes):
		return ChunkSize / blockSizes[c-slab]
	}
	return 0
}
