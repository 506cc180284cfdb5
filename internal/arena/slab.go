package arena

import "sort"

// takePages is how many pages a class may own when it takes one more for the sake of
// a single block. Blocks beyond that are left for whoever looks through their pages, so
// that a process that has much to retire, or is stopped, does not keep the memory
// from others.
const takePages = 8

// cachePages is takePages for a cache that is always full: there the next allocation
// follows, and looking through pages for a few blocks would cost it more.
const cachePages = 64

// class is this process's side of one block size.
type class struct {
	arena *Arena
	index int
	size  int

	mu     mutex
	busy   bool        // there was an allocation since the last trim
	free   []freeBlock // the last one is the next to be given out
	pages  pageSet     // owned
	spare  *page       // one that is not used any more; nothing is known of it
	limbo  limbo
	cursor int // where the search for leftovers goes on
}

// A freeBlock is one that may be given out.
type freeBlock struct {
	ref  uint64
	page *page
}

// alloc takes a block off the list, which it fills first if it is empty.
func (c *class) alloc() (Block, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.busy = true
	if len(c.free) == 0 {
		if err := c.refill(); err != nil {
			return Block{}, err
		}
	}
	f := c.free[len(c.free)-1]
	c.free = c.free[:len(c.free)-1]
	f.page.drop(c.indexOf(f.ref))
	f.page.inflight++
	return Block{Ref: f.ref, page: f.page}, nil
}

// indexOf returns which block of its chunk the one at ref is.
func (c *class) indexOf(ref uint64) int {
	return int(uint32(ref-c.arena.base) % ChunkSize / uint32(c.size))
}

func (c *class) linked(p *page) {
	c.mu.Lock()
	p.inflight--
	c.settle(p)
	c.mu.Unlock()
}

// replaced is linked, and take.
func (c *class) replaced(p *page, chunk int, ref, inc uint64) {
	c.mu.Lock()
	p.inflight--
	c.settle(p)
	c.takeLocked(chunk, ref, inc)
	c.mu.Unlock()
}

func (c *class) abandon(b Block) {
	c.mu.Lock()
	b.page.inflight--
	c.push(b.Ref, b.page)
	c.mu.Unlock()
}

func (c *class) push(ref uint64, p *page) {
	p.add(c.indexOf(ref))
	c.free = append(c.free, freeBlock{ref, p})
}

// settle disowns a page from which nothing is left to give out or to come back.
func (c *class) settle(p *page) {
	if p.nknown == 0 && p.inflight == 0 {
		c.giveUp(p)
	}
}

// giveUp disowns a page. It is apart so that settle is inlined.
func (c *class) giveUp(p *page) {
	c.pages.remove(p.chunk)
	c.arena.disown(p.chunk)
	c.spare = p
}

func (c *class) newPage(chunk int) *page {
	p := c.spare
	if p == nil {
		p = &page{class: c, known: make([]uint64, (ChunkSize/c.size+63)/64)}
	}
	p.chunk, c.spare = chunk, nil
	c.pages.add(p)
	return p
}

// take puts a single retired block on the list, if its page is ours or nobody's.
func (c *class) take(chunk int, ref, inc uint64) {
	c.mu.Lock()
	c.takeLocked(chunk, ref, inc)
	c.mu.Unlock()
}

func (c *class) takeLocked(chunk int, ref, inc uint64) {
	a := c.arena
	p := c.pages.get(chunk)
	if p == nil {
		if c.pages.len() >= a.keep || !a.claim(chunk) {
			a.note(chunk, 1)
			return
		}
		if classOf(a.table[chunk].page.Load()) != slab+c.index {
			a.disown(chunk) // it was emptied and given another use meanwhile
			return
		}
		p = c.newPage(chunk)
	}
	// Somebody may have found it before us, and have given it out again.
	if a.HeadOf(ref).Load() == Head(inc, Retired) && int(ref-a.base)%ChunkSize%c.size == 0 && !p.has(c.indexOf(ref)) {
		if a.unpinned() {
			c.push(ref, p)
		} else {
			p.add(c.indexOf(ref))
			c.limbo.add(freeBlock{ref, p})
		}
	}
	c.settle(p)
}

// refill puts at least one block on the list. It looks, in this order, for blocks
// whose time in limbo is over, for leftovers in a page that nobody owns, for a
// chunk to use, and then, thoroughly, for anything.
func (c *class) refill() error {
	a := c.arena
	if c.ripen() || c.leftovers(window, max(1, ChunkSize/c.size/8)) {
		return nil
	}
	err := c.fresh()
	if err == nil {
		return nil
	}
	// Full. Nothing but leftovers can help now, however few.
	if c.leftovers(a.top(), 1) {
		return nil
	}
	if a.releaseAll(a.extents.collect) && c.fresh() == nil {
		return nil
	}
	if c.limbo.n > 0 {
		c.limbo.close(a)
		a.oust(c.limbo.newest())
		if c.ripen() {
			return nil
		}
	}
	if d := a.head.deaths.Load() + 1; a.full.Swap(d) != d && c.leftovers(a.top(), 0) {
		return nil
	}
	return err
}

// window is how many chunks a search looks at that has an alternative.
const window = 1024

// leftovers looks through n chunks for pages of this class that nobody owns and
// that have at least so many blocks to harvest, by their hint.
func (c *class) leftovers(n, least int) bool {
	a := c.arena
	top := a.top()
	if c.cursor >= top {
		c.cursor = 0
	}
	for range min(n, top) {
		i := c.cursor
		if c.cursor++; c.cursor == top {
			c.cursor = 0
		}
		ch := &a.table[i]
		if classOf(ch.page.Load()) != slab+c.index || ch.hint.Load() < uint32(least) || ch.owner.Load() != 0 || !a.claim(i) {
			continue
		}
		if classOf(ch.page.Load()) != slab+c.index {
			a.disown(i)
			continue
		}
		c.harvest(i)
		if len(c.free) > 0 {
			return true
		}
	}
	return false
}

// harvest looks through a page that has just become ours.
func (c *class) harvest(chunk int) {
	a := c.arena
	ready, retired := a.look(chunk, c.size)
	p := c.newPage(chunk)
	wait := len(retired) > 0 && !a.unpinned()
	if !wait {
		ready = append(ready, retired...)
		sort.Slice(ready, func(i, j int) bool { return ready[i] < ready[j] })
	}
	for i := len(ready) - 1; i >= 0; i-- {
		c.push(ready[i], p)
	}
	if wait {
		for _, ref := range retired {
			p.add(c.indexOf(ref))
			c.limbo.add(freeBlock{ref, p})
		}
		c.limbo.close(a)
	}
	c.settle(p)
}

// look returns the blocks of a page, which is ours, that are free, and those that
// are retired. The hint is cleared before: who retires a block that is not seen
// here adds to it afterwards.
func (a *Arena) look(chunk, size int) (ready, retired []uint64) {
	a.clearHint(chunk)
	start := a.base + uint64(chunk)*ChunkSize
	for off := 0; off+size <= ChunkSize; off += size {
		ref := start + uint64(off)
		switch State(a.HeadOf(ref).Load()) {
		case Filling:
			ready = append(ready, ref)
		case Retired:
			retired = append(retired, ref)
		}
	}
	return ready, retired
}

// fresh makes a page of this class of a chunk that has no use.
func (c *class) fresh() error {
	a := c.arena
	i, err := a.findChunk()
	if err != nil {
		return err
	}
	start := a.base + uint64(i)*ChunkSize
	for off := 0; off+c.size <= ChunkSize; off += c.size {
		a.initHead(i, start+uint64(off))
	}
	a.clearHint(i)
	a.setPage(i, slab+c.index, 0)
	p := c.newPage(i)
	for off := (ChunkSize/c.size - 1) * c.size; off >= 0; off -= c.size {
		c.push(start+uint64(off), p)
	}
	return nil
}

// ripen moves what nobody has pinned any more from limbo to the list.
func (c *class) ripen() bool {
	if c.limbo.n == 0 {
		return false
	}
	a := c.arena
	c.limbo.close(a)
	if c.limbo.n*c.size > a.budget {
		a.oust(c.limbo.oldest())
	}
	c.free = append(c.free, c.limbo.ripe(a.oldestPin())...)
	return len(c.free) > 0
}

// giveBack gives back all pages of which no block is being filled. What is known of
// them is put down as a hint.
func (c *class) giveBack() {
	for p := range c.pages.all() {
		if p.inflight > 0 {
			return
		}
		if p.nknown > 0 {
			c.arena.note(p.chunk, p.nknown)
		}
	}
	for p := range c.pages.all() {
		c.arena.disown(p.chunk)
	}
	c.pages = pageSet{}
	c.free, c.limbo = nil, limbo{}
}

// trim gives the pages back if there was no allocation since the last time.
func (c *class) trim() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.busy {
		c.giveBack()
	}
	c.busy = false
}
