// Command uses calls what the packages with crash points offer, so that a build
// of it holds their code.
package main

import (
	"context"

	"github.com/shmkit/shmkit/internal/robust"
	"github.com/shmkit/shmkit/manager"
	"github.com/shmkit/shmkit/ringqueue"
	"github.com/shmkit/shmkit/shm"
)

func main() {
	use[[64]byte]()
	use[int]()
	use[string]()
	useLocks()
	useDict[string, [64]byte]()
	useDict[int, string]()
	_, err := shm.Sweep()
	must(err)
}

func useDict[K comparable, V any]() {
	m, err := manager.New(&manager.Options{Evict: true})
	must(err)
	defer m.Close()
	d, err := manager.NewDict[K, V](m, "d")
	must(err)
	var k K
	var v V
	must(d.Set(k, v))
	_, _, err = d.Get(k)
	must(err)
	_, err = d.View(k, func([]byte) error { return nil })
	must(err)
	_, err = d.Update(k, func(v V, _ bool) (V, error) { return v, nil })
	must(err)
	_, err = d.Snapshot()
	must(err)
	must(m.Tx(context.Background(), func(tx *manager.Tx) error { return d.In(tx).Set(k, v) }))
	_, err = d.Delete(k)
	must(err)
	must(m.Remove("d"))
	_, err = m.Collect()
	must(err)
}

func use[T any]() {
	ctx := context.Background()
	q, err := ringqueue.New[T](&ringqueue.Options{SingleProducer: true, SingleConsumer: true})
	must(err)
	defer q.Close()
	items := make([]T, 3)
	must(q.Put(ctx, items[0]))
	_, err = q.PutMany(ctx, items)
	must(err)
	_, err = q.Get(ctx)
	must(err)
	_, err = q.GetMany(ctx, items[:2])
	must(err)
	d, err := q.Receive(ctx)
	must(err)
	must(d.Nack())
	s, err := q.Ring().Reserve(ctx, 100)
	must(err)
	must(s.Commit(1))
	l, err := q.Ring().Borrow(ctx)
	must(err)
	l.Requeue()
	must(q.TaskDone())
	must(q.Shutdown(true))
	must(q.Join(ctx))
}

func useLocks() {
	ctx := context.Background()
	seg, err := shm.Create("", 1<<16, nil)
	must(err)
	defer seg.Close()
	at := func(n int) []byte { return seg.Bytes()[n<<13:] }
	m, err := robust.NewMutex(seg, at(0), robust.Options{})
	must(err)
	must(m.Lock(ctx))
	_, err = m.TryLock()
	must(err)
	must(m.Unlock())
	r, err := robust.NewRLock(seg, at(1), robust.Options{})
	must(err)
	must(r.Lock(ctx))
	_, err = r.TryLock()
	must(err)
	must(r.Unlock())
	rw, err := robust.NewRWLock(seg, at(2), robust.Options{})
	must(err)
	must(rw.Lock(ctx))
	must(rw.Unlock())
	must(rw.RLock(ctx))
	must(rw.RUnlock())
	must(robust.InitSemaphore(at(3), seg.Slots(), 1, true))
	s, err := robust.NewSemaphore(seg, at(3), robust.Options{})
	must(err)
	must(s.Acquire(ctx))
	must(s.Release())
	e, err := robust.NewEvent(seg, at(4), robust.Options{})
	must(err)
	e.Set()
	must(e.Wait(ctx))
	e.Clear()
	must(robust.InitBarrier(at(5), seg.Slots(), 1))
	b, err := robust.NewBarrier(seg, at(5), robust.Options{})
	must(err)
	must(b.Join())
	_, err = b.Wait(ctx, nil)
	must(err)
	must(b.Abort())
	must(b.Reset())
	c, err := robust.NewCond(seg, at(6), m, robust.Options{})
	must(err)
	must(c.NotifyAll())
	must(c.Wait(ctx))
	for k := robust.KindMutex; k <= robust.KindBarrier; k++ {
		must(robust.Recover(k, at(0), seg.Slots(), 1))
		must(robust.Leave(k, at(0), seg.Slots(), seg.Slot()))
	}
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}
