package ringqueue

import (
	"context"
	"fmt"
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
	seg *shm.Segment
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

// A side orders this handle's goroutines on one side of a queue when the side
// is exclusive. On a shared side they only count their use of the segment.
type side struct {
	sole   bool
	turn   turn
	held   bool // the role is ours
	closed bool
}

// createRing creates the queue's file. Type and sum say what its records are.
func createRing(name string, typ string, sum uint64, recordSize int, o *Options) (*Ring, error) {
	s, err := o.settings(recordSize)
	if err != nil {
		return nil, &Error{Op: "create", Queue: name, Err: err}
	}
	spec := s.spec(typ, sum)
	seg, err := shm.CreateSpec(name, spec, o.segment())
	if err != nil {
		return nil, &Error{Op: "create", Queue: name, Err: err}
	}
	return newRing(seg, o)
}

func openRing(name string, typ string, sum uint64, o *Options) (*Ring, error) {
	seg, err := shm.OpenSpec(name, openSpec(typ, sum), o.segment())
	if err != nil {
		return nil, &Error{Op: "open", Queue: name, Err: err}
	}
	return newRing(seg, o)
}

func openOrCreateRing(name string, typ string, sum uint64, recordSize int, o *Options) (*Ring, error) {
	s, err := o.settings(recordSize)
	if err != nil {
		return nil, &Error{Op: "open", Queue: name, Err: err}
	}
	seg, err := shm.OpenOrCreateSpec(name, s.spec(typ, sum), o.segment())
	if err != nil {
		return nil, &Error{Op: "open", Queue: name, Err: err}
	}
	return newRing(seg, o)
}

func openHandleRing(handle string, typ string, sum uint64, o *Options) (*Ring, error) {
	seg, err := shm.OpenHandle(handle, openSpec(typ, sum), o.segment())
	if err != nil {
		return nil, &Error{Op: "open", Queue: handle, Err: err}
	}
	return newRing(seg, o)
}

func openSpec(typ string, sum uint64) *shm.Spec {
	return &shm.Spec{
		Kind:    Kind,
		Layout:  layoutVersion,
		Type:    typ,
		TypeSum: sum,
		Check: func(seg *shm.Segment) error {
			_, err := newView(seg)
			return err
		},
		Recover: recoverSlot,
	}
}

func (s *settings) spec(typ string, sum uint64) *shm.Spec {
	spec := openSpec(typ, sum)
	spec.Size = bodySize(s.capacity)
	spec.Mirror = int64(s.capacity)
	spec.Init = func(seg *shm.Segment) error {
		h, err := mem.At[header](seg.Body(), 0)
		if err != nil {
			return err
		}
		h.capacity = s.capacity
		h.maxItems = s.maxItems
		h.maxRecord = s.maxRecord
		h.poison = s.poison
		h.modes = s.modes
		h.lapBits = 0
		v, err := newView(seg)
		if err != nil {
			return err
		}
		v.start(v.blocks)
		return nil
	}
	return spec
}

// recoverSlot repairs the queue after the death of the process in the slot,
// whose liveness lock the caller holds.
func recoverSlot(seg *shm.Segment, slot int) error {
	v, err := newView(seg)
	if err != nil {
		return err
	}
	var sum recovery
	whole := false
	for i := 0; i < maxWalks && !whole; i++ {
		var got recovery
		got, whole = v.recover(slot)
		sum.dropped += got.dropped
		sum.redelivered += got.redelivered
		sum.poisoned += got.poisoned
	}
	seg.Counter(shm.Discarded).Add(sum.dropped)
	seg.Counter(shm.Redelivered).Add(sum.redelivered)
	seg.Counter(shm.DeadLetters).Add(sum.poisoned)
	if !whole {
		return fmt.Errorf("%w: the ring overtook %d walks", ErrCorrupt, maxWalks)
	}
	// What it took and did not finish can't be finished any more.
	seg.CounterOf(slot, shm.TasksDone).Store(seg.CounterOf(slot, shm.Gets).Load())
	v.hdr.producer.CompareAndSwap(uint32(slot)+1, 0)
	v.hdr.consumer.CompareAndSwap(uint32(slot)+1, 0)
	futex.Notify(&v.hdr.notEmpty)
	futex.Notify(&v.hdr.notFull)
	futex.Notify(&v.hdr.idle)
	return nil
}

func newRing(seg *shm.Segment, o *Options) (*Ring, error) {
	v, err := newView(seg)
	if err != nil {
		seg.Close()
		return nil, &Error{Op: "open", Queue: seg.Name(), Err: err}
	}
	policy := futex.Policy(o.Wait)
	r := &Ring{
		seg:  seg,
		view: v,
		idle: futex.NewGate(&v.hdr.idle, futex.Block),
	}
	r.put.sole = v.hdr.modes&modeSoleProducer != 0
	r.put.gate = futex.NewGate(&v.hdr.notFull, policy)
	r.put.policy = o.Wait
	r.put.items = seg.Counter(shm.Puts)
	r.put.bytes = seg.Counter(shm.BytesIn)
	r.put.waits = seg.Counter(shm.FullWaits)
	r.put.aborts = seg.Counter(shm.Aborts)
	r.put.wakes = seg.Counter(shm.PutWakes)
	r.put.errFull = &Error{Op: "put", Queue: seg.Name(), Err: ErrFull}
	r.get.sole = v.hdr.modes&modeSoleConsumer != 0
	r.get.gate = futex.NewGate(&v.hdr.notEmpty, policy)
	r.get.items = seg.Counter(shm.Gets)
	r.get.bytes = seg.Counter(shm.BytesOut)
	r.get.finished = seg.Counter(shm.TasksDone)
	r.get.waits = seg.Counter(shm.EmptyWaits)
	r.get.wakes = seg.Counter(shm.GetWakes)
	r.get.errEmpty = &Error{Op: "get", Queue: seg.Name(), Err: ErrEmpty}
	r.put.role.core = &v.core
	r.get.role.core = &v.core
	seg.OnClose(r.onClose)
	return r, nil
}

// Close gives this handle up. Operations that wait return [ErrClosed], later
// ones do too. Reservations, leases and deliveries that are still open stay
// valid until they end; the memory is unmapped, and this process counted out,
// after the last of them. The second Close returns nil.
func (r *Ring) Close() error { return r.seg.Close() }

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
func (r *Ring) Name() string { return r.seg.Name() }

// Handle returns the queue's address as text, for [Open] in another process.
func (r *Ring) Handle() string { return r.seg.Handle() }

// Segment returns the segment that the queue lives in.
func (r *Ring) Segment() *shm.Segment { return r.seg }

// Capacity returns the size of the ring in bytes.
func (r *Ring) Capacity() int { return int(r.blocks) * blockSize }

// MaxRecord returns the size of the largest record in bytes.
func (r *Ring) MaxRecord() int { return int(r.maxRecord) }

// MaxItems returns the bound on queued items; 0 when only the capacity bounds
// them.
func (r *Ring) MaxItems() int { return int(r.maxItems) }

// enter begins an operation: the mapping stays until leave, and on an exclusive
// side no other goroutine of this handle is inside.
func (r *Ring) enter(s *side) error {
	if !s.sole {
		return r.seg.Acquire()
	}
	s.turn.take()
	if s.held {
		return nil
	}
	if err := r.takeRole(s); err != nil {
		s.turn.pass()
		return err
	}
	return nil
}

func (r *Ring) leave(s *side) {
	if !s.sole {
		r.seg.Release()
		return
	}
	s.turn.pass()
}

// close ends the side for this handle: waits for the operation inside, if the
// side is exclusive, and gives the role up.
func (s *side) close(role *atomic.Uint32, me int) {
	if !s.sole {
		return
	}
	s.turn.take()
	defer s.turn.pass()
	s.closed = true
	if s.held {
		s.held = false
		role.CompareAndSwap(uint32(me)+1, 0)
	}
}

// takeRole makes this handle the only one on its side. Called with the turn.
func (r *Ring) takeRole(s *side) error {
	if s.closed {
		return ErrClosed
	}
	role := &r.hdr.producer
	if s == &r.get.side {
		role = &r.hdr.consumer
	}
	for {
		holder := role.Load()
		if holder == 0 {
			if role.CompareAndSwap(0, uint32(r.me)+1) {
				break
			}
			continue
		}
		if !r.seg.Probe(int(holder) - 1) {
			return fmt.Errorf("%w: slot %d", ErrRoleTaken, holder-1)
		}
	}
	if s == &r.get.side {
		r.get.role.takeOver()
	} else if st := r.put.role.takeOver(); st != done {
		role.CompareAndSwap(uint32(r.me)+1, 0)
		return ErrCorrupt
	}
	s.held = true
	return nil
}

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
	if r.put.sole {
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
	flag := r.core.shutdown.Load()
	if flag == shutdownNow {
		return loan{}, ended
	}
	var l loan
	var st status
	if r.get.sole {
		l, st = r.get.role.borrow()
	} else {
		l, st = r.core.borrow()
	}
	if st == empty && flag != 0 {
		st = ended
	}
	return l, st
}

// borrowRunNow takes up to len(loans) records without waiting.
func (r *Ring) borrowRunNow(loans []loan) (int, status) {
	flag := r.core.shutdown.Load()
	if flag == shutdownNow {
		return 0, ended
	}
	var n int
	var st status
	if r.get.sole {
		n, st = r.get.role.borrowRun(loans)
	} else {
		n, st = r.core.borrowRun(loans)
	}
	if st == empty && flag != 0 {
		st = ended
	}
	return n, st
}

// borrowSeriesNow takes a series on an exclusive side without waiting.
func (r *Ring) borrowSeriesNow(most uint64) (series, status) {
	flag := r.core.shutdown.Load()
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
		r.put.wakes.Add(1)
	}
}

// reclaimEvery is how many blocks pass between two looks of consumers at what
// can be reclaimed. Producers look for themselves when they need room.
const reclaimEvery = 64

// freed follows the release of a record: now and then it reclaims, and it tells
// the producers.
func (r *Ring) freed(l loan) {
	if end := l.pos + l.word.blocks(); (l.pos^end)&^(reclaimEvery-1) != 0 {
		r.reclaimAll()
	}
	r.wakePutters()
}

// reclaimRun reclaims the blocks from first to end, which this process has just
// released, if they are the oldest; else it looks at all now and then.
func (r *Ring) reclaimRun(first, end uint64) {
	if r.reclaim.Load() == first&posMask && after(r.loadConsume().pos(), end) >= 0 {
		fault.Point("ring.reclaim.run")
		r.reclaim.CompareAndSwap(first&posMask, end&posMask)
	} else if (first^end)&^(reclaimEvery-1) != 0 {
		r.reclaimAll()
	}
}

// wakePutters tells the producers that something was released.
func (r *Ring) wakePutters() {
	if futex.Notify(&r.hdr.notFull) {
		r.get.wakes.Add(1)
	}
}

// count adds to a counter in this slot's lines: with a plain store where the
// side's lock is held.
func (r *Ring) count(locked bool, c *atomic.Uint64, n uint64) {
	if locked {
		mem.StoreRelease(c, c.Load()+n)
		return
	}
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

// A claimWait is a put that waits for room.
type claimWait struct {
	r     *Ring
	want  uint64 // blocks of all that is to be put
	try   func(less bool) (claim, status)
	claim claim
	tries int

	// What Ready compares: where reclaim must be for all to fit, where consume
	// was when try failed, and how often it has looked since.
	need, consume uint64
	looks         int
}

// Ready looks at the cursors only: to look at the words each time would take
// their lines from the consumers that are about to release them. It is content
// with less than all the room now and then, and so is every Try before a sleep:
// there may never be more, and producers may have to reclaim themselves.
func (w *claimWait) Ready() bool {
	const every = 128
	w.looks++
	return after(w.r.core.reclaim.Load(), w.need) >= 0 || w.looks%every == 0 ||
		w.r.maxItems > 0 && w.r.core.consume.Load() != w.consume
}

// Try makes the claim; when it is done the side stays entered.
func (w *claimWait) Try() (bool, error) {
	if w.r.closed.Load() {
		return false, w.r.wrap("put", ErrClosed)
	}
	if err := w.r.enter(&w.r.put.side); err != nil {
		return false, w.r.wrap("put", err)
	}
	w.consume = w.r.core.consume.Load()
	cl, st := w.try(w.tries > 0)
	w.tries++
	if st == done {
		w.claim = cl
		return true, nil
	}
	w.need = w.r.loadTail().pos() + w.want - w.r.blocks
	w.r.leave(&w.r.put.side)
	if st == full {
		return false, nil
	}
	return false, w.r.fail("put", st)
}

// Slice looks whether those who hold the ring up are dead.
func (w *claimWait) Slice() { w.r.probeHolders() }

// waitClaim waits until try makes a claim, of want blocks or, if less is set,
// of fewer. On success the put side is entered.
func (r *Ring) waitClaim(ctx context.Context, want uint64, try func(less bool) (claim, status)) (claim, error) {
	if err := r.seg.Acquire(); err != nil {
		return claim{}, r.wrap("put", err)
	}
	defer r.seg.Release()
	r.put.waits.Add(1)
	w := &claimWait{r: r, want: want, try: try}
	if r.put.policy == shm.Block || ctx.Err() != nil {
		w.tries = 1 // the first try is the last before a sleep
	}
	if err := r.put.gate.Wait(ctx, w); err != nil {
		return claim{}, r.expired("put", ErrFull, err)
	}
	return w.claim, nil
}

// waitRoom is openNow for one record of n bytes, and waits for room.
func (r *Ring) waitRoom(ctx context.Context, n uint64) (claim, error) {
	m := blocksFor(n)
	return r.waitClaim(ctx, m, func(bool) (claim, status) { return r.openNow(m, 1, n, reserved) })
}

// A borrowWait is a get that waits for a record.
type borrowWait struct {
	r     *Ring
	loans []loan
	n     int
}

// Ready looks at the word of the next record.
func (w *borrowWait) Ready() bool {
	c := &w.r.core
	p := c.loadConsume().pos()
	word := c.load(p)
	return c.age(word, p) != older && !word.claimed() || c.redeliver.load()&1 != 0 || c.shutdown.Load() != 0
}

// Try borrows; when it is done the side stays entered.
func (w *borrowWait) Try() (bool, error) {
	if w.r.closed.Load() {
		return false, w.r.wrap("get", ErrClosed)
	}
	if err := w.r.enter(&w.r.get.side); err != nil {
		return false, w.r.wrap("get", err)
	}
	var st status
	if w.n, st = w.r.borrowRunNow(w.loans); st == done {
		return true, nil
	}
	w.r.leave(&w.r.get.side)
	if st == empty || st == blocked {
		return false, nil
	}
	return false, w.r.fail("get", st)
}

// Slice looks whether those who hold the ring up are dead.
func (w *borrowWait) Slice() { w.r.probeHolders() }

// waitBorrow waits for at least one record and takes up to most. On success the
// get side is entered.
func (r *Ring) waitBorrow(ctx context.Context, most int) ([]loan, error) {
	if err := r.seg.Acquire(); err != nil {
		return nil, r.wrap("get", err)
	}
	defer r.seg.Release()
	r.get.waits.Add(1)
	w := &borrowWait{r: r, loans: make([]loan, most)}
	if err := r.get.gate.Wait(ctx, w); err != nil {
		return nil, r.expired("get", ErrEmpty, err)
	}
	return w.loans[:w.n], nil
}

// probeHolders recovers the dead among those who hold records.
func (r *Ring) probeHolders() {
	r.holders(func(slot int) { r.seg.Probe(slot) })
}
