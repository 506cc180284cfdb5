// Command first is the first program of the README: a queue, and a process of
// its own that takes from it.
package main

import (
	"context"
	"fmt"
	"log"

	"github.com/shmkit/shmkit/process"
	"github.com/shmkit/shmkit/ringqueue"
)

var greet = process.Register("greet", func(ctx context.Context, q *ringqueue.Queue[string]) error {
	for name, err := range q.All(ctx) {
		if err != nil {
			return err
		}
		fmt.Printf("Hello, %s! This is %s.\n", name, process.Current().Name)
	}
	return nil
})

func main() {
	process.Main() // in a child: runs its function, and does not return
	ctx := context.Background()
	q, err := ringqueue.New[string](nil)
	check(err)
	defer q.Close()
	p, err := greet.Start(ctx, q, nil)
	check(err)
	check(q.Put(ctx, "world"))
	check(q.Shutdown(false)) // no more to come
	check(p.Wait(ctx))
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
