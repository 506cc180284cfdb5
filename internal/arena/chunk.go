package arena

import (
	"fmt"

	"github.com/shmkit/shmkit/internal/fault"
)

// findChunk claims a chunk without a use, with its space taken: one that was freed,
// or the first that never was used.
func (a *Arena) findChunk() (int, error) {
	top := a.top()
	start := int(a.extents.cursor.Load())
	for n := range min(window, top) {
		i := (start + n) % top
		if classOf(a.table[i].page.Load()) == free && a.claim(i) {
			if classOf(a.table[i].page.Load()) == free {
				return i, nil
			}
			a.disown(i)
		}
	}
	if top > 0 {
		a.extents.cursor.Store(int64((start + min(window, top)) % top))
	}
	var err error
	for i := top; i < len(a.table) && err == nil; i++ {
		var ok bool
		if ok, err = a.dig(i); ok {
			return i, nil
		}
	}
	for i := range top { // holes, and what the window left out
		if !a.claimUnused(i) {
			continue
		}
		if classOf(a.table[i].page.Load()) == hole && err == nil {
			err = a.back(i, 1)
		}
		if classOf(a.table[i].page.Load()) == free || err == nil {
			return i, nil
		}
		a.disown(i)
	}
	if err == nil {
		err = fmt.Errorf("%w: all of %d bytes", ErrNoSpace, len(a.table)*ChunkSize)
	}
	return 0, err
}

// dig claims a hole and takes its space.
func (a *Arena) dig(i int) (bool, error) {
	if classOf(a.table[i].page.Load()) != hole || !a.claim(i) {
		return false, nil
	}
	if classOf(a.table[i].page.Load()) != hole {
		a.disown(i)
		return false, nil
	}
	a.raiseTop(i + 1)
	if err := a.back(i, 1); err != nil {
		a.disown(i)
		return false, err
	}
	return true, nil
}

// release looks for pages of any class, extents too, of which every block is free
// by now, and frees their chunks. It tells whether there was one, and whether there
// is one that only pins keep.
//
// The caller says how an extent is collected. Pages are chosen by their hints; but
// who dies between retiring a block and saying so leaves a hint that is too low, so
// that after deaths all are looked at, once; the ones that have an owner, when it has
// given them back.
func (a *Arena) release(collect func(i int) (freed, pinned bool)) (found, waits bool) {
	deaths := a.head.deaths.Load()
	all := a.checked.Swap(deaths) != deaths
	for i := range a.top() {
		ch := &a.table[i]
		word := ch.page.Load()
		switch c := classOf(word); {
		case c == extent:
			if (all || ch.hint.Load() > 0) && ch.owner.Load() == 0 {
				freed, pinned := collect(i)
				found, waits = found || freed, waits || pinned
			}
		case c >= slab && c-slab < len(blockSizes):
			size := blockSizes[c-slab]
			if !all && int(ch.hint.Load()) < ChunkSize/size {
				continue
			}
			if ch.owner.Load() != 0 || !a.claim(i) {
				if all {
					a.note(i, ChunkSize/size)
				}
				continue
			}
			if ch.page.Load() == word {
				freed, pinned := a.empty(i, size)
				if freed {
					a.setPage(i, free, 0)
				}
				found, waits = found || freed, waits || pinned
			}
			a.disown(i)
		}
	}
	return found, waits
}

// releaseAll is release when the memory is used up: pins are ousted if that helps.
func (a *Arena) releaseAll(collect func(i int) (freed, pinned bool)) bool {
	found, waits := a.release(collect)
	if !found && waits {
		fault.Point("arena.epoch.full")
		a.oust(a.head.epoch.Add(1))
		found, _ = a.release(collect)
	}
	return found
}

// empty tells whether every block of a page, which is ours, may be given out, or
// could but for pins. If not, what was seen of it is its hint again.
func (a *Arena) empty(i, size int) (ok, pinned bool) {
	ready, retired := a.look(i, size)
	n := len(ready) + len(retired)
	if n == ChunkSize/size {
		if len(retired) == 0 || a.unpinned() {
			return true, false
		}
		pinned = true
	}
	if n > 0 {
		a.note(i, n)
	}
	return false, pinned
}

func (a *Arena) clearHint(i int) {
	fault.Point("arena.hint.clear")
	a.table[i].hint.Store(0)
}

// initHead makes the start of a block of chunk i, which is ours and has no use, a head
// that is free. Readers tell heads of the chunk's earlier uses by its page word. But
// who retires a block names only the incarnation, and may do so again much later, in
// recovery: so incarnations must not come again. They begin anew, 2^30 apart, with
// the generation that the chunk is going to have.
func (a *Arena) initHead(i int, ref uint64) {
	gen := a.table[i].page.Load()>>32 + 1
	fault.Point("arena.init")
	a.HeadOf(ref).Store(Head(gen<<30&(1<<62-1), Filling))
}
