//go:build unix

package ringqueue_test

import (
	"context"

	"github.com/shmkit/shmkit/ringqueue"
	"github.com/shmkit/shmkit/shm"
)

// A hostileOp is one thing to do with a target.
type hostileOp[T any] struct {
	name string
	do   func(g *target[T], ctx context.Context, arg int) error
}

func hostileOps[T any]() []hostileOp[T] {
	return []hostileOp[T]{
		{"Put", func(g *target[T], ctx context.Context, n int) error { return g.q.Put(ctx, g.value(n)) }},
		{"TryPut", func(g *target[T], _ context.Context, n int) error { return g.q.TryPut(g.value(n)) }},
		{"PutMany", func(g *target[T], ctx context.Context, n int) error {
			vs := make([]T, n%20)
			for i := range vs {
				vs[i] = g.value(n)
			}
			_, err := g.q.PutMany(ctx, vs)
			return err
		}},
		{"Get", func(g *target[T], ctx context.Context, _ int) error { _, err := g.q.Get(ctx); return err }},
		{"TryGet", func(g *target[T], _ context.Context, _ int) error { _, err := g.q.TryGet(); return err }},
		{"GetMany", func(g *target[T], ctx context.Context, n int) error {
			_, err := g.q.GetMany(ctx, make([]T, n%20))
			return err
		}},
		{"TryGetMany", func(g *target[T], _ context.Context, n int) error {
			_, err := g.q.TryGetMany(make([]T, n%200))
			return err
		}},
		{"All", func(g *target[T], ctx context.Context, n int) error {
			for _, err := range g.q.All(ctx) {
				if n--; n < 0 || err != nil {
					return err
				}
			}
			return nil
		}},
		{"Receive", func(g *target[T], ctx context.Context, n int) error {
			d, err := g.q.Receive(ctx)
			if n%2 == 0 {
				d, err = g.q.TryReceive()
			}
			if err == nil {
				g.delivered = append(g.delivered, d)
			}
			return err
		}},
		{"Ack", func(g *target[T], _ context.Context, n int) error {
			if len(g.delivered) == 0 {
				return nil
			}
			i := n % len(g.delivered)
			defer func() { g.delivered = append(g.delivered[:i], g.delivered[i+1:]...) }()
			if n%3 == 0 {
				return g.delivered[i].Nack()
			}
			return g.delivered[i].Ack()
		}},
		{"Reserve", func(g *target[T], ctx context.Context, n int) error {
			s, err := g.q.Ring().Reserve(ctx, hostileSize(n))
			if n%2 == 0 {
				if err == nil {
					g.reserved = append(g.reserved, s)
				}
				s, err = g.q.Ring().TryReserve(n)
			}
			if err == nil {
				g.inside(s.Bytes())
				for i := range s.Bytes() {
					s.Bytes()[i] = byte(n)
				}
				g.reserved = append(g.reserved, s)
			}
			return err
		}},
		{"Commit", func(g *target[T], _ context.Context, n int) error {
			if len(g.reserved) == 0 {
				return nil
			}
			i := n % len(g.reserved)
			s := &g.reserved[i]
			defer func() { g.reserved = append(g.reserved[:i], g.reserved[i+1:]...) }()
			if n%3 == 0 {
				s.Abort()
				return nil
			}
			return s.Commit(len(s.Bytes()) * (n % 5) / 4)
		}},
		{"Borrow", func(g *target[T], ctx context.Context, n int) error {
			l, err := g.q.Ring().TryBorrow()
			if n%2 == 0 && err != nil {
				l, err = g.q.Ring().Borrow(ctx)
			}
			if err == nil {
				g.inside(l.Bytes())
				g.leases = append(g.leases, l)
			}
			return err
		}},
		{"Release", func(g *target[T], _ context.Context, n int) error {
			if len(g.leases) == 0 {
				return nil
			}
			i := n % len(g.leases)
			defer func() { g.leases = append(g.leases[:i], g.leases[i+1:]...) }()
			if n%3 == 0 {
				g.leases[i].Requeue()
			} else {
				g.leases[i].Release()
			}
			return nil
		}},
		{"TaskDone", func(g *target[T], _ context.Context, _ int) error { return g.q.TaskDone() }},
		{"Join", func(g *target[T], ctx context.Context, _ int) error { return g.q.Join(ctx) }},
		{"Shutdown", func(g *target[T], _ context.Context, n int) error {
			if n < 200 { // seldom, because it ends the rest
				return nil
			}
			return g.q.Shutdown(n%2 == 0)
		}},
		{"Len", func(g *target[T], _ context.Context, n int) error {
			if got := g.q.Len(); got < 0 {
				g.t.Errorf("Len is %d", got)
			}
			g.q.Empty()
			g.q.Full()
			g.q.Ring().Full(n)
			return nil
		}},
		{"Inspect", func(g *target[T], _ context.Context, _ int) error {
			i, err := shm.Inspect(g.path)
			if err != nil {
				return &ringqueue.Error{Op: "inspect", Queue: g.path, Err: err}
			}
			defer i.Close()
			i.Info()
			r, err := ringqueue.Inspect(i)
			if err == nil && (r.Ready < 0 || r.Used < 0 || len(r.Oldest) > 16) {
				g.t.Errorf("reported: %+v", r)
			}
			return err
		}},
		{"Recover", func(g *target[T], _ context.Context, _ int) error { g.q.Ring().Segment().RecoverDead(); return nil }},
		{"Attach", func(g *target[T], _ context.Context, n int) error {
			other, err := ringqueue.Attach[T](g.q.Handle(), g.o)
			if err != nil {
				return err
			}
			defer other.Close()
			other.Len()
			if err := other.TryPut(g.value(n)); err != nil {
				return err
			}
			_, err = other.TryGet()
			return err
		}},
	}
}
