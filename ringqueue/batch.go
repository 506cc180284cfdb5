package ringqueue

import (
	"context"
	"slices"

	"github.com/shmkit/shmkit/internal/mem"
)

// A batch is how throughput is reached: one claim, one move of a cursor, one
// look for waiters for many items. This is how many a consumer takes, and how
// many lengths a producer prepares, at a time.
const batchItems = 128

// PutMany appends vs in their order, in extents of up to 128 items that appear
// all at once; items of other producers may come between extents. It waits
// while the queue is full until ctx is done. It returns how many items were put:
// fewer than len(vs) only with an error, for which see [Queue.Put]. An item that
// can't be encoded or is too large fails before any of its extent is put.
func (q *Queue[T]) PutMany(ctx context.Context, vs []T) (int, error) {
	if q.plain {
		return q.putManyPlain(ctx, vs)
	}
	n := 0
	e := borrowBuffer()
	defer e.free()
	var lengths [batchItems]uint32
	for n < len(vs) {
		e.buf = e.buf[:0]
		k := 0
		var bad error
		var large []byte // the record behind the others
		for k < batchItems && n+k < len(vs) && len(e.buf) < q.r.Capacity()/4 {
			before := len(e.buf)
			buf, err := q.codec.Append(e.buf, &vs[n+k])
			if err != nil {
				bad = q.r.wrap("put", err)
				break
			}
			e.buf = buf
			if size := len(buf) - before; size > q.r.MaxRecord() {
				bad = q.r.tooLarge(size)
				e.buf = buf[:before]
				break
			} else if size > q.r.MaxInline() {
				large, e.buf = buf[before:], buf[:before]
				break
			} else {
				lengths[k] = uint32(size)
			}
			k++
		}
		put, err := q.r.putRun(ctx, e.buf, lengths[:k])
		n += put
		if err == nil && large != nil {
			if err = q.r.putBytes(ctx, large); err == nil {
				n++
			}
		}
		if err != nil {
			return n, err
		}
		if bad != nil {
			return n, bad
		}
	}
	return n, nil
}

// putManyPlain is PutMany for items that all take the same room.
func (q *Queue[T]) putManyPlain(ctx context.Context, vs []T) (int, error) {
	r := q.r
	if q.size > r.inline {
		for n := range vs {
			if err := q.Put(ctx, vs[n]); err != nil {
				return n, err
			}
		}
		return len(vs), nil
	}
	most := min(batchItems, max(min(r.core.blocks/4, maxBatchBlocks)/q.blocks, 1))
	if r.maxItems > 0 {
		most = min(most, r.maxItems)
	}
	n := 0
	for n < len(vs) {
		if err := r.enter(&r.put.side); err != nil {
			return n, r.wrap("put", err)
		}
		want := min(most, uint64(len(vs)-n))
		k, cl, st := r.claimEqual(want, q.blocks, q.size, false)
		if st != done {
			r.leave(&r.put.side)
			if st != full {
				return n, r.fail("put", st)
			}
			var err error
			if k, cl, err = r.waitEqual(ctx, want, q.blocks, q.size); err != nil {
				return n, err
			}
		}
		q.fillEqual(cl, vs[n:n+int(k)])
		put := r.commitSame(cl, k, q.size)
		r.committed(put, put*q.size)
		if put < k {
			r.wakeAll()
		}
		r.leave(&r.put.side)
		n += int(put)
		if put < k {
			return n, r.fail("put", ended)
		}
	}
	return n, nil
}

// claimEqual claims an extent for k records of n bytes, in blocks blocks each.
// If less is set and there is no room for all, it tries half, a quarter, … of
// them.
func (r *Ring) claimEqual(k, blocks, n uint64, less bool) (uint64, claim, status) {
	for ; k > 1; k /= 2 {
		cl, st := r.openNow(k*blocks, k, batchLength(k*blocks, k), reservedBatch)
		if st != full || !less {
			return k, cl, st
		}
	}
	cl, st := r.openNow(blocks, 1, n, reserved)
	return 1, cl, st
}

// waitEqual waits for room for k records, or, if that does not come soon, for
// some of them. Extents are best kept whole: split ones cost both sides.
func (r *Ring) waitEqual(ctx context.Context, k, blocks, n uint64) (got uint64, cl claim, err error) {
	cl, err = r.waitClaim(ctx, k*blocks, func(less bool) (cl claim, st status) {
		got, cl, st = r.claimEqual(k, blocks, n, less)
		return cl, st
	})
	return got, cl, err
}

// fillEqual writes plain items into their extent: at once if they fill their
// blocks.
func (q *Queue[T]) fillEqual(cl claim, vs []T) {
	if q.flat && q.size == q.blocks*blockSize {
		copy(q.r.own(cl.pos, q.size*uint64(len(vs))), mem.BytesOfSlice(vs))
		return
	}
	p := cl.pos
	for i := range vs {
		q.encode(q.r.own(p, q.size), &vs[i])
		p += q.blocks
	}
}

// putRun puts records that lie one behind the other in b, as few extents as
// the room allows. It returns how many it has put.
func (r *Ring) putRun(ctx context.Context, b []byte, lengths []uint32) (int, error) {
	n := 0
	for n < len(lengths) {
		if err := r.enter(&r.put.side); err != nil {
			return n, r.wrap("put", err)
		}
		k, cl, st := r.claimRun(lengths[n:], false)
		if st == full {
			r.leave(&r.put.side)
			var err error
			if k, cl, err = r.waitRun(ctx, lengths[n:]); err != nil {
				return n, err
			}
		} else if st != done {
			r.leave(&r.put.side)
			return n, r.fail("put", st)
		}
		put, size := r.fillRun(cl, b, lengths[n:n+k])
		r.committed(uint64(put), size)
		if put < k {
			r.wakeAll()
		}
		r.leave(&r.put.side)
		b = b[size:]
		n += put
		if put < k {
			return n, r.fail("put", ended)
		}
	}
	return n, nil
}

// claimRun claims an extent for as many of the records as may share one. If less
// is set and there is no room for all, it tries half, a quarter, … of them.
func (r *Ring) claimRun(lengths []uint32, less bool) (int, claim, status) {
	k, blocks := r.fitting(lengths, min(len(lengths), maxBatchItems))
	for ; k > 1; k, blocks = r.fitting(lengths, k/2) {
		cl, st := r.openNow(blocks, uint64(k), batchLength(blocks, uint64(k)), reservedBatch)
		if st != full || !less {
			return k, cl, st
		}
	}
	n := uint64(lengths[0])
	cl, st := r.openNow(blocksFor(n), 1, n, reserved)
	return 1, cl, st
}

// fitting returns how many of the first most records may share an extent, at
// least 1, and their blocks. An extent is at most a quarter of the ring, so that
// one can be filled while another is emptied.
func (r *Ring) fitting(lengths []uint32, most int) (int, uint64) {
	limit := min(r.core.blocks/4, maxBatchBlocks)
	if r.maxItems > 0 {
		most = min(most, int(r.maxItems))
	}
	var blocks uint64
	for k, n := range lengths[:most] {
		if more := blocksFor(uint64(n)); k > 0 && blocks+more > limit {
			return k, blocks
		} else {
			blocks += more
		}
	}
	return most, blocks
}

// waitRun waits for room for at least the first of the records.
func (r *Ring) waitRun(ctx context.Context, lengths []uint32) (got int, cl claim, err error) {
	lengths = slices.Clone(lengths) // so that the caller's stay on its stack
	_, blocks := r.fitting(lengths, min(len(lengths), maxBatchItems))
	cl, err = r.waitClaim(ctx, blocks, func(less bool) (cl claim, st status) {
		got, cl, st = r.claimRun(lengths, less)
		return cl, st
	})
	return got, cl, err
}

// fillRun writes and commits the records of one claim. It returns how many were
// put, and the bytes of all.
func (r *Ring) fillRun(cl claim, b []byte, lengths []uint32) (put int, size uint64) {
	p := cl.pos
	for _, n := range lengths {
		size += uint64(copy(r.own(p, uint64(n)), b[size:]))
		p += blocksFor(uint64(n))
	}
	if len(lengths) > 1 {
		return int(r.commitRun(cl, lengths)), size
	}
	if r.commitOne(cl) != done {
		return 0, size
	}
	return 1, size
}

// GetMany takes the next items, at most len(dst), into dst, and returns how
// many. It waits for the first as [Queue.Get] does, and not for more. A record
// that can't be decoded is dropped; the error then comes with the items that
// could. With an empty dst it returns 0.
func (q *Queue[T]) GetMany(ctx context.Context, dst []T) (int, error) {
	n, err := q.TryGetMany(dst)
	if err != error(q.r.get.errEmpty) {
		return n, err
	}
	loans, err := q.r.waitBorrow(ctx, min(len(dst), batchItems))
	if err != nil {
		return 0, err
	}
	return q.takeRun(loans, dst)
}

// TryGetMany is GetMany without waiting: [ErrEmpty] when there is nothing to
// take.
func (q *Queue[T]) TryGetMany(dst []T) (int, error) {
	r := q.r
	if len(dst) == 0 {
		return 0, nil
	}
	total := 0
	var loans [batchItems]loan
	for total < len(dst) {
		if err := r.enter(&r.get.side); err != nil {
			return total, r.wrap("get", err)
		}
		if r.get.sole && q.flat && q.size <= r.inline {
			n, err := q.getSeries(dst[total:])
			total += n
			if err == nil {
				continue // a series also ends where the lap does
			}
			if total > 0 && (err == error(r.get.errEmpty) || isShutdown(err)) {
				err = nil // the next call says it
			}
			return total, err
		}
		n, st := r.borrowRunNow(loans[:min(len(dst)-total, batchItems)])
		if st != done {
			r.leave(&r.get.side)
			if total > 0 {
				return total, nil
			}
			return 0, r.fail("get", st)
		}
		got, err := q.takeRun(loans[:n], dst[total:])
		total += got
		if err != nil {
			return total, err
		}
		if n < batchItems {
			break
		}
	}
	return total, nil
}

// getSeries takes one series of flat items from an exclusive side. Called with
// the get side entered; leaves it.
func (q *Queue[T]) getSeries(dst []T) (int, error) {
	r := q.r
	run, st := r.borrowSeriesNow(uint64(min(len(dst), batchItems)))
	if st != done {
		r.leave(&r.get.side)
		return 0, r.fail("get", st)
	}
	// One span for all: a series does not wrap, but for a single record.
	n, size := int(run.n), run.first.word.length()
	each := run.first.word.blocks()
	src, ok := r.span(run.first.pos, (run.n-1)*each*blockSize+size)
	switch {
	case !ok || size != q.size:
		n = 0 // not written by this library
	case q.size == each*blockSize:
		copy(mem.BytesOfSlice(dst[:n]), src)
	default:
		for i := range n {
			mem.Get(src[uint64(i)*each*blockSize:], &dst[i])
		}
	}
	r.count(true, r.get.items, run.n)
	r.count(true, r.get.bytes, run.n*size)
	r.releaseSeries(run)
	r.reclaimRun(run.first.pos, run.first.pos+run.n*each)
	r.wakePutters()
	r.leave(&r.get.side)
	if n == 0 {
		return 0, r.fail("get", corrupt)
	}
	return n, nil
}

// takeRun copies borrowed records out and releases them. Called with the get
// side entered; leaves it.
func (q *Queue[T]) takeRun(loans []loan, dst []T) (int, error) {
	r := q.r
	if !q.simple {
		return q.takeRunSlow(loans, dst)
	}
	n, bad := len(loans), error(nil)
	if !q.copyRun(loans, dst) {
		n, bad = q.decodeRun(loans, dst)
	}
	r.takenRun(loans)
	r.leave(&r.get.side)
	return n, bad
}

// copyRun copies flat items at once, if they fill their blocks and lie one
// behind the other.
func (q *Queue[T]) copyRun(loans []loan, dst []T) bool {
	if !q.flat || q.size != q.blocks*blockSize {
		return false
	}
	for i, l := range loans {
		if l.word.length() != q.size || l.pos != loans[0].pos+uint64(i)*q.blocks {
			return false
		}
	}
	src, ok := q.r.span(loans[0].pos, q.size*uint64(len(loans)))
	if ok {
		copy(mem.BytesOfSlice(dst[:len(loans)]), src)
	}
	return ok
}

// decodeRun decodes simple items; it returns how many could be, and the last
// error of those that could not.
func (q *Queue[T]) decodeRun(loans []loan, dst []T) (n int, bad error) {
	for _, l := range loans {
		src, ok := q.r.lent(l)
		if !ok {
			bad = q.r.fail("get", corrupt)
		} else if err := q.decode(src, &dst[n]); err != nil {
			bad = q.r.wrap("get", err)
		} else {
			n++
		}
	}
	return n, bad
}

// takeRunSlow is takeRun for types whose codec may run code of their own: the
// bytes are copied out first.
func (q *Queue[T]) takeRunSlow(loans []loan, dst []T) (n int, bad error) {
	r := q.r
	e := borrowBuffer()
	defer e.free()
	e.buf = e.buf[:0]
	var lengths [batchItems]int
	k := 0
	for _, l := range loans {
		src, ok := r.lent(l)
		if !ok {
			bad = r.fail("get", corrupt)
			continue
		}
		e.buf = append(e.buf, src...)
		lengths[k] = len(src)
		k++
	}
	r.takenRun(loans)
	r.leave(&r.get.side)
	b := e.buf
	for _, size := range lengths[:k] {
		if err := q.codec.Decode(b[:size:size], &dst[n]); err != nil {
			bad = r.wrap("get", err)
		} else {
			n++
		}
		b = b[size:]
	}
	return n, bad
}

// takenRun counts, releases and makes known a run of records.
func (r *Ring) takenRun(loans []loan) {
	var bytes uint64
	large := false
	for _, l := range loans {
		bytes += l.word.length()
		large = large || l.word.large()
	}
	if large {
		r.takenMixed(loans)
		return
	}
	r.count(r.get.sole, r.get.items, uint64(len(loans)))
	r.count(r.get.sole, r.get.bytes, bytes)
	last := len(loans) - 1
	for _, l := range loans[:last] {
		r.releaseRelaxed(l)
	}
	r.release(loans[last])
	r.reclaimRun(loans[0].pos, loans[last].pos+loans[last].word.blocks())
	r.wakePutters()
}

// takenMixed is takenRun for a run with large records.
func (r *Ring) takenMixed(loans []loan) {
	for _, l := range loans {
		b, _ := r.lent(l)
		r.takenOne(l, uint64(len(b)))
	}
}
