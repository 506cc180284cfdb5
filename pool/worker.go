package pool

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"

	"github.com/shmkit/shmkit/internal/fault"
	"github.com/shmkit/shmkit/internal/mem"
	"github.com/shmkit/shmkit/process"
	"github.com/shmkit/shmkit/ringqueue"
	"github.com/shmkit/shmkit/shm"
)

// workerArgs is what a worker is told at its start.
type workerArgs struct {
	Table, Tasks, Results string // handles
	Functions             uint64 // fingerprint of the registered functions
	ID                    uint32
	Line                  uint32
	Wait                  shm.WaitPolicy
}

var workerFunc = process.Register("shmkit/pool.worker", work)

// A worker is this process, as a worker of a pool.
type worker struct {
	*table
	tasks     *ringqueue.Ring
	results   *ringqueue.Ring
	functions []*function
	id        uint32
	line      *workerLine
	room      []byte // its scratch

	args []byte // items of the current task
	out  []byte // result of the current item, with its head
	sent uint32 // items of the current task whose results have been sent
	used int    // bytes of room that hold the results of later ones
}

// work is the life of a worker. It ends when the pool has nothing more to do,
// or its process has died.
func work(ctx context.Context, a workerArgs) error {
	all, sum := functions.list()
	if sum != a.Functions {
		return errors.New("pool: the worker has other functions registered than its parent")
	}
	quiet := slog.New(slog.DiscardHandler) // the parent says what there is to say
	t, err := attachTable(a.Table, &shm.Options{Logger: quiet})
	if err != nil {
		return err
	}
	defer t.seg.Close()
	if err := t.seg.Acquire(); err != nil {
		return err
	}
	defer t.seg.Release()
	if int(a.Line) >= len(t.lines) {
		return fmt.Errorf("%w: no line %d", shm.ErrCorrupt, a.Line)
	}
	o := &ringqueue.Options{Wait: a.Wait, Logger: quiet}
	tasks, err := ringqueue.Attach[[]byte](a.Tasks, o)
	if err != nil {
		return err
	}
	defer tasks.Close()
	results, err := ringqueue.Attach[[]byte](a.Results, o)
	if err != nil {
		return err
	}
	defer results.Close()
	w := &worker{
		table:     t,
		tasks:     tasks.Ring(),
		results:   results.Ring(),
		functions: all,
		id:        a.ID,
		line:      &t.lines[a.Line],
		room:      t.scratchOf(int(a.Line)),
	}
	err = w.serve(ctx)
	if ctx.Err() != nil || errors.Is(err, ringqueue.ErrShutdown) {
		return nil
	}
	return err
}

// serve runs tasks until it can't get another one.
func (w *worker) serve(ctx context.Context) error {
	w.line.pid.Store(uint64(os.Getpid()))
	w.line.since.Store(now())
	fault.Point("pool.ready")
	w.line.state.Store(uint64(workerReady))
	if err := putResult(ctx, w.results, resultRecord{kind: kindReady, worker: w.id}, nil); err != nil {
		return err
	}
	for {
		t, err := w.next(ctx)
		if err != nil {
			return err
		}
		if err := w.run(ctx, t); err != nil {
			return err
		}
	}
}

// next waits for a task and takes it. The record goes back to the ring before
// the task runs: a lease held for long would hold the ring up.
//
// If this process dies before the take, the ring delivers the record to another
// worker. If it dies after it, the table says whose the task was, and the
// record is dropped by whom the ring delivers it to.
func (w *worker) next(ctx context.Context) (taskRecord, error) {
	for {
		lease, err := w.tasks.Borrow(ctx)
		if err != nil {
			return taskRecord{}, err
		}
		var t taskRecord
		items, ok := t.parse(lease.Bytes())
		// What the last task left must not be taken for this one's.
		w.setProgress(0)
		w.setFlushed(0)
		ok = ok && int(t.entry) < len(w.entries) && w.take(t.entry, t.generation, w.id)
		if ok {
			w.args = append(w.args[:0], items...)
		}
		lease.Release()
		if ok {
			w.hold(uint64(t.entry) + 1)
			return t, nil
		}
	}
}

// run runs the items of a task, and sends their results: those of a chunk are
// collected in the scratch, so that they are sent together and yet are not lost
// with this process.
func (w *worker) run(ctx context.Context, t taskRecord) error {
	w.sent, w.used = 0, 0
	args := w.args
	for k := range t.items {
		w.setProgress(2*uint64(k) + 1)
		args = w.runItem(ctx, t.function, args)
		if len(w.out) > len(w.room)-w.used {
			if err := w.flush(ctx, t, k); err != nil {
				return err
			}
		}
		if t.items > 1 && len(w.out) <= len(w.room)-w.used {
			w.used += copy(w.room[w.used:], w.out)
		} else {
			if err := w.send(ctx, t, k, k+1, w.out); err != nil {
				return err
			}
			w.sent = k + 1
			w.setFlushed(uint64(w.sent))
		}
		w.setProgress(2*uint64(k) + 2)
	}
	if err := w.flush(ctx, t, t.items); err != nil {
		return err
	}
	w.tidy()
	w.hold(0)
	fault.Point("pool.ended")
	mem.StoreRelease(&w.line.ended, w.line.ended.Load()+uint64(t.items))
	return nil
}

// runItem runs the first item of args, leaves what is to be sent in out, and
// returns the rest of args.
func (w *worker) runItem(ctx context.Context, function uint32, args []byte) []byte {
	w.out = append(w.out[:0], 0, 0, 0, 0) // the head
	_, arg, rest, err := cutItem(args)
	if err == nil && int(function) >= len(w.functions) {
		err = fmt.Errorf("%w: no function %d", shm.ErrCorrupt, function)
	}
	s := statusArgument
	if err != nil {
		w.out = appendText(w.out, err.Error())
	} else {
		s, w.out = w.functions[function].run(ctx, arg, w.out)
	}
	if most := w.results.MaxRecord() - resultHeader; len(w.out) > most {
		text := fmt.Sprintf("result of %d bytes: at most %d", len(w.out)-itemHeader, most-itemHeader)
		s, w.out = statusTooLarge, appendText(w.out[:itemHeader], text)
	}
	putItem(w.out, s, len(w.out)-itemHeader)
	return rest
}

// flush sends the results of the items before k that are in the scratch.
//
// If this process dies between the two steps, the scratch still seems to hold
// them. But progress says then that no item has ended beyond those that the
// parent has got.
func (w *worker) flush(ctx context.Context, t taskRecord, k uint32) error {
	if w.sent == k {
		return nil
	}
	if err := w.send(ctx, t, w.sent, k, w.room[:w.used]); err != nil {
		return err
	}
	w.sent, w.used = k, 0
	w.setFlushed(uint64(k))
	return nil
}

// send publishes the results of items first to end-1. When it returns they
// stand, whatever happens to this process: the commit is the point at which a
// task has ended.
func (w *worker) send(ctx context.Context, t taskRecord, first, end uint32, items []byte) error {
	return putResult(ctx, w.results, resultRecord{
		kind:       kindResults,
		worker:     w.id,
		entry:      t.entry,
		generation: t.generation,
		first:      first,
		items:      end - first,
	}, items)
}

// putResult puts a record on the results ring.
func putResult(ctx context.Context, results *ringqueue.Ring, head resultRecord, items []byte) error {
	r, err := results.Reserve(ctx, resultHeader+len(items))
	if err != nil {
		return err
	}
	head.put(r.Bytes())
	copy(r.Bytes()[resultHeader:], items)
	return r.Commit(resultHeader + len(items))
}

// setProgress says how far the task is. The stores before it, which are the
// result's bytes in the scratch, are visible to whoever sees it.
func (w *worker) setProgress(n uint64) {
	fault.Point("pool.progress")
	mem.StoreRelease(&w.line.progress, n)
}

// setFlushed says that the scratch holds nothing of the items before n.
func (w *worker) setFlushed(n uint64) {
	fault.Point("pool.flushed")
	mem.StoreRelease(&w.line.flushed, n)
}

// hold says, for people, which entry's task this worker runs.
func (w *worker) hold(entry uint64) {
	fault.Point("pool.hold")
	mem.StoreRelease(&w.line.task, entry)
	if entry == 0 {
		return // a clock costs more than the rest; idle since the last task's begin is good enough
	}
	mem.StoreRelease(&w.line.since, w.entries[entry-1].begun.Load())
}

// tidy lets go of buffers that a large task has made grow.
func (w *worker) tidy() {
	const most = 1 << 20
	if cap(w.args) > most {
		w.args = nil
	}
	if cap(w.out) > most {
		w.out = nil
	}
}
