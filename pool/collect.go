package pool

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"

	"github.com/shmkit/shmkit/ringqueue"
	"github.com/shmkit/shmkit/shm"
)

// collect takes records off the results ring until ctx is done. It is the one
// goroutine that ends tasks, apart from Terminate. No user code runs on it: what
// needs any, which is decoding, is left to those who wait for the result.
func (p *Pool) collect(ctx context.Context) {
	for {
		lease, err := p.results.TryBorrow()
		if errors.Is(err, ringqueue.ErrEmpty) {
			// Whoever got a result just now runs at once on this thread,
			// instead of on another that has to be woken first. That halves
			// the time that an Apply takes.
			runtime.Gosched()
			lease, err = p.results.Borrow(ctx)
		}
		if err != nil {
			if ctx.Err() == nil {
				p.abort(fmt.Errorf("pool: take results: %w", err))
			}
			return
		}
		var r resultRecord
		if items, ok := r.parse(lease.Bytes()); ok {
			p.handle(r, items)
		}
		lease.Release()
	}
}

func (p *Pool) handle(r resultRecord, items []byte) {
	p.mu.Lock()
	w := p.workers[r.worker]
	p.mu.Unlock()
	if w == nil {
		return // nothing that this pool has written
	}
	switch r.kind {
	case kindReady:
		p.welcome(w)
	case kindResults:
		w.ended = true
		p.conclude(r, items)
	case kindDied:
		p.bury(w)
	}
}

// welcome notes that a worker is ready.
func (p *Pool) welcome(w *incarnation) {
	p.starts.succeeded()
	p.mu.Lock()
	defer p.mu.Unlock()
	w.ready = true
	if p.ready[w.line] {
		return
	}
	p.ready[w.line] = true
	if !slices.Contains(p.ready, false) {
		close(p.up)
	}
}

// conclude hands results on.
func (p *Pool) conclude(r resultRecord, items []byte) {
	if int64(r.entry) >= int64(len(p.slots)) {
		return
	}
	j := p.slots[r.entry].Swap(nil)
	if j == nil {
		return // terminated
	}
	if j.generation == r.generation {
		p.deliver(j, int(r.first), int(r.items), items)
	}
	p.settle(r.entry, j)
}

// deliver hands on the results of n items, which b holds. They are the next ones:
// a worker sends its results in their order, and nothing that it has sent is
// found in its scratch again.
func (p *Pool) deliver(j *job, first, n int, b []byte) {
	if first != j.next || n < 0 || n > j.items-first {
		p.corrupt(j, fmt.Errorf("%w: %d results from number %d on, expected number %d of %d", shm.ErrCorrupt, n, first, j.next, j.items))
		return
	}
	var done, failed uint64
	for k := first; k < first+n; k++ {
		s, item, rest, err := cutItem(b)
		if err != nil {
			p.corrupt(j, err)
			return
		}
		b = rest
		if s == statusOK {
			done++
		} else {
			failed++
		}
		j.next++
		if j.next == j.items {
			// Who waits for the last one finds it counted.
			p.count(done, failed)
			done, failed = 0, 0
		}
		j.sink.deliver(j.base+k, s, item)
	}
	p.count(done, failed)
}

func (p *Pool) count(done, failed uint64) {
	if done > 0 {
		p.table.hdr.done.Add(done)
	}
	if failed > 0 {
		p.table.hdr.failed.Add(failed)
	}
}

// corrupt ends a job whose results make no sense.
func (p *Pool) corrupt(j *job, err error) {
	p.count(0, uint64(j.items-j.next))
	j.failRest(err)
}

// settle ends the job, if all is known, or puts it back.
func (p *Pool) settle(i uint32, j *job) {
	if j.next < j.items {
		p.show(i, j)
		return
	}
	p.table.release(i, j.generation)
	p.free <- i
	p.leave()
}

// bury deals with what a dead worker left, of which nothing is in the ring any
// more: the task that it ran, if any.
func (p *Pool) bury(w *incarnation) {
	line := &p.table.lines[w.line]
	progress, flushed := line.progress.Load(), line.flushed.Load()
	p.table.runningOn(w.id, func(i uint32, t taskWord) {
		j := p.slots[i].Swap(nil)
		if j == nil {
			return // terminated
		}
		p.salvage(j, w.line, progress, flushed)
		p.fell(i, j, w, progress == 2*uint64(j.next)+1)
	})
	line.bury()
	p.mu.Lock()
	delete(p.workers, w.id)
	p.mu.Unlock()
	close(w.buried)
}

// salvage delivers the results that a dead worker had finished and not sent. If
// it died between sending those in its scratch and saying so, there are none:
// it had not gone on yet.
func (p *Pool) salvage(j *job, line int, progress, flushed uint64) {
	if ended := progress / 2; ended > uint64(j.next) {
		ended = min(ended, uint64(j.items)+1) // one more than there can be
		p.deliver(j, int(min(flushed, ended)), int(ended)-j.next, p.table.scratchOf(line))
	}
}

// fell decides what becomes of a job whose worker died: of the item that ran,
// if one did, and of those that had not begun.
func (p *Pool) fell(i uint32, j *job, w *incarnation, begun bool) {
	j.advance(j.next)
	if begun && j.items > 0 {
		j.deaths++
		if j.deaths > p.settings.Retries {
			err := *w.err
			err.Func, err.Attempt = j.fn.name, j.deaths
			p.count(0, 1)
			j.sink.fail(j.base, &err)
			j.next = 1
			j.advance(1)
		} else {
			p.table.hdr.retried.Add(1)
		}
	}
	if j.items == 0 {
		p.settle(i, j)
		return
	}
	p.requeue(i, j)
}

// requeue runs a job again, whose entry it still has. The ring may be full, and
// the collector must not wait for room: workers that wait for him to take
// their results would never make any.
func (p *Pool) requeue(i uint32, j *job) {
	if p.table.seg.Acquire() != nil {
		p.reject(j, p.ending())
		return
	}
	head, record := p.arm(i, j), j.record
	if !p.show(i, j) {
		p.table.seg.Release()
		return
	}
	go func() {
		defer p.table.seg.Release()
		if err := p.put(p.ctx, head, record); err == nil {
			return
		} else if j := p.slots[i].Swap(nil); j != nil {
			p.reject(j, p.explain(err))
		}
	}()
}
