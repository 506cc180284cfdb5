package pool

import (
	"time"

	"github.com/shmkit/shmkit/internal/fault"
	"github.com/shmkit/shmkit/internal/mem"
	"github.com/shmkit/shmkit/shm"
)

// A table is a handle of the task table: which task is queued, or runs on which
// worker, and how far that is. It is what tells, when a worker has died, what
// died with it.
type table struct {
	*view
	seg *shm.Segment
}

// tableSpec says what a task table's segment is.
func tableSpec() *shm.Spec {
	return &shm.Spec{
		Kind:   Kind,
		Layout: layoutVersion,
		Type:   "pool of workers",
		Check: func(seg *shm.Segment) error {
			_, err := viewOf(seg.Body())
			return err
		},
	}
}

// createTable creates the table called name, or one with a random name.
func createTable(name string, g geometry, functions []*function, o *shm.Options) (*table, error) {
	spec := tableSpec()
	spec.Size = g.size()
	spec.Init = func(seg *shm.Segment) error {
		h, err := headerOf(seg.Body())
		if err != nil {
			return err
		}
		h.workers, h.functions = uint64(g.workers), uint64(g.functions)
		h.tasks, h.scratch = uint64(g.tasks), uint64(g.scratch)
		v, err := viewOf(seg.Body())
		if err != nil {
			return err
		}
		for i, f := range functions {
			v.setName(i, f.name)
		}
		return nil
	}
	seg, err := shm.CreateSpec(name, spec, o)
	if err != nil {
		return nil, err
	}
	return newTable(seg)
}

// attachTable opens the table that another process created.
func attachTable(handle string, o *shm.Options) (*table, error) {
	seg, err := shm.OpenHandle(handle, tableSpec(), o)
	if err != nil {
		return nil, err
	}
	return newTable(seg)
}

func newTable(seg *shm.Segment) (*table, error) {
	v, err := viewOf(seg.Body())
	if err != nil {
		seg.Close()
		return nil, err
	}
	return &table{view: v, seg: seg}, nil
}

// now is the time as the table keeps it.
func now() uint64 { return uint64(time.Now().UnixNano()) }

// queue makes entry i stand for a task whose record is about to be put. The
// entry is the caller's: free, or of a task whose worker is dead.
func (t *table) queue(i uint32, generation uint32, attempt, function, items int) {
	e := &t.entries[i]
	fault.Point("pool.queue.content")
	mem.StoreRelease(&e.content, uint64(function)<<32|uint64(items))
	fault.Point("pool.queue.time")
	mem.StoreRelease(&e.queued, now())
	fault.Point("pool.queue")
	e.word.Store(uint64(makeTaskWord(generation, 0, attempt, taskQueued)))
}

// take makes the queued task the worker's. It fails if the task has been taken
// before: the record was delivered again, because its consumer died after it had
// taken the task and before it had released the record.
func (t *table) take(i, generation, worker uint32) bool {
	e := &t.entries[i]
	w := taskWord(e.word.Load())
	if w.state() != taskQueued || w.generation() != generation {
		return false
	}
	fault.Point("pool.take")
	if !e.word.CompareAndSwap(uint64(w), uint64(w.runBy(worker))) {
		return false
	}
	fault.Point("pool.take.time")
	mem.StoreRelease(&e.begun, now())
	return true
}

// release makes entry i free. Its generation stays, for the next task.
func (t *table) release(i, generation uint32) {
	fault.Point("pool.release")
	t.entries[i].word.Store(uint64(makeTaskWord(generation, 0, 0, taskFree)))
}

// runningOn calls f for each task that the worker had taken.
func (t *table) runningOn(worker uint32, f func(i uint32, w taskWord)) {
	for i := range t.entries {
		w := taskWord(t.entries[i].word.Load())
		if w.state() == taskRunning && w.worker() == worker {
			f(uint32(i), w)
		}
	}
}

// prepare readies a line for a worker that is about to be started. Nobody else
// writes it: its last worker is dead and buried.
func (l *workerLine) prepare(id uint32) {
	fault.Point("pool.prepare")
	l.progress.Store(0)
	l.flushed.Store(0)
	l.task.Store(0)
	l.ended.Store(0)
	l.pid.Store(0)
	t := now()
	l.started.Store(t)
	l.since.Store(t)
	l.id.Store(uint64(id))
	l.state.Store(uint64(workerStarting))
}

// bury marks the worker on the line as dead.
func (l *workerLine) bury() {
	fault.Point("pool.bury")
	l.task.Store(0)
	l.since.Store(now())
	l.state.Store(uint64(workerDead))
}
