package ringqueue

import (
	"context"
	"fmt"
	"iter"
	"sync"

	"github.com/shmkit/shmkit/codec"
	"github.com/shmkit/shmkit/internal/fault"
	"github.com/shmkit/shmkit/internal/mem"
)

// A Queue is a handle of a queue of T shared by the processes of one machine:
// what multiprocessing.Queue and JoinableQueue are to Python. Its methods may
// be called from several goroutines at once.
//
// A *Queue is its own handle for other processes: it marshals to text and to
// bytes, so that it can be an argument of a process or a field of a message,
// and is attached to the same queue where it is unmarshalled. The receiver
// closes what it has unmarshalled.
type Queue[T any] struct {
	r      *Ring
	codec  *codec.Codec[T]
	simple bool   // T's codec runs no code of T's own: plain, string, []byte
	plain  bool   // T has no pointers and travels by copy, always of the same size
	flat   bool   // T is plain, and its memory is its encoding
	size   uint64 // of a plain T, in bytes
	blocks uint64 // of a plain T, in the ring
}

// New creates a queue without a name of its own choosing. It lives as long as a
// process holds it, and travels as an argument.
func New[T any](o *Options) (*Queue[T], error) {
	var opts Options
	if o != nil {
		opts = *o
	}
	opts.Persistent = false
	return Create[T]("", &opts)
}

// Create creates the queue called name, or fails with [ErrExist].
func Create[T any](name string, o *Options) (*Queue[T], error) {
	return open(name, o, func(c *codec.Codec[T], o *Options) (*Ring, error) {
		size, _ := c.Fixed()
		return createRing(name, c.Type(), c.Sum(), size, o)
	})
}

// Open opens the queue called name. It fails with [ErrNotExist], with [ErrKind]
// when the name is not a queue's, and with [ErrType] when its items are not of
// type T. Of the options only those of this handle count.
func Open[T any](name string, o *Options) (*Queue[T], error) {
	return open(name, o, func(c *codec.Codec[T], o *Options) (*Ring, error) {
		return openRing(name, c.Type(), c.Sum(), o)
	})
}

// OpenOrCreate opens the queue called name, or creates it when there is none.
func OpenOrCreate[T any](name string, o *Options) (*Queue[T], error) {
	return open(name, o, func(c *codec.Codec[T], o *Options) (*Ring, error) {
		size, _ := c.Fixed()
		return openOrCreateRing(name, c.Type(), c.Sum(), size, o)
	})
}

// Attach opens the queue whose handle another process got from [Queue.Handle]
// (or by marshalling the queue). If that very queue is gone it fails with
// [ErrNotExist], whatever its name stands for now.
func Attach[T any](handle string, o *Options) (*Queue[T], error) {
	return open(handle, o, func(c *codec.Codec[T], o *Options) (*Ring, error) {
		return openHandleRing(handle, c.Type(), c.Sum(), o)
	})
}

func open[T any](name string, o *Options, ring func(*codec.Codec[T], *Options) (*Ring, error)) (*Queue[T], error) {
	c, err := codec.For[T]()
	if err != nil {
		return nil, &Error{Op: "open", Queue: name, Err: err}
	}
	if o == nil {
		o = new(Options)
	}
	r, err := ring(c, o)
	if err != nil {
		return nil, err
	}
	return queueOn(r, c), nil
}

// queueOn returns the queue of T that the ring carries.
func queueOn[T any](r *Ring, c *codec.Codec[T]) *Queue[T] {
	q := &Queue[T]{r: r, codec: c}
	q.flat = c.Flat()
	_, q.simple = c.Size(new(T))
	if size, ok := c.Fixed(); ok {
		q.plain, q.size, q.blocks = true, uint64(size), blocksFor(uint64(size))
	}
	return q
}

// Ring returns the ring under the queue, for records without copying. What it
// carries is the codec's encoding of T.
func (q *Queue[T]) Ring() *Ring { return q.r }

// Name returns the queue's name in its directory.
func (q *Queue[T]) Name() string { return q.r.Name() }

// Handle returns the queue's address as text, for [Attach] in another process.
func (q *Queue[T]) Handle() string { return q.r.Handle() }

// Close gives this handle up; see [Ring.Close].
func (q *Queue[T]) Close() error { return q.r.Close() }

// Put appends v. It waits while the queue is full until ctx is done; the error
// is then both [ErrFull] and the context's. When Put returns nil, v is visible
// to every process. A value that can't be encoded is an error here, and the
// queue is unchanged. A context that is done already does not fail a call that
// needn't wait. Other errors: [ErrTooLarge], [ErrNoSpace], [ErrShutdown],
// [ErrRoleTaken], [ErrClosed].
func (q *Queue[T]) Put(ctx context.Context, v T) error {
	if !q.simple {
		return q.putEncoded(v, func(b []byte) error { return q.r.putBytes(ctx, b) })
	}
	err := q.tryPutSimple(&v)
	if err != error(q.r.put.errFull) {
		return err
	}
	return q.waitPut(ctx, &v)
}

// TryPut is Put without waiting: [ErrFull] when there is no room.
func (q *Queue[T]) TryPut(v T) error {
	if !q.simple {
		return q.putEncoded(v, q.r.tryPutBytes)
	}
	return q.tryPutSimple(&v)
}

// tryPutSimple claims, encodes in place and commits in one go.
func (q *Queue[T]) tryPutSimple(v *T) error {
	r := q.r
	n, blocks := q.size, q.blocks
	if !q.plain {
		size, _ := q.codec.Size(v)
		n, blocks = uint64(size), blocksFor(uint64(size))
	}
	if n > r.inline {
		return q.tryPutLarge(n, v)
	}
	if err := r.enter(&r.put.side); err != nil {
		return r.wrap("put", err)
	}
	cl, st := r.openNow(blocks, 1, n, reserved)
	if st != done {
		r.leave(&r.put.side)
		return r.fail("put", st)
	}
	q.encode(r.own(cl.pos, n), v)
	return r.finishPut(cl, n)
}

// tryPutLarge is tryPutSimple for a value that does not fit in the ring.
func (q *Queue[T]) tryPutLarge(n uint64, v *T) error {
	return q.r.tryPutRecord(n, func(b []byte) { q.encode(b, v) })
}

// waitPut waits for room for a simple v.
func (q *Queue[T]) waitPut(ctx context.Context, v *T) error {
	n, _ := q.codec.Size(v)
	cl, err := q.r.waitRoom(ctx, uint64(n))
	if err != nil {
		return err
	}
	return q.r.fillPut(cl, uint64(n), func(b []byte) { q.encode(b, v) })
}

// encode writes a simple v to dst, which has its size.
func (q *Queue[T]) encode(dst []byte, v *T) {
	if q.flat {
		mem.Put(dst, v)
		return
	}
	q.codec.Append(dst[:0], v) // fits, and can't fail
}

// decode reads a simple v. A flat one must have its size.
func (q *Queue[T]) decode(src []byte, v *T) error {
	if q.flat && uint64(len(src)) == q.size {
		mem.Get(src, v)
		return nil
	}
	return q.codec.Decode(src, v)
}

// putEncoded encodes v, before anything is claimed, and puts the bytes.
func (q *Queue[T]) putEncoded(v T, put func([]byte) error) error {
	e := borrowBuffer()
	defer e.free()
	b, err := q.codec.Append(e.buf[:0], &v)
	if err != nil {
		return q.r.wrap("put", err)
	}
	e.buf = b
	return put(b)
}

// putBytes puts one record and waits for room.
func (r *Ring) putBytes(ctx context.Context, b []byte) error {
	err := r.tryPutBytes(b)
	if err != error(r.put.errFull) {
		return err
	}
	cl, err := r.waitRoom(ctx, uint64(len(b)))
	if err != nil {
		return err
	}
	return r.fillPut(cl, uint64(len(b)), func(to []byte) { copy(to, b) })
}

// tryPutBytes puts one record if there is room.
func (r *Ring) tryPutBytes(b []byte) error {
	return r.tryPutRecord(uint64(len(b)), func(to []byte) { copy(to, b) })
}

// tryPutRecord puts one record of n bytes if there is room.
func (r *Ring) tryPutRecord(n uint64, fill func([]byte)) error {
	if n > r.maxRecord {
		return r.tooLarge(int(n))
	}
	if err := r.enter(&r.put.side); err != nil {
		return r.wrap("put", err)
	}
	cl, st := r.openAny(n)
	if st != done {
		r.leave(&r.put.side)
		return r.fail("put", st)
	}
	return r.fillPut(cl, n, fill)
}

// fillPut has an open claim of a record of n bytes filled, and commits it. Called
// with the put side entered; leaves it.
func (r *Ring) fillPut(cl claim, n uint64, fill func([]byte)) error {
	b, ok := r.room(cl, n)
	if !ok {
		r.abortClaim(cl)
		r.leave(&r.put.side)
		return r.fail("put", corrupt)
	}
	fill(b)
	return r.finishPut(cl, n)
}

// finishPut commits a record of n bytes that has been written. Called with the
// put side entered; leaves it.
func (r *Ring) finishPut(cl claim, n uint64) error {
	st := r.commitOne(cl)
	if st == done {
		r.committed(1, n)
	} else {
		r.wakeAll()
	}
	r.leave(&r.put.side)
	if st != done {
		return r.fail("put", st)
	}
	return nil
}

// Get takes the next item. It waits while there is none until ctx is done; the
// error is then both [ErrEmpty] and the context's. The item is gone when Get
// returns: if this process dies, nobody else gets it (at most once; for at
// least once see [Queue.Receive]). A context that is done already does not fail
// a call that needn't wait. A record that can't be decoded is dropped with the
// codec's error. Other errors: [ErrShutdown], [ErrRoleTaken], [ErrClosed].
func (q *Queue[T]) Get(ctx context.Context) (T, error) {
	v, err := q.TryGet()
	if err != error(q.r.get.errEmpty) {
		return v, err
	}
	loans, err := q.r.waitBorrow(ctx, 1)
	if err != nil {
		return v, err
	}
	return q.take(loans[0])
}

// TryGet is Get without waiting: [ErrEmpty] when there is nothing to take, or
// the next item is still being written.
func (q *Queue[T]) TryGet() (v T, err error) {
	r := q.r
	if err := r.enter(&r.get.side); err != nil {
		return v, r.wrap("get", err)
	}
	l, st := r.borrowNow()
	if st != done {
		r.leave(&r.get.side)
		return v, r.fail("get", st)
	}
	return q.take(l)
}

// take copies a borrowed record out and releases it. Called with the get side
// entered; leaves it.
func (q *Queue[T]) take(l loan) (v T, err error) {
	r := q.r
	src, ok := r.lent(l)
	if !ok || !q.simple {
		return q.takeSlow(l, src, ok)
	}
	err = q.decode(src, &v)
	r.takenOne(l, uint64(len(src)))
	r.leave(&r.get.side)
	if err != nil {
		err = r.wrap("get", err)
	}
	return v, err
}

// takeSlow is take for types whose codec may run code of their own, and for bad
// records. The bytes are copied out first, so that no user code runs while the
// side is entered.
func (q *Queue[T]) takeSlow(l loan, src []byte, ok bool) (v T, err error) {
	r := q.r
	e := borrowBuffer()
	defer e.free()
	e.buf = append(e.buf[:0], src...)
	r.takenOne(l, uint64(len(src)))
	r.leave(&r.get.side)
	if !ok {
		return v, r.fail("get", corrupt)
	}
	if err := q.codec.Decode(e.buf, &v); err != nil {
		return v, r.wrap("get", err)
	}
	return v, nil
}

// takenOne counts, releases and makes known one record of n bytes.
func (r *Ring) takenOne(l loan, n uint64) {
	r.count(r.get.sole, r.get.items, 1) // before the record goes: see settled
	r.count(r.get.sole, r.get.bytes, n)
	r.finish(l)
}

// All returns an iterator that gets items until the queue is shut down and
// empty, ctx is done, or it fails otherwise; the last two yield the error.
func (q *Queue[T]) All(ctx context.Context) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for {
			v, err := q.Get(ctx)
			if isShutdown(err) || !yield(v, err) || err != nil {
				return
			}
		}
	}
}

// Len returns the number of items that can be taken. It is exact when nobody is
// in the middle of an operation, and may be old by the time it is looked at.
// After Close it is 0.
func (q *Queue[T]) Len() int { return q.r.Len() }

// MaxItems returns the bound on queued items; 0 when only the capacity bounds
// them.
func (q *Queue[T]) MaxItems() int { return q.r.MaxItems() }

// Empty tells whether Len is 0.
func (q *Queue[T]) Empty() bool { return q.Len() == 0 }

// Full tells whether a TryPut of a smallest record would find no room. It may
// be old by the time it is looked at.
func (q *Queue[T]) Full() bool {
	if !q.plain {
		return q.r.Full(0)
	}
	return q.r.Full(int(q.size))
}

// Len returns the number of records that can be taken; see [Queue.Len].
func (r *Ring) Len() int {
	if r.seg.Acquire() != nil {
		return 0
	}
	defer r.seg.Release()
	if r.core.loadShutdown() == shutdownNow {
		return 0
	}
	n, _ := r.length()
	if r.large != nil && r.large.returned.load()&1 != 0 {
		_, waiting := r.large.census()
		n += waiting
	}
	return n
}

// Full tells whether a record of n bytes would find no room in the ring now.
func (r *Ring) Full(n int) bool {
	if r.seg.Acquire() != nil {
		return false
	}
	defer r.seg.Release()
	return r.isFull(r.blocksOf(uint64(max(n, 0))))
}

// Shutdown ends the queue for everybody. Puts return [ErrShutdown] from now on;
// gets do when nothing is left, or at once if immediate is set, in which case
// the items that wait are dropped. Who waits is woken. Deliveries and leases that
// are open may still be ended; what is given back may turn up after a get has
// returned ErrShutdown already.
func (q *Queue[T]) Shutdown(immediate bool) error { return q.r.Shutdown(immediate) }

// Shutdown ends the queue for everybody; see [Queue.Shutdown].
func (r *Ring) Shutdown(immediate bool) error {
	if err := r.seg.Acquire(); err != nil {
		return r.wrap("shutdown", err)
	}
	defer r.seg.Release()
	flag := uint32(shutdownDrain)
	if immediate {
		flag = shutdownNow
	}
	for {
		old := r.core.loadShutdown()
		if old >= flag {
			break
		}
		fault.Point("ring.shutdown")
		if r.core.shutdown.CompareAndSwap(old, flag) {
			break
		}
	}
	r.wakeAll()
	return nil
}

// MarshalText returns the queue's handle.
func (q *Queue[T]) MarshalText() ([]byte, error) { return []byte(q.Handle()), nil }

// UnmarshalText attaches q, which must be new, to the queue of the handle, with
// default options.
func (q *Queue[T]) UnmarshalText(text []byte) error {
	if q.r != nil {
		return &Error{Op: "open", Queue: string(text), Err: fmt.Errorf("this Queue is attached to %s", q.Name())}
	}
	a, err := Attach[T](string(text), nil)
	if err != nil {
		return err
	}
	*q = *a
	return nil
}

// AppendBinary appends the queue's handle.
func (q *Queue[T]) AppendBinary(b []byte) ([]byte, error) { return append(b, q.Handle()...), nil }

// MarshalBinary returns the queue's handle.
func (q *Queue[T]) MarshalBinary() ([]byte, error) { return q.MarshalText() }

// UnmarshalBinary is UnmarshalText.
func (q *Queue[T]) UnmarshalBinary(b []byte) error { return q.UnmarshalText(b) }

// A buffer holds encoded values on their way.
type buffer struct{ buf []byte }

var buffers = sync.Pool{New: func() any { return new(buffer) }}

func borrowBuffer() *buffer { return buffers.Get().(*buffer) }

// free returns the buffer to the pool, unless it has grown large.
func (e *buffer) free() {
	const largest = 1 << 20
	if cap(e.buf) <= largest {
		buffers.Put(e)
	}
}
