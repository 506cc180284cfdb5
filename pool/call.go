package pool

import (
	"context"
	"fmt"
)

// smallItem is for how many bytes of arguments a record has room at first. With
// its head it is a cache line, which is also what it takes on the ring.
const smallItem = 64 - taskHeader

// Go submits a task: a call of the function with a in one of p's workers. It
// waits only while as many tasks are unfinished as [Options].MaxTasks says, or
// the queue is full, until ctx is done. After that ctx means nothing to the task.
//
// a is encoded before Go returns; it may be changed afterwards. Whatever goes
// wrong is the future's error: a that can't be encoded, [ErrTooLarge],
// [ErrClosed], [ErrTerminated], ctx's error.
func (f *Func[A, R]) Go(ctx context.Context, p *Pool, a A) *Future[R] {
	u := &Future[R]{pool: p, done: make(chan struct{})}
	u.job = job{fn: &f.function, sink: u, items: 1}
	c, err := f.codecs()
	if err != nil {
		u.fail(0, fmt.Errorf("pool: %s: %w", f.name, err))
		return u
	}
	u.decode = c.result
	u.record, err = appendItem(begin(smallItem), c.arg, &a)
	if err != nil {
		u.fail(0, fmt.Errorf("pool: %s: argument: %w", f.name, err))
		return u
	}
	p.submit(ctx, &u.job) // an error is the future's
	return u
}

// Apply calls the function with a in one of p's workers, and waits for the
// result: it is Go and Get. If ctx is done before, Apply returns an error that
// wraps ctx's; the task goes on.
func (f *Func[A, R]) Apply(ctx context.Context, p *Pool, a A) (R, error) {
	return f.Go(ctx, p, a).Get(ctx)
}
