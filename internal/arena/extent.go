package arena

import (
	"fmt"
	"sync/atomic"

	"github.com/shmkit/shmkit/internal/fault"
)

// extents is this process's side of the blocks of whole chunks. All chunks of an
// extent have the same owner whenever it changes: to become theirs, one claims the
// first and then the others, and gives all back if one is taken.
//
// The first chunk's page word, stored last when an extent is made and first when it
// is freed, is the truth. A chunk that says it is inside an extent of which the
// first chunk knows nothing is garbage that a dead process left: its reaper frees it.
type extents struct {
	arena  *Arena
	cursor atomic.Int64 // where searches for free chunks begin
	victim atomic.Int64 // the last one that was asked to be emptied

	mu    mutex
	owned map[int]*page // by first chunk
	limbo limbo
}

func (e *extents) alloc(n int) (Block, error) {
	if n > MaxBlock || chunksFor(n) > len(e.arena.table) {
		return Block{}, fmt.Errorf("%w: %d bytes", ErrTooLarge, n)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.ripen()
	p, err := e.find(chunksFor(n))
	if err != nil {
		if e.arena.releaseAll(func(i int) (bool, bool) { return e.take(i, false) }) {
			p, err = e.find(chunksFor(n))
		}
		if err != nil && e.limbo.n > 0 {
			e.limbo.close(e.arena)
			e.arena.oust(e.limbo.newest())
			e.ripen()
			p, err = e.find(chunksFor(n))
		}
	}
	if err != nil {
		return Block{}, err
	}
	p.inflight = 1
	return Block{Ref: e.refOf(p), page: p}, nil
}

func (e *extents) refOf(p *page) uint64 { return e.arena.base + uint64(p.chunk)*ChunkSize }

// find claims n chunks in a row without a use, and makes an extent of them.
func (e *extents) find(n int) (*page, error) {
	a := e.arena
	for i := 0; i+n <= len(a.table); {
		got := 0
		for got < n && a.claimUnused(i+got) {
			got++
		}
		if got == n {
			a.raiseTop(i + n)
			if err := a.backHoles(i, n); err != nil {
				e.drop(i, n)
				return nil, err
			}
			return e.build(i, n), nil
		}
		e.drop(i, got)
		i += got + 1
	}
	return nil, fmt.Errorf("%w: no %d bytes in a row of %d", ErrNoSpace, n*ChunkSize, len(a.table)*ChunkSize)
}

// backHoles takes the space of those of n chunks that don't have it.
func (a *Arena) backHoles(i, n int) error {
	for end := i + n; i < end; {
		holes := 0
		for i+holes < end && classOf(a.table[i+holes].page.Load()) == hole {
			holes++
		}
		if holes > 0 {
			if err := a.back(i, holes); err != nil {
				return err
			}
		}
		i += holes + 1
	}
	return nil
}

// claimUnused claims a chunk without a use.
func (a *Arena) claimUnused(i int) bool {
	p := &a.table[i].page
	if classOf(p.Load()) > free || !a.claim(i) {
		return false
	}
	if classOf(p.Load()) > free {
		a.disown(i)
		return false
	}
	return true
}

// drop gives n chunks back, the first one last.
func (e *extents) drop(i, n int) {
	for j := n - 1; j >= 0; j-- {
		e.arena.disown(i + j)
	}
}

// build makes an extent of n chunks that are ours.
func (e *extents) build(i, n int) *page {
	a := e.arena
	a.initHead(i, a.base+uint64(i)*ChunkSize)
	a.clearHint(i)
	for j := 1; j < n; j++ {
		a.setPage(i+j, inside, j)
	}
	a.setPage(i, extent, n)
	return e.own(i, n)
}

func (e *extents) own(i, n int) *page {
	p := &page{chunk: i, chunks: n}
	if e.owned == nil {
		e.owned = make(map[int]*page)
	}
	e.owned[i] = p
	return p
}

// linked disowns an extent that something refers to: there is nothing more to
// give out from it.
func (e *extents) linked(p *page) {
	e.mu.Lock()
	defer e.mu.Unlock()
	p.inflight = 0
	delete(e.owned, p.chunk)
	e.drop(p.chunk, p.chunks)
}

// abandon frees the chunks of an extent that nothing ever referred to.
func (e *extents) abandon(p *page) {
	e.mu.Lock()
	defer e.mu.Unlock()
	p.inflight = 0
	e.dissolve(p)
}

// dissolve frees the chunks of an extent that is ours.
func (e *extents) dissolve(p *page) {
	delete(e.owned, p.chunk)
	for j := range p.chunks {
		e.arena.setPage(p.chunk+j, free, 0)
	}
	e.drop(p.chunk, p.chunks)
}

// reclaim frees a retired extent at once if it is nobody's and has no pins.
func (e *extents) reclaim(i int, inc uint64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.owned[i] == nil && e.arena.HeadOf(e.arena.base+uint64(i)*ChunkSize).Load() == Head(inc, Retired) {
		if freed, pinned := e.take(i, true); freed || pinned {
			return
		}
	}
	e.arena.note(i, 1)
}

// collect is reclaim for whoever comes by.
func (e *extents) collect(i int) (freed, pinned bool) {
	if !e.mu.TryLock() {
		return false, false
	}
	defer e.mu.Unlock()
	return e.take(i, false)
}

// take claims an extent, and frees it if it is retired, or if a dead process was
// filling it. It tells whether it did, or would but for pins: then it keeps the extent
// in limbo if it is to wait for them.
func (e *extents) take(i int, wait bool) (freed, pinned bool) {
	a := e.arena
	if !a.claim(i) {
		return false, false
	}
	word := a.table[i].page.Load()
	n := countOf(word)
	if classOf(word) != extent || n < 1 || n > len(a.table)-i {
		a.disown(i)
		return false, false
	}
	for j := 1; j < n; j++ {
		if !a.claim(i + j) {
			e.drop(i, j)
			return false, false
		}
	}
	ref := a.base + uint64(i)*ChunkSize
	switch State(a.HeadOf(ref).Load()) {
	case Live:
		e.drop(i, n)
		return false, false
	case Retired:
		if a.unpinned() {
			break
		}
		if wait {
			e.limbo.add(freeBlock{ref, e.own(i, n)})
			e.limbo.close(a)
		} else {
			e.drop(i, n)
		}
		return false, true
	}
	e.dissolve(&page{chunk: i, chunks: n})
	return true, false
}

// ripen frees the extents that nobody has pinned any more.
func (e *extents) ripen() {
	a := e.arena
	if e.limbo.n == 0 {
		return
	}
	bytes := 0
	for _, b := range e.limbo.batches {
		for _, f := range b.blocks {
			bytes += f.page.chunks * ChunkSize
		}
	}
	if bytes > a.budget {
		a.oust(e.limbo.oldest())
	}
	for _, f := range e.limbo.ripe(a.oldestPin()) {
		e.dissolve(f.page)
	}
}

// trim frees what has waited for pins.
func (e *extents) trim() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.ripen()
}

func (e *extents) close() {
	e.mu.Lock()
	defer e.mu.Unlock()
	for i, p := range e.owned {
		e.arena.note(i, 1)
		e.drop(p.chunk, p.chunks)
	}
	e.owned, e.limbo = nil, limbo{}
}

// mend frees the chunks of a dead process that say they are inside of an extent
// of which the first chunk knows nothing.
func (a *Arena) mend(i int) {
	word := a.table[i].page.Load()
	if classOf(word) != inside {
		return
	}
	first := i - countOf(word)
	if first >= 0 {
		if w := a.table[first].page.Load(); classOf(w) == extent && first+countOf(w) > i && countOf(word) > 0 {
			return
		}
	}
	fault.Point("arena.mend")
	a.table[i].page.Store(next(word, free, 0))
}
