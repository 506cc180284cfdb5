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
// by now, and frees their chunks. It tells whether there was one.
//
// The caller says how an extent is collected.
func (a *Arena) release(collect func(i int) bool) bool {
	found := false
	for i := range a.top() {
		ch := &a.table[i]
		word := ch.page.Load()
		switch c := classOf(word); {
		case c == extent:
			if ch.hint.Load() > 0 && ch.owner.Load() == 0 && collect(i) {
				found = true
			}
		case c >= slab && c-slab < len(blockSizes):
			size := blockSizes[c-slab]
			if int(ch.hint.Load()) < ChunkSize/size || ch.owner.Load() != 0 || !a.claim(i) {
				continue
			}
			if ch.page.Load() == word && a.empty(i, size) {
				a.setPage(i, free, 0)
				found = true
			}
			a.disown(i)
		}
	}
	return found
}

// empty tells whether every block of a page, which is ours, may be given out. If
// not, what was seen of it is its hint again.
func (a *Arena) empty(i, size int) bool {
	ready, retired := a.look(i, size)
	n := len(ready) + len(retired)
	if n == ChunkSize/size && (len(retired) == 0 || a.unpinned()) {
		return true
	}
	if n > 0 {
		a.note(i, n)
	}
	return false
}

func (a *Arena) clearHint(i int) {
	fault.Point("arena.hint.clear")
	a.table[i].hint.Store(0)
}

// initHead makes the start of a block of a chunk, which is ours and has no use, a
// head: free, of incarnation 0. Heads of the chunk's earlier uses don't matter: its
// page word tells them apart.
func (a *Arena) initHead(ref uint64) {
	fault.Point("arena.init")
	a.HeadOf(ref).Store(Head(0, Filling))
}
