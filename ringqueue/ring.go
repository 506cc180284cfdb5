package ringqueue

import (
	"sync/atomic"

	"github.com/shmkit/shmkit/internal/fault"
	"github.com/shmkit/shmkit/internal/futex"
	"github.com/shmkit/shmkit/internal/mem"
	"github.com/shmkit/shmkit/shm"
)

// A Ring is a handle of a queue's memory: it hands out room for records, and
// records, without copying them. [Queue] is built on it, and [Queue.Ring] is
// how to get one.
//
// A Ring may be used from several goroutines at once, also when its side is
// exclusive; in that case they take turns.
type Ring struct {
	seg  *shm.Segment
	home home
	*view
	put    producerSide
	get    consumerSide
	idle   *futex.Gate // waiters of Join
	closed atomic.Bool
}

// producerSide is what this handle's puts work with.
type producerSide struct {
	side
	role    soleProducer
	gate    *futex.Gate
	policy  shm.WaitPolicy
	items   *atomic.Uint64 // counters in this slot's lines
	bytes   *atomic.Uint64
	waits   *atomic.Uint64
	aborts  *atomic.Uint64
	wakes   *atomic.Uint64
	errFull *Error
}

// consumerSide is what this handle's gets work with.
type consumerSide struct {
	side
	role     soleConsumer
	gate     *futex.Gate
	items    *atomic.Uint64
	bytes    *atomic.Uint64
	finished *atomic.Uint64
	waits    *atomic.Uint64
	wakes    *atomic.Uint64
	errEmpty *Error
}

// A home is what a ring needs to know of the file that it lies in: its own, or a part of
// another one.
type home struct {
	name    string
	counter func(slot int, c shm.Counter) *atomic.Uint64
	handle  func() string
	close   func() error
}

// newRing returns a handle of the queue in a file of its own.
func newRing(seg *shm.Segment, p *parting, o *Options) (*Ring, error) {
	v, err := newView(seg)
	if err != nil {
		seg.Close()
		return nil, &Error{Op: "open", Queue: seg.Name(), Err: err}
	}
	if v.large != nil {
		p.large, v.large.slot = v.large, v.me
	}
	r := makeRing(seg, v, home{name: seg.Name(), counter: seg.CounterOf, handle: seg.Handle, close: seg.Close}, o)
	seg.OnClose(r.onClose)
	return r, nil
}

func makeRing(seg *shm.Segment, v *view, h home, o *Options) *Ring {
	policy := futex.Policy(o.Wait)
	r := &Ring{
		seg:  seg,
		home: h,
		view: v,
		idle: futex.NewGate(&v.hdr.idle, futex.Block),
	}
	r.put.sole = v.modes&modeSoleProducer != 0
	r.put.gate = futex.NewGate(&v.hdr.notFull, policy)
	r.put.policy = o.Wait
	r.put.items = h.counter(v.me, shm.Puts)
	r.put.bytes = h.counter(v.me, shm.BytesIn)
	r.put.waits = h.counter(v.me, shm.FullWaits)
	r.put.aborts = h.counter(v.me, shm.Aborts)
	r.put.wakes = h.counter(v.me, shm.PutWakes)
	r.put.errFull = &Error{Op: "put", Queue: h.name, Err: ErrFull}
	r.get.sole = v.modes&modeSoleConsumer != 0
	r.get.gate = futex.NewGate(&v.hdr.notEmpty, policy)
	r.get.items = h.counter(v.me, shm.Gets)
	r.get.bytes = h.counter(v.me, shm.BytesOut)
	r.get.finished = h.counter(v.me, shm.TasksDone)
	r.get.waits = h.counter(v.me, shm.EmptyWaits)
	r.get.wakes = h.counter(v.me, shm.GetWakes)
	r.get.errEmpty = &Error{Op: "get", Queue: h.name, Err: ErrEmpty}
	r.put.role.core = &v.core
	r.get.role.core = &v.core
	return r
}

// Close gives this handle up. Operations that wait return [ErrClosed], later
// ones do too. Reservations, leases and deliveries that are still open stay
// valid until they end; the memory is unmapped, and this process counted out,
// after the last of them. The second Close returns nil.
func (r *Ring) Close() error { return r.home.close() }

// onClose runs once, before the segment waits for the uses to end.
func (r *Ring) onClose() {
	r.closed.Store(true)
	r.put.close(&r.hdr.producer, r.me)
	r.get.close(&r.hdr.consumer, r.me)
	r.put.gate.Interrupt()
	r.get.gate.Interrupt()
	r.idle.Interrupt()
}

// Name returns the queue's name in its directory.
func (r *Ring) Name() string { return r.home.name }

// Handle returns the queue's address as text, for [Open] in another process.
func (r *Ring) Handle() string { return r.home.handle() }

// Segment returns the segment that the queue lives in.
func (r *Ring) Segment() *shm.Segment { return r.seg }

// Capacity returns the size of the ring in bytes.
func (r *Ring) Capacity() int { return int(r.blocks) * blockSize }

// MaxRecord returns the size of the largest record in bytes.
func (r *Ring) MaxRecord() int { return int(r.maxRecord) }

// MaxInline returns the size of the largest record that lies in the ring itself;
// larger ones are carried by reference.
func (r *Ring) MaxInline() int { return int(r.inline) }

// MaxItems returns the bound on queued items; 0 when only the capacity bounds
// them.
func (r *Ring) MaxItems() int { return int(r.maxItems) }

// claimNow reserves without waiting, for user code to fill. Called between enter
// and leave.
func (r *Ring) claimNow(m, items, length uint64, s state) (claim, status) {
	if r.put.sole {
		return r.put.role.claim(m, items, length, s)
	}
	return r.core.claim(m, items, length, s)
}

// openNow finds room for records that are written and committed in one go, with
// one of the commits below. Called between enter and leave.
func (r *Ring) openNow(m, items, length uint64, s state) (claim, status) {
	if r.put.sole {
		return r.put.role.open(m, items, length, s)
	}
	return r.core.claim(m, items, length, s)
}

// commitOne commits an open claim of one record.
func (r *Ring) commitOne(cl claim) status {
	if r.put.sole && !cl.word.large() {
		return r.put.role.commit(cl)
	}
	r.commitWhole(cl)
	return done
}

// commitSame commits an open claim of k records of n bytes each, and returns
// how many were put.
func (r *Ring) commitSame(cl claim, k, n uint64) uint64 {
	if r.put.sole {
		return r.put.role.commitEqual(cl, k, n)
	}
	r.commitEqual(cl, k, n)
	return k
}

// commitRun commits an open claim of records of these lengths, and returns how
// many were put.
func (r *Ring) commitRun(cl claim, lengths []uint32) uint64 {
	if r.put.sole {
		return r.put.role.commitBatch(cl, lengths)
	}
	r.commitBatch(cl, lengths)
	return uint64(len(lengths))
}

// borrowNow takes the next record without waiting. Called between enter and
// leave.
func (r *Ring) borrowNow() (loan, status) {
	// The flag is loaded first: only an empty ring seen after it was set is
	// empty for good (F7).
	flag := r.core.loadShutdown()
	if flag == shutdownNow {
		return loan{}, ended
	}
	if r.large != nil {
		if l, ok := r.borrowReturned(); ok {
			return l, done
		}
	}
	var l loan
	var st status
	if r.get.sole {
		l, st = r.get.role.borrow()
	} else {
		l, st = r.core.borrow()
	}
	if st == done && l.word.large() {
		var ok bool
		if l, ok = r.takeOut(l); !ok {
			st = corrupt
		}
	}
	if st == empty && flag != 0 {
		st = ended
	}
	return l, st
}

// borrowRunNow takes up to len(loans) records without waiting.
func (r *Ring) borrowRunNow(loans []loan) (int, status) {
	flag := r.core.loadShutdown()
	if flag == shutdownNow {
		return 0, ended
	}
	if r.large != nil {
		if l, ok := r.borrowReturned(); ok {
			loans[0] = l
			return 1, done
		}
	}
	var n int
	var st status
	if r.get.sole {
		n, st = r.get.role.borrowRun(loans)
	} else {
		n, st = r.core.borrowRun(loans)
	}
	for i := range loans[:n] {
		if loans[i].word.large() {
			loans[i], _ = r.takeOut(loans[i]) // one without a block has no bytes
		}
	}
	if st == empty && flag != 0 {
		st = ended
	}
	return n, st
}

// borrowSeriesNow takes a series on an exclusive side without waiting.
func (r *Ring) borrowSeriesNow(most uint64) (series, status) {
	flag := r.core.loadShutdown()
	if flag == shutdownNow {
		return series{}, ended
	}
	run, st := r.get.role.borrowSeries(most)
	if st == empty && flag != 0 {
		st = ended
	}
	return run, st
}

// committed tells the consumers that there is something to take.
func (r *Ring) committed(items, bytes uint64) {
	r.count(r.put.sole, r.put.items, items)
	r.count(r.put.sole, r.put.bytes, bytes)
	if futex.Notify(&r.hdr.notEmpty) {
		tally(r.put.wakes, 1)
	}
}

// finish ends a loan for good, and makes that known.
func (r *Ring) finish(l loan) {
	if l.word.large() {
		r.retire(l)
		return
	}
	r.release(l)
	r.freed(l)
}

// giveUp ends a loan that is to be delivered again. It returns whether the record was
// discarded instead, because it has been delivered often enough.
func (r *Ring) giveUp(l loan) (poisoned bool) {
	if l.word.large() {
		return r.giveBack(l)
	}
	return r.requeue(l)
}

// lent returns the bytes of a loan. It is false for one that is not what it says.
func (r *Ring) lent(l loan) ([]byte, bool) {
	if l.word.large() {
		return r.lentLarge(l)
	}
	return r.span(l.pos, l.word.length())
}

// freed follows the release of a record: now and then it reclaims, and it tells
// the producers.
func (r *Ring) freed(l loan) {
	if end := l.pos + l.word.blocks(); (l.pos^end)&^(reclaimEvery-1) != 0 {
		r.reclaimAll()
	}
	r.wakePutters()
}

// wakePutters tells the producers that something was released.
func (r *Ring) wakePutters() {
	if futex.Notify(&r.hdr.notFull) {
		tally(r.get.wakes, 1)
	}
}

// count adds to a counter in this slot's lines: with a plain store where the
// side's lock is held.
func (r *Ring) count(locked bool, c *atomic.Uint64, n uint64) {
	if locked {
		fault.Point("ring.count")
		mem.StoreRelease(c, c.Load()+n)
		return
	}
	tally(c, n)
}

// tally adds to a counter in a slot's lines.
func tally(c *atomic.Uint64, n uint64) {
	fault.Point("ring.count")
	c.Add(n)
}

// fail makes the error of an operation that ended with st.
func (r *Ring) fail(op string, st status) error {
	switch st {
	case full:
		return r.put.errFull
	case empty, blocked:
		return r.get.errEmpty
	case ended:
		return &Error{Op: op, Queue: r.Name(), Err: ErrShutdown}
	case noSpace:
		return &Error{Op: op, Queue: r.Name(), Err: ErrNoSpace}
	default:
		return &Error{Op: op, Queue: r.Name(), Err: ErrCorrupt}
	}
}

func (r *Ring) wrap(op string, err error) error {
	return &Error{Op: op, Queue: r.Name(), Err: err}
}

// expired makes the error of a wait that ended with err: an *Error as it is,
// the context's error with what was being waited for.
func (r *Ring) expired(op string, waitedFor, err error) error {
	if e, ok := err.(*Error); ok {
		return e
	}
	return &Error{Op: op, Queue: r.Name(), Err: waitedFor, Cause: err}
}
