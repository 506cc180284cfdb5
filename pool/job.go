package pool

import (
	"context"
	"fmt"

	"github.com/shmkit/shmkit/codec"
	"github.com/shmkit/shmkit/internal/fault"
)

// A sink takes the outcomes of a job's items, each exactly once: deliver or
// fail. It is called by the pool's collector and by whoever submits or
// terminates, never by two goroutines at once for one job, and must neither
// block nor run user code. The bytes are its only during the call.
type sink interface {
	deliver(item int, s status, b []byte)
	fail(item int, err error)
}

// A job is the parent's side of a task that is not finished. Whoever takes it
// out of its slot owns it, until he puts it back or has finished it: so a
// result, a worker's death and Terminate never meet over one job.
type job struct {
	fn   *function
	sink sink

	base   int    // the sink's number of the record's first item
	items  int    // items in the record
	next   int    // items of the record whose outcome is known
	record []byte // as it was put; not written to after that
	deaths int    // workers that died running the record's first item

	generation uint32 // of the run that is queued or running
}

// begin returns an empty record, with room for n bytes of items.
func begin(n int) []byte { return make([]byte, taskHeader, taskHeader+n) }

// advance forgets the first k items of the job: the record begins with the
// one after them.
func (j *job) advance(k int) {
	if k == 0 {
		return
	}
	j.base += k
	j.items -= k
	j.next = max(j.next-k, 0)
	j.deaths = 0
	rest := j.record[taskHeader:]
	for range k {
		_, _, rest, _ = cutItem(rest) // our own bytes
	}
	// A copy: whoever put the old one may still be reading it.
	j.record = append(make([]byte, taskHeader, taskHeader+len(rest)), rest...)
}

// failRest fails all items whose outcome is not known.
func (j *job) failRest(err error) {
	err = fmt.Errorf("pool: %s: %w", j.fn.name, err)
	for i := j.next; i < j.items; i++ {
		j.sink.fail(j.base+i, err)
	}
	j.next = j.items
}

// appendItem appends an argument to a record.
func appendItem[A any](record []byte, c *codec.Codec[A], a *A) ([]byte, error) {
	start := len(record)
	out, err := c.Append(append(record, 0, 0, 0, 0), a)
	if err != nil {
		return record, err
	}
	n := len(out) - start - itemHeader
	if n > maxItemLength {
		return record, fmt.Errorf("%w: argument of %d bytes", ErrTooLarge, n)
	}
	putItem(out[start:], statusOK, n)
	return out, nil
}

// submit queues a job. It waits for a place in the table and for room on the
// ring until ctx is done. Each of the job's items will have an outcome, also when
// submit fails: it returns the error for its caller's convenience.
func (p *Pool) submit(ctx context.Context, j *job) error {
	if err := p.enter(); err != nil {
		j.failRest(err)
		return err
	}
	p.table.hdr.submitted.Add(uint64(j.items))
	if most := p.tasks.MaxRecord(); len(j.record) > most {
		return p.reject(j, fmt.Errorf("%w: argument of %d bytes, at most %d", ErrTooLarge, len(j.record)-taskHeader-itemHeader, most-taskHeader-itemHeader))
	}
	i, err := p.place(ctx)
	if err != nil {
		return p.reject(j, err)
	}
	// Terminate may unmap the table as soon as it has failed this job.
	if err := p.table.seg.Acquire(); err != nil {
		return p.reject(j, p.ending())
	}
	defer p.table.seg.Release()
	j.generation = taskWord(p.table.entries[i].word.Load()).generation()
	head, record := p.arm(i, j), j.record
	if !p.show(i, j) {
		return p.ending()
	}
	if err := p.put(ctx, head, record); err != nil {
		if j := p.slots[i].Swap(nil); j != nil {
			p.table.release(i, j.generation)
			p.free <- i
			return p.reject(j, p.explain(err))
		}
		return p.ending() // Terminate has failed it
	}
	return nil
}

// enter counts a job that begins to be submitted.
func (p *Pool) enter() error {
	for {
		n := p.open.Load()
		if n&closedBit != 0 {
			if err := p.ending(); err != nil {
				return err
			}
			return ErrClosed
		}
		if p.open.CompareAndSwap(n, n+1) {
			return nil
		}
	}
}

// leave counts a job that has ended. The last one of a closed pool sends the
// workers home.
func (p *Pool) leave() {
	if p.open.Add(-1) == closedBit {
		p.drain()
	}
}

// reject ends a job that the caller owns and that holds no entry.
func (p *Pool) reject(j *job, err error) error {
	p.table.hdr.failed.Add(uint64(j.items - j.next))
	j.failRest(err)
	p.leave()
	return err
}

// place waits for a free entry.
func (p *Pool) place(ctx context.Context) (uint32, error) {
	select {
	case i := <-p.free:
		return i, nil
	default:
	}
	select {
	case i := <-p.free:
		return i, nil
	case <-ctx.Done():
		return 0, fmt.Errorf("wait for one of %d tasks to end: %w", len(p.slots), ctx.Err())
	case <-p.ctx.Done():
		return 0, p.ending()
	}
}

// arm queues the job in entry i, with the next generation, and returns the
// head of its record.
func (p *Pool) arm(i uint32, j *job) taskRecord {
	j.generation = (j.generation + 1) & generationMask
	p.table.queue(i, j.generation, j.deaths+1, j.fn.index, j.items)
	return taskRecord{
		entry:      i,
		generation: j.generation,
		function:   uint32(j.fn.index),
		items:      uint32(j.items),
		attempt:    uint32(j.deaths + 1),
	}
}

// show puts the job in its slot, where the collector and Terminate find it. It
// reports false if Terminate had looked there before: then the job has been
// ended.
func (p *Pool) show(i uint32, j *job) bool {
	p.slots[i].Store(j)
	if p.ending() == nil {
		return true
	}
	if j := p.slots[i].Swap(nil); j != nil {
		p.reject(j, p.ending())
	}
	return false
}

// put puts a task's record on the ring.
func (p *Pool) put(ctx context.Context, head taskRecord, b []byte) error {
	r, err := p.tasks.Reserve(ctx, len(b))
	if err != nil {
		return err
	}
	copy(r.Bytes(), b)
	head.put(r.Bytes())
	fault.Point("pool.put")
	return r.Commit(len(b))
}

// explain makes the error of a ring that the pool has closed the pool's.
func (p *Pool) explain(err error) error {
	if e := p.ending(); e != nil {
		return e
	}
	return err
}
