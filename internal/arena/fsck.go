package arena

import "fmt"

// A Report is what [Arena.Fsck] has found.
type Report struct {
	Chunks   int   // that have ever been used
	Holes    int   // of them, without space
	Unused   int   // of them, with space but without blocks
	Blocks   int   // in all
	Free     int   // blocks that are free, or being filled
	Live     int   // blocks that are live, and reachable
	Retired  int   // blocks to which nothing refers
	Bytes    int64 // of the live blocks, their sizes
	Problems []string
}

// OK tells whether there was no problem.
func (r *Report) OK() bool { return len(r.Problems) == 0 }

func (r *Report) problem(format string, args ...any) {
	const most = 100
	if len(r.Problems) < most {
		r.Problems = append(r.Problems, fmt.Sprintf(format, args...))
	}
}

// Fsck checks that every block is exactly one of free, live and reachable, or
// retired. The callback calls visit with each block that is referred to, once per
// reference; visit returns false for one that can't be followed. While others work on the
// arena, what they are in the middle of is reported too. Problems name the incarnation
// of a block: one that is there again at the next look is the same.
func (a *Arena) Fsck(reach func(visit func(ref uint64, what string) bool)) *Report {
	r := new(Report)
	visited := make(map[uint64]string)
	reach(func(ref uint64, what string) bool {
		if before := visited[ref]; before != "" {
			r.problem("block %#x, incarnation %d: referred to by %s and by %s", ref, a.incarnation(ref), before, what)
			return false
		}
		visited[ref] = what
		return a.checkReference(r, ref, what)
	})
	for i := 0; i < a.top(); i++ {
		a.checkChunk(r, i, visited)
	}
	return r
}

// incarnation returns that of a block, 0 if ref is none.
func (a *Arena) incarnation(ref uint64) uint64 {
	head, ok := a.headAt(ref)
	if !ok {
		return 0
	}
	return Inc(head.Load())
}

// checkReference checks that ref is a live block.
func (a *Arena) checkReference(r *Report, ref uint64, what string) bool {
	word, _, ok := a.Page(ref)
	if !ok {
		r.problem("block %#x of %s: its chunk has no blocks", ref, what)
		return false
	}
	if c := classOf(word); c >= slab {
		size := uint64(blockSizes[c-slab])
		if off := (ref - a.base) % ChunkSize; off%size != 0 || off+size > ChunkSize {
			r.problem("block %#x of %s: not the start of a block of %d bytes", ref, what, size)
			return false
		}
	}
	if h := a.HeadOf(ref).Load(); State(h) != Live {
		r.problem("block %#x of %s, incarnation %d: state %d, not live", ref, what, Inc(h), State(h))
		return false
	}
	return true
}

// checkChunk counts the blocks of a chunk, and reports live ones that nothing refers to.
func (a *Arena) checkChunk(r *Report, i int, visited map[uint64]string) {
	r.Chunks++
	word := a.table[i].page.Load()
	start := a.base + uint64(i)*ChunkSize
	switch c := classOf(word); {
	case c == hole:
		r.Holes++
	case c == free:
		r.Unused++
	case c == extent:
		n := countOf(word)
		if n < 1 || i+n > len(a.table) {
			r.problem("chunk %d: an extent of %d chunks", i, n)
			return
		}
		for j := 1; j < n; j++ {
			if w := a.table[i+j].page.Load(); classOf(w) != inside || countOf(w) != j {
				r.problem("chunk %d: class %d, not inside of the extent at %d", i+j, classOf(w), i)
			}
		}
		a.count(r, start, n*ChunkSize, visited)
	case c == inside:
		first := i - countOf(word)
		if first < 0 || first == i || classOf(a.table[first].page.Load()) != extent || first+countOf(a.table[first].page.Load()) <= i {
			r.problem("chunk %d: inside of no extent", i)
		}
	case c-slab < len(blockSizes):
		size := blockSizes[c-slab]
		for off := 0; off+size <= ChunkSize; off += size {
			a.count(r, start+uint64(off), size, visited)
		}
	default:
		r.problem("chunk %d: unknown class %d", i, c)
	}
}

func (a *Arena) count(r *Report, ref uint64, size int, visited map[uint64]string) {
	r.Blocks++
	switch h := a.HeadOf(ref).Load(); State(h) {
	case Filling:
		r.Free++
	case Live:
		r.Live++
		r.Bytes += int64(size)
		if visited[ref] == "" {
			r.problem("block %#x of %d bytes, incarnation %d: live, and nothing refers to it", ref, size, Inc(h))
		}
	case Retired:
		r.Retired++
	default:
		r.problem("block %#x, incarnation %d: unknown state", ref, Inc(h))
	}
}
