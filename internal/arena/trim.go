package arena

import (
	"sync"

	"github.com/shmkit/shmkit/internal/fault"
)

// The space of a chunk without a use is given back to the file system when nobody can
// be reading it any more. Readers leave no trace: they may still look at a block whose
// entry was replaced long ago, find garbage, and start again; but on a full file
// system even reading a page without space is a fault that kills. So each process says now and
// then that it was, for a moment, not reading anything at all; who wants to give
// space back waits until all have said so after the chunk was freed. A process that is
// always reading, or stopped, keeps the space from being given back, and nothing else.

// trimMost bounds how many chunks are given back in one batch.
const trimMost = 256

// trimmer is this process's side of it.
type trimmer struct {
	mu      sync.Mutex
	seen    map[int]uint64 // page words of chunks that had no use at the last Trim
	pending map[int]uint64 // those of the batch that waits
	grace   uint64         // for this value
}

// Trim is to be called now and then, by a goroutine that has the time: it gives back
// what this process keeps at hand and has not needed since the last call, frees the
// chunks of which all blocks are free, and gives the space of those that were
// free for a while back to the file system. Idle tells whether nobody of this
// process but the caller uses the arena at that moment.
func (a *Arena) Trim(idle func() bool) {
	for i := range a.classes {
		a.classes[i].trim()
	}
	a.extents.trim()
	a.release(a.extents.collect)
	t := &a.trim
	t.mu.Lock()
	defer t.mu.Unlock()
	a.tellQuiet(idle)
	if len(t.pending) > 0 {
		if a.allQuiet(t.grace) {
			a.punch()
		}
		return
	}
	a.choose()
}

// settleIn says that this process is going to read.
func (a *Arena) settleIn() {
	q := &a.head.quiet[a.me-1]
	g := a.head.grace.Load()
	fault.Point("arena.quiet.begin")
	q.Store(g + 1)
}

// tellQuiet says that this process reads nothing at this moment, if that is so.
func (a *Arena) tellQuiet(idle func() bool) {
	g := a.head.grace.Load() // before the look: what was read by then is over
	if idle() {
		fault.Point("arena.quiet")
		a.head.quiet[a.me-1].Store(g + 1)
	}
}

func (a *Arena) clearQuiet(slot int) {
	fault.Point("arena.quiet.end")
	a.head.quiet[slot].Store(0)
}

// allQuiet tells whether every process that reads at all has said that it did not,
// since grace had the value.
func (a *Arena) allQuiet(grace uint64) bool {
	for i := range a.head.quiet {
		if q := a.head.quiet[i].Load(); q != 0 && q <= grace {
			return false
		}
	}
	return true
}

// choose begins a batch of the chunks that had no use the last time, and have none now.
func (a *Arena) choose() {
	t := &a.trim
	now := make(map[int]uint64)
	for i := range a.top() {
		word := a.table[i].page.Load()
		if classOf(word) != free {
			continue
		}
		now[i] = word
		if t.seen[i] == word && len(t.pending) < trimMost {
			if t.pending == nil {
				t.pending = make(map[int]uint64)
			}
			t.pending[i] = word
		}
	}
	t.seen = now
	if len(t.pending) > 0 {
		fault.Point("arena.grace")
		t.grace = a.head.grace.Add(1)
	}
}

// punch gives the space of the batch back, of those chunks that still have no use. A
// chunk is a hole before it has lost its space: who finds a hole takes its space anew.
func (a *Arena) punch() {
	for i, word := range a.trim.pending {
		if a.table[i].page.Load() != word || !a.claim(i) {
			continue
		}
		if a.table[i].page.Load() == word {
			a.setPage(i, hole, 0)
			// An error only means that the space is kept.
			_ = a.host.Free(int64(a.base)+int64(i)*ChunkSize, ChunkSize)
		}
		a.disown(i)
	}
	clear(a.trim.pending)
}
