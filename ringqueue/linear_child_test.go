//go:build unix

package ringqueue_test

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"strconv"
	"time"

	"github.com/shmkit/shmkit/internal/mem"
	"github.com/shmkit/shmkit/ringqueue"
	"github.com/shmkit/shmkit/shm"
)

// The items of histories: one that is put by a store, and one that takes long
// enough to copy for a SIGKILL to find it half written.
type (
	smallItem = uint64
	largeItem = [4096]uint64
)

func makeSmall(id uint16) smallItem { return uint64(id) }

func readSmall(v *smallItem) (uint16, bool) { return uint16(*v), *v>>16 == 0 }

func makeLarge(id uint16) (v largeItem) {
	for i := range v {
		v[i] = uint64(id)
	}
	return v
}

func readLarge(v *largeItem) (uint16, bool) {
	for _, w := range v {
		if w != v[0] {
			return 0, false
		}
	}
	return uint16(v[0]), v[0]>>16 == 0
}

// childLinear is a member of histories: "DIR INDEX". For each line "ROUND
// PLAN SEED FAULT QUEUE" it opens the queue, says "ready", waits until the round
// has started, carries out its operations, closes the queue and says "done".
func childLinear(args []string) {
	seg, err := shm.Open(boardName, &shm.Options{Dir: args[0]})
	b, err := boardOf(seg, err)
	must(err)
	index, err := strconv.Atoi(args[1])
	must(err)
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		var round uint32
		var plan, fault int
		var seed uint64
		var name string
		_, err := fmt.Sscan(in.Text(), &round, &plan, &seed, &fault, &name)
		must(err)
		o := &ringqueue.Options{Dir: args[0]}
		if p := linearPlans[plan]; p.large {
			q, err := ringqueue.Open[largeItem](name, o)
			must(err)
			runMember(b, index, round, p, seed, fault, &actor[largeItem]{q: q, make: makeLarge, read: readLarge})
		} else {
			q, err := ringqueue.Open[smallItem](name, o)
			must(err)
			runMember(b, index, round, p, seed, fault, &actor[smallItem]{q: q, make: makeSmall, read: readSmall})
		}
		fmt.Println("done")
	}
}

func runMember[T any](b *board, index int, round uint32, p *linearPlan, seed uint64, fault int, a *actor[T]) {
	rng := rand.New(rand.NewPCG(seed, uint64(index)))
	fmt.Println("ready")
	for b.round.Load() != round {
		runtime.Gosched()
	}
	a.j = &b.journals[index]
	breakAt(fault, rng.Uint64())
	for i := range p.ops {
		pace(rng)
		if a.n >= p.ops {
			break // the last one was of two
		}
		a.step(p, rng, uint16(index+1)<<8|uint16(linearBatch*i))
		if a.said == saidRoleTaken {
			waitGone(b)
		}
	}
	a.drop()
	a.record(opClose, 0, func(*entry) error { return a.q.Close() })
	breakAt(0, 0)
	b.gone.Add(1)
}

// pace lets some time pass between two operations, so that they meet others in
// many ways. Nothing depends on how long.
func pace(rng *rand.Rand) {
	switch rng.IntN(4) {
	case 0:
		runtime.Gosched()
	case 1:
		for range rng.IntN(100) {
			mem.Pause()
		}
	case 2:
		time.Sleep(time.Duration(rng.IntN(60)) * time.Microsecond)
	}
}

// waitGone waits a moment for a member to go, who may have the role.
func waitGone(b *board) {
	before, deadline := b.gone.Load(), time.Now().Add(3*time.Millisecond)
	for b.gone.Load() == before && time.Now().Before(deadline) {
		runtime.Gosched()
	}
}

// An actor carries out operations on a queue of T and writes them down.
type actor[T any] struct {
	q    *ringqueue.Queue[T]
	make func(id uint16) T
	read func(*T) (uint16, bool)
	j    *journal
	n    int // entries used
	said verdict

	open  *ringqueue.Reservation
	which uint16 // the item of the open reservation
	held  []ringqueue.Delivery[T]
}

// record writes an operation down around f, whose error it is.
func (a *actor[T]) record(k opKind, asked int, f func(*entry) error, items ...uint16) {
	e := &a.j.entries[a.n]
	a.n++
	e.kind, e.asked = k, uint32(asked)
	copy(e.items[:], items)
	e.call.Store(stamp())
	err := f(e)
	end := stamp()
	if e.said == saidOK {
		e.said = verdictOf(err)
	}
	if e.said == saidOther {
		fmt.Fprintf(os.Stderr, "child: %v: %v\n", k, err)
	}
	a.said = e.said
	e.ret.Store(end)
}

// patience is how long a Put or Get of a history waits; some don't wait at all.
func patience(rng *rand.Rand) (context.Context, context.CancelFunc) {
	if rng.IntN(3) == 0 {
		ctx, cancel := context.WithCancel(bg)
		cancel()
		return ctx, cancel
	}
	return context.WithTimeout(bg, time.Duration(rng.IntN(2000))*time.Microsecond)
}

// step carries out an operation of the plan, and what belongs to it. The items
// are numbered from id on.
func (a *actor[T]) step(p *linearPlan, rng *rand.Rand, id uint16) {
	switch {
	case a.open != nil && rng.IntN(2) == 0:
		a.end(rng.IntN(4) > 0)
		return
	case len(a.held) > rng.IntN(3): // so three at most
		a.finish(rng.IntN(3) > 0)
		return
	}
	k := p.mix[rng.IntN(len(p.mix))]
	if a.open != nil && (k.puts() || k == opGetPatient) {
		k = opTryGet // it may stand before what others wait for
	}
	ctx, cancel := patience(rng)
	defer cancel()
	if k == opGetPatient || k == opPutPatient {
		ctx = bg
	}
	switch {
	case k == opReserve:
		a.reserve(id)
	case k.puts():
		a.put(ctx, k, id, 1+rng.IntN(linearBatch))
	case k == opReceive:
		a.receive(ctx)
	default:
		a.get(ctx, k, 1+rng.IntN(linearBatch))
	}
}

func (a *actor[T]) put(ctx context.Context, k opKind, id uint16, n int) {
	if k != opPutMany {
		n = 1
	}
	var ids [linearBatch]uint16
	vs := make([]T, n)
	for i := range vs {
		ids[i] = id + uint16(i)
		vs[i] = a.make(ids[i])
	}
	a.record(k, n, func(e *entry) (err error) {
		switch k {
		case opTryPut:
			err = a.q.TryPut(vs[0])
		case opPut, opPutPatient:
			err = a.q.Put(ctx, vs[0])
		case opPutMany:
			n, err := a.q.PutMany(ctx, vs)
			e.got = uint32(n)
			return err
		}
		if err == nil {
			e.got = 1
		}
		return err
	}, ids[:n]...)
}

func (a *actor[T]) get(ctx context.Context, k opKind, n int) {
	if k != opGetMany {
		n = 1
	}
	dst := make([]T, n)
	a.record(k, n, func(e *entry) (err error) {
		switch k {
		case opTryGet:
			dst[0], err = a.q.TryGet()
		case opGet, opGetPatient:
			dst[0], err = a.q.Get(ctx)
		case opGetMany:
			n, err := a.q.GetMany(ctx, dst)
			a.taken(e, dst[:n])
			return err
		}
		if err == nil {
			a.taken(e, dst)
		}
		return err
	})
}

// taken writes down what was taken, and whether it is whole.
func (a *actor[T]) taken(e *entry, vs []T) {
	for i := range vs {
		id, whole := a.read(&vs[i])
		if !whole {
			e.said = saidTorn
		}
		e.items[i] = id
	}
	e.got = uint32(len(vs))
}

// reserve takes room for an item and writes it. The reservation stays open.
func (a *actor[T]) reserve(id uint16) {
	v := a.make(id)
	bytes := mem.BytesOf(&v)
	a.record(opReserve, 1, func(e *entry) error {
		s, err := a.q.Ring().TryReserve(len(bytes))
		if err != nil {
			return err
		}
		copy(s.Bytes(), bytes)
		a.open, a.which = &s, id
		e.got = 1
		return nil
	}, id)
}

// end commits or aborts the open reservation.
func (a *actor[T]) end(commit bool) {
	k := opAbort
	if commit {
		k = opCommit
	}
	a.record(k, 1, func(*entry) error {
		if commit {
			return a.open.Commit(len(a.open.Bytes()))
		}
		a.open.Abort()
		return nil
	}, a.which)
	a.open = nil
}

// receive takes an item and holds it.
func (a *actor[T]) receive(ctx context.Context) {
	a.record(opReceive, 1, func(e *entry) error {
		d, err := a.q.Receive(ctx)
		if err == nil {
			a.taken(e, []T{d.Value()})
			e.attempt = uint32(d.Attempt())
			a.held = append(a.held, d)
		}
		return err
	})
}

// finish acknowledges the item that was held for longest, or gives it back.
func (a *actor[T]) finish(ack bool) {
	d := &a.held[0]
	v := d.Value()
	id, _ := a.read(&v)
	if ack {
		a.record(opAck, 1, func(*entry) error { return d.Ack() }, id)
	} else {
		a.record(opNack, 1, func(*entry) error { return d.Nack() }, id)
	}
	a.held = a.held[1:]
}

// drop gives up what is still open.
func (a *actor[T]) drop() {
	if a.open != nil {
		a.end(false)
	}
	for len(a.held) > 0 {
		a.finish(false)
	}
}
