// Command uses calls what the packages with crash points offer, so that a build
// of it holds their code.
package main

import (
	"context"

	"github.com/shmkit/shmkit/ringqueue"
	"github.com/shmkit/shmkit/shm"
)

func main() {
	use[[64]byte]()
	use[int]()
	use[string]()
	if _, err := shm.Sweep(); err != nil {
		panic(err)
	}
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

func must(err error) {
	if err != nil {
		panic(err)
	}
}
