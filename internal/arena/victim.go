package arena

// When a cache is full of blocks of one size, giving up entries one by one does not
// make room for a block of another: that takes a whole chunk. So the cache asks for a
// chunk to empty, gives up the entries in it, and has it vacated.

// Victim returns a page that has no blocks for n bytes, another one with each call, and
// its live blocks. It is false when there is none.
func (a *Arena) Victim(n int) (chunk int, refs []uint64, ok bool) {
	top := a.top()
	for range top {
		i := int(a.extents.victim.Add(1) % int64(top))
		c := classOf(a.table[i].page.Load())
		if c < slab || c-slab >= len(blockSizes) || n <= largestBlock && c-slab == classFor(n) {
			continue
		}
		start, size := a.base+uint64(i)*ChunkSize, blockSizes[c-slab]
		for off := 0; off+size <= ChunkSize; off += size {
			if ref := start + uint64(off); State(a.HeadOf(ref).Load()) == Live {
				refs = append(refs, ref)
			}
		}
		return i, refs, true
	}
	return 0, nil, false
}

// Vacate frees a chunk of which every block may be given out, and tells whether it is
// one.
func (a *Arena) Vacate(chunk int) bool {
	i := classOf(a.table[chunk].page.Load()) - slab
	if i < 0 || i >= len(a.classes) {
		return false
	}
	c := &a.classes[i]
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.pages.get(chunk)
	switch {
	case p != nil:
		if p.inflight > 0 || c.limbo.n > 0 {
			return false
		}
		kept := c.free[:0]
		for _, f := range c.free {
			if f.page != p {
				kept = append(kept, f)
			}
		}
		c.free = kept
		c.pages.remove(chunk)
	case !a.claim(chunk):
		return false
	}
	ok := classOf(a.table[chunk].page.Load()) == slab+i
	if ok {
		ok, _ = a.empty(chunk, c.size)
	}
	if ok {
		a.setPage(chunk, free, 0)
	}
	a.disown(chunk)
	return ok
}
