package pool

import (
	"fmt"
	"sync/atomic"

	"github.com/shmkit/shmkit/internal/mem"
	"github.com/shmkit/shmkit/shm"
)

// Kind is the segment kind of a pool's task table, as shm and shmctl show it.
const Kind = "pool"

// layoutVersion changes whenever a word's meaning or place in the body does.
const layoutVersion = 1

// header is the start of the task table's segment body. The first line is
// written at creation and never again. The other two are the parent's: each
// word counts items, not chunks.
//
//	offset
//	     0  geometry        parent, once
//	   128  submitted       parent's submitters
//	   256  outcomes        parent's collector
//	  4096  workers         128 bytes each: worker i's line
//	     …  functions       64 bytes each: a length byte and a name, once
//	     …  tasks           64 bytes each: parent and the worker that runs it
//	     …  scratch         page-aligned; scratch bytes for each worker
type header struct {
	workers   uint64 // lines
	functions uint64 // names
	tasks     uint64 // entries
	scratch   uint64 // bytes for each worker
	_         [128 - 4*8]byte

	submitted atomic.Uint64
	_         [120]byte

	done     atomic.Uint64 // ended with a result
	failed   atomic.Uint64 // ended with an error of any kind
	retried  atomic.Uint64 // runs again after a worker's death
	restarts atomic.Uint64 // workers started to replace one that ended
	_        [128 - 4*8]byte
}

// workerLine is what a worker says of itself. The parent writes it before it
// starts the worker and after the worker is dead, the worker in between.
type workerLine struct {
	id      atomic.Uint64 // which worker: counts all that the pool ever started, from 1
	pid     atomic.Uint64
	state   atomic.Uint64 // workerState
	task    atomic.Uint64 // 1 + index of the entry that it runs; 0: none
	since   atomic.Uint64 // Unix time in ns at which state or task changed
	ended   atomic.Uint64 // items that it has run to their end
	started atomic.Uint64 // Unix time in ns

	// progress is twice the number of items of the current chunk that have
	// ended, plus 1 while one runs; flushed is the number of those whose
	// results have been sent. The results between stand in the worker's
	// scratch. Both are 0 before a task is taken, and the parent looks at
	// them only when the worker is dead.
	progress atomic.Uint64
	flushed  atomic.Uint64
	_        [128 - 9*8]byte
}

// A workerState is what a worker line's state word says.
type workerState uint64

const (
	workerNone workerState = iota
	workerStarting
	workerReady
	workerDead
)

// taskEntry is one task that is not finished: a chunk of at least one item.
type taskEntry struct {
	word    atomic.Uint64 // taskWord
	queued  atomic.Uint64 // Unix time in ns; parent
	begun   atomic.Uint64 // Unix time in ns; worker
	content atomic.Uint64 // function << 32 | items; parent
	_       [64 - 4*8]byte
}

// A taskWord is the whole truth about who has a task.
//
//	63          36 35      12 11      2 1     0
//	+-------------+----------+---------+-------+
//	| generation  |  worker  | attempt | state |
//	+-------------+----------+---------+-------+
//	      28           24        10        2
//
// free → queued and → free are the parent's stores; queued → running is one
// compare-and-swap of the worker that takes it, which so writes its own name
// into it before it does anything else.
//
// The generation tells the runs of one entry apart: it is one higher each time
// the entry is queued. A record that is delivered again after its task has been
// taken finds another state or generation, and is dropped. 28 bits suffice: a
// record that is still in the ring keeps the ring from going round, so fewer
// tasks than the ring has blocks (at most 2^23) can have been queued since.
type taskWord uint64

type taskState uint64

const (
	taskFree taskState = iota
	taskQueued
	taskRunning
)

const (
	stateBits      = 2
	attemptBits    = 10
	workerBits     = 24
	generationBits = 28

	attemptShift    = stateBits
	workerShift     = attemptShift + attemptBits
	generationShift = workerShift + workerBits

	stateMask      = 1<<stateBits - 1
	attemptMask    = 1<<attemptBits - 1
	workerMask     = 1<<workerBits - 1
	generationMask = 1<<generationBits - 1
)

func makeTaskWord(generation uint32, worker uint32, attempt int, s taskState) taskWord {
	return taskWord(uint64(generation&generationMask)<<generationShift |
		uint64(worker&workerMask)<<workerShift |
		uint64(min(attempt, attemptMask))<<attemptShift | uint64(s))
}

func (w taskWord) state() taskState   { return taskState(w & stateMask) }
func (w taskWord) attempt() int       { return int(w>>attemptShift) & attemptMask }
func (w taskWord) worker() uint32     { return uint32(w>>workerShift) & workerMask }
func (w taskWord) generation() uint32 { return uint32(w>>generationShift) & generationMask }

// runBy returns the queued word w as running on the worker.
func (w taskWord) runBy(worker uint32) taskWord {
	return makeTaskWord(w.generation(), worker, w.attempt(), taskRunning)
}

// Sizes and places in the body.
const (
	linesOffset = 4096
	lineSize    = 128
	nameSize    = 64
	entrySize   = 64
	pageSize    = 4096
)

// Limits of a table's geometry. A ring has room for 256 processes; the parent
// is one, and the dead may take a place until they are noticed.
const (
	maxWorkers   = 240
	maxTasks     = 1 << 20
	maxFunctions = 1 << 14
	maxScratch   = 1 << 20
)

// geometry is a table's shape.
type geometry struct {
	workers, functions, tasks, scratch int
}

func (g geometry) valid() bool {
	in := func(n, least, most int) bool { return n >= least && n <= most }
	return in(g.workers, 1, maxWorkers) && in(g.functions, 0, maxFunctions) &&
		in(g.tasks, 1, maxTasks) && in(g.scratch, pageSize, maxScratch) && g.scratch%pageSize == 0
}

func (g geometry) namesOffset() int   { return linesOffset + g.workers*lineSize }
func (g geometry) entriesOffset() int { return g.namesOffset() + g.functions*nameSize }
func (g geometry) scratchOffset() int {
	return (g.entriesOffset() + g.tasks*entrySize + pageSize - 1) &^ (pageSize - 1)
}
func (g geometry) size() int64 { return int64(g.scratchOffset() + g.workers*g.scratch) }

// A view is a table's body as typed memory.
type view struct {
	geometry
	hdr     *header
	lines   []workerLine
	names   [][nameSize]byte
	entries []taskEntry
	room    []byte // the scratches, one behind the other
}

// viewOf makes the views into a body, after checking that the geometry its
// header claims fits.
func viewOf(body []byte) (*view, error) {
	h, err := headerOf(body)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", shm.ErrCorrupt, err)
	}
	// Clamped first: the sums of a hostile header must not overflow.
	g := geometry{
		workers:   int(min(h.workers, maxWorkers+1)),
		functions: int(min(h.functions, maxFunctions+1)),
		tasks:     int(min(h.tasks, maxTasks+1)),
		scratch:   int(min(h.scratch, maxScratch+1)),
	}
	if !g.valid() {
		return nil, fmt.Errorf("%w: table of %d workers, %d functions, %d tasks, %d bytes of scratch",
			shm.ErrCorrupt, h.workers, h.functions, h.tasks, h.scratch)
	}
	v := &view{geometry: g, hdr: h}
	if v.lines, err = mem.Slice[workerLine](body, linesOffset, g.workers); err == nil {
		if v.names, err = mem.Slice[[nameSize]byte](body, g.namesOffset(), g.functions); err == nil {
			if v.entries, err = mem.Slice[taskEntry](body, g.entriesOffset(), g.tasks); err == nil {
				v.room, err = mem.Slice[byte](body, g.scratchOffset(), g.workers*g.scratch)
			}
		}
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", shm.ErrCorrupt, err)
	}
	return v, nil
}

func headerOf(body []byte) (*header, error) { return mem.At[header](body, 0) }

// scratchOf returns the scratch of the worker on a line.
func (v *view) scratchOf(line int) []byte {
	off := line * v.scratch
	return v.room[off : off+v.scratch : off+v.scratch]
}

// setName writes function i's name, cut to what the place holds.
func (v *view) setName(i int, name string) {
	b := &v.names[i]
	b[0] = byte(copy(b[1:], name))
}

func (v *view) name(i int) string {
	b := &v.names[i]
	return string(b[1 : 1+min(int(b[0]), nameSize-1)])
}
