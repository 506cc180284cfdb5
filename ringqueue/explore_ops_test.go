//go:build faultpoints

package ringqueue

import "github.com/shmkit/shmkit/internal/fault"

// A scenario is what the explorer is to search: a ring, and what its actors do.
type scenario struct {
	name                       string
	blocks                     uint64
	lapBits                    int
	start                      uint64 // position of the first record
	mirror                     bool
	maxItems, poison           uint64
	soleProducer, soleConsumer bool     // the first actor's role, the last one's
	prefill                    []uint64 // sizes of the records that are there before
	scripts                    []string // of each actor, names of operations
	deaths                     int
	rolling                    bool // the scripts begin again, for ever
	full                       bool // only in the long run
}

// An operation is what an actor does in one go, by its name in the scripts. It
// returns what must be true when it has ended.
type operation struct {
	blocks, items uint64 // what it needs room for
	do            func(w *world, a *actor) (judge func())
}

var operations = map[string]operation{
	"put":    {1, 1, func(w *world, a *actor) func() { return a.putRecord(w, 1, 1) }},
	"put2":   {2, 1, func(w *world, a *actor) func() { return a.putRecord(w, 65, 65) }},
	"short":  {2, 1, func(w *world, a *actor) func() { return a.putRecord(w, 65, 1) }},
	"batch":  {2, 2, func(w *world, a *actor) func() { return a.putBatch(w, []uint32{1, 1}) }},
	"batch3": {3, 2, func(w *world, a *actor) func() { return a.putBatch(w, []uint32{65, 1}) }},
	"abort":  {1, 1, func(w *world, a *actor) func() { return a.abortRecord(w, 1) }},
	"abort2": {2, 1, func(w *world, a *actor) func() { return a.abortRecord(w, 65) }},
	"get":    {0, 0, func(w *world, a *actor) func() { return a.getRecord(w, false) }},
	"nack":   {0, 0, func(w *world, a *actor) func() { return a.getRecord(w, true) }},
	"run":    {0, 0, func(w *world, a *actor) func() { return a.getRun(w) }},
	"len":    {0, 0, func(w *world, a *actor) func() { return a.length(w) }},
	"shut":   {0, 0, func(w *world, a *actor) func() { return a.shutDown(w) }},

	"sput":    {1, 1, func(w *world, a *actor) func() { return a.solePut(w, []uint32{1}) }},
	"sput2":   {2, 1, func(w *world, a *actor) func() { return a.solePut(w, []uint32{65}) }},
	"sbatch":  {2, 2, func(w *world, a *actor) func() { return a.solePut(w, []uint32{1, 1}) }},
	"sclaim":  {1, 1, func(w *world, a *actor) func() { return a.soleClaim(w, 1, false) }},
	"sabort":  {1, 1, func(w *world, a *actor) func() { return a.soleClaim(w, 1, true) }},
	"sget":    {0, 0, func(w *world, a *actor) func() { return a.soleGet(w, false) }},
	"snack":   {0, 0, func(w *world, a *actor) func() { return a.soleGet(w, true) }},
	"srun":    {0, 0, func(w *world, a *actor) func() { return a.soleRun(w) }},
	"sseries": {0, 0, func(w *world, a *actor) func() { return a.soleSeries(w) }},
}

// id returns a name for the next item that the actor puts.
func (a *actor) id() byte {
	a.seq++
	return byte(a.Slot+1)<<4 | byte(a.seq%8)
}

// write writes an item's name into a record that the actor has claimed. It is
// no step of its own: nobody else may look there, and changedData sees who
// writes where it must not.
func (a *actor) write(pos uint64) { a.core.own(pos, 1)[0] = a.id() }

// read returns the name of the item that the actor has borrowed.
func (a *actor) read(l loan) byte { return a.core.own(l.pos, 1)[0] }

func (a *actor) putRecord(w *world, reserve, n uint64) func() {
	cl, st := a.core.claimRecord(reserve)
	if st == done {
		a.write(cl.pos)
		a.core.commit(cl, n)
	}
	return func() { w.judgePut(a, st, 1) }
}

// offset returns where the i-th record of a batch begins, in blocks.
func offset(lengths []uint32, i int) (off uint64) {
	for _, n := range lengths[:i] {
		off += blocksFor(uint64(n))
	}
	return off
}

func (a *actor) putBatch(w *world, lengths []uint32) func() {
	k := len(lengths)
	cl, st := a.core.claimBatch(offset(lengths, k), uint64(k))
	if st == done {
		for i := range lengths {
			a.write(cl.pos + offset(lengths, i))
		}
		a.core.commitBatch(cl, lengths)
	}
	return func() { w.judgePut(a, st, k) }
}

func (a *actor) abortRecord(w *world, n uint64) func() {
	cl, st := a.core.claimRecord(n)
	if st == done {
		a.core.abort(cl)
	}
	return func() {
		if st == done {
			w.judgePut(a, st, 0)
		} else {
			w.judgePut(a, st, 1)
		}
	}
}

// endLoans releases or gives back what was borrowed, and returns what it was.
func (a *actor) endLoans(loans []loan, again bool) (ids []byte) {
	for _, l := range loans {
		ids = append(ids, a.read(l))
	}
	for i, l := range loans {
		switch {
		case again:
			if a.core.requeue(l) {
				a.core.reclaimAll()
			}
		case i < len(loans)-1:
			a.core.releaseRelaxed(l)
		default:
			a.core.release(l)
			if len(loans) > 1 {
				a.core.reclaimRun(loans[0].pos, l.pos+l.word.blocks())
			} else {
				a.core.reclaimAll()
			}
		}
	}
	return ids
}

// take wraps a way to take items as Ring.borrowNow does: shutdown is looked at
// before.
func (a *actor) take(w *world, f func() (ids []byte, st status)) func() {
	flag := a.core.loadShutdown()
	ids, st := f()
	if st == empty && flag != 0 {
		st = ended
	}
	return func() { w.judgeGet(a, st, ids) }
}

// takeLoans takes by way of loans.
func (a *actor) takeLoans(w *world, again bool, borrow func(loans []loan) (int, status)) func() {
	return a.take(w, func() (ids []byte, st status) {
		var loans [2]loan
		n, st := borrow(loans[:])
		if st == done {
			ids = a.endLoans(loans[:n], again)
		}
		return ids, st
	})
}

// single makes a way to borrow one record one to borrow several.
func single(borrow func() (loan, status)) func(loans []loan) (int, status) {
	return func(loans []loan) (n int, st status) {
		loans[0], st = borrow()
		return 1, st
	}
}

func (a *actor) getRecord(w *world, again bool) func() {
	return a.takeLoans(w, again, single(a.core.borrow))
}

func (a *actor) getRun(w *world) func() { return a.takeLoans(w, false, a.core.borrowRun) }

func (a *actor) length(w *world) func() {
	n, st := a.core.length()
	return func() {
		if st != done || n < 0 || uint64(n) > w.blocks {
			a.Failf("%s: length %d, status %d", a.Name, n, st)
		}
	}
}

func (a *actor) shutDown(w *world) func() {
	fault.Point("test.shutdown")
	a.core.shutdown.Store(shutdownDrain)
	return func() {}
}

func (a *actor) solePut(w *world, lengths []uint32) func() {
	k := len(lengths)
	blocks := offset(lengths, k)
	kept := uint64(0)
	var st status
	if k == 1 {
		var cl claim
		if cl, st = a.put.open(blocks, 1, uint64(lengths[0]), reserved); st == done {
			a.write(cl.pos)
			if st = a.put.commit(cl); st == done {
				kept = 1
			}
		}
	} else {
		var cl claim
		if cl, st = a.put.open(blocks, uint64(k), batchLength(blocks, uint64(k)), reservedBatch); st == done {
			for i := range lengths {
				a.write(cl.pos + offset(lengths, i))
			}
			if kept = a.put.commitBatch(cl, lengths); kept < uint64(k) {
				st = ended
			}
		}
	}
	return func() { w.judgeSolePut(a, st, int(kept)) }
}

func (a *actor) soleClaim(w *world, n uint64, abort bool) func() {
	cl, st := a.put.claim(blocksFor(n), 1, n, reserved)
	if st == done && !abort {
		a.write(cl.pos)
		a.core.commit(cl, n)
	} else if st == done {
		a.core.abort(cl)
	}
	return func() {
		if abort && st == done {
			w.judgePut(a, st, 0)
		} else {
			w.judgePut(a, st, 1)
		}
	}
}

func (a *actor) soleGet(w *world, again bool) func() {
	return a.takeLoans(w, again, single(a.get.borrow))
}

func (a *actor) soleRun(w *world) func() { return a.takeLoans(w, false, a.get.borrowRun) }

func (a *actor) soleSeries(w *world) func() {
	return a.take(w, func() (ids []byte, st status) {
		run, st := a.get.borrowSeries(2)
		if st != done {
			return nil, st
		}
		each := run.first.word.blocks()
		for i := range run.n {
			ids = append(ids, a.read(loan{pos: run.first.pos + i*each}))
		}
		a.core.releaseSeries(run)
		a.core.reclaimRun(run.first.pos, run.first.pos+run.n*each)
		return ids, done
	})
}
