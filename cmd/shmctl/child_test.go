//go:build unix

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/shmkit/shmkit/pool"
	"github.com/shmkit/shmkit/ringqueue"
	"github.com/shmkit/shmkit/shm"
)

// Job is what the tests' queues carry.
type Job struct {
	ID   uint64
	Body [120]byte
}

// render is a pool's task that waits until the file is gone.
var render = pool.Register("render", func(ctx context.Context, path string) (int, error) {
	for ctx.Err() == nil {
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			return 0, nil
		}
		select {
		case <-ctx.Done():
		case <-time.After(time.Millisecond):
		}
	}
	return 0, ctx.Err()
})

// serve is the child: it does what the lines say and answers each with a line.
// It never closes anything: it ends by the end of its input, or is killed.
func serve(in io.Reader, out io.Writer) {
	var s servant
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		f := append(strings.Fields(lines.Text()), "", "", "")
		n, _ := strconv.Atoi(f[2])
		if err := s.do(f[0], f[1], n, f[3] != ""); err != nil {
			fmt.Fprintln(out, err)
		} else {
			fmt.Fprintln(out, "ok")
		}
	}
}

type servant struct {
	q     *ringqueue.Queue[Job]
	write ringqueue.Reservation
	read  ringqueue.Lease
	dicts dicts
}

func (s *servant) do(verb, name string, n int, flag bool) (err error) {
	ctx := context.Background()
	switch verb {
	case "queue": // queue NAME CAPACITY [persistent]
		s.q, err = ringqueue.Create[Job](name, &ringqueue.Options{Capacity: n, Persistent: flag})
	case "exclusive": // exclusive NAME CAPACITY
		s.q, err = ringqueue.Create[Job](name, &ringqueue.Options{Capacity: n, SingleProducer: true, SingleConsumer: true})
	case "open":
		s.q, err = ringqueue.Open[Job](name, nil)
	case "block": // block NAME SIZE [persistent]
		_, err = shm.Create(name, int64(n), &shm.Options{Persistent: flag})
	case "put": // put - COUNT
		for i := range n {
			if err = s.q.Put(ctx, Job{ID: uint64(i)}); err != nil {
				break
			}
		}
	case "get": // get - COUNT
		for range n {
			if _, err = s.q.Get(ctx); err != nil {
				break
			}
		}
	case "fill":
		for err == nil {
			err = s.q.TryPut(Job{})
		}
		if errors.Is(err, ringqueue.ErrFull) {
			err = nil
		}
	case "wait": // puts one more, and says ok before that is done
		go s.q.Put(ctx, Job{})
	case "take": // takes one, and says ok before that is done
		cancellable, cancel := context.WithCancel(ctx) // other than ctx: it is waited for in another way
		go func() {
			defer cancel()
			s.q.Get(cancellable)
		}()
	case "drain": // waits until all is done, and says ok before that
		go s.q.Join(ctx)
	case "spin": // computes, and says ok before that
		go func() {
			for n := 0; ; n++ {
			}
		}()
	case "reserve": // reserve - BYTES
		s.write, err = s.q.Ring().Reserve(ctx, n)
	case "borrow":
		s.read, err = s.q.Ring().Borrow(ctx)
	case "pool": // pool NAME; with two workers, one task more than that, waiting for the file
		var p *pool.Pool
		p, err = pool.New(&pool.Options{Name: name, Workers: 2, MaxTasks: 64})
		for range 3 {
			if err == nil {
				render.Go(ctx, p, os.Getenv("SHMKIT_DIR"))
			}
		}
	default:
		err = s.dicts.do(verb, name, n, flag)
	}
	return err
}
