package pool

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
)

// A Future is the result of a task that may not have ended yet. [Func.Go] makes
// it. Its methods may be called by several goroutines at once, any number of
// times. It need not be waited for.
type Future[R any] struct {
	job
	pool   *Pool
	decode decoder[R]

	done  chan struct{}
	raw   encoded[R] // written before done is closed
	once  sync.Once  // decodes
	value R
	err   error

	mu        sync.Mutex
	ended     bool
	callbacks []func(R, error)
}

func (f *Future[R]) deliver(_ int, s status, b []byte) {
	f.raw = f.decode.keep(f.fn, s, b)
	f.end()
}

func (f *Future[R]) fail(_ int, err error) {
	f.raw.err = err
	f.end()
}

func (f *Future[R]) end() {
	close(f.done)
	f.mu.Lock()
	f.ended = true
	callbacks := f.callbacks
	f.callbacks = nil
	f.mu.Unlock()
	for _, g := range callbacks {
		go f.call(g)
	}
}

// Done returns a channel that is closed when the task has ended.
func (f *Future[R]) Done() <-chan struct{} { return f.done }

// Get waits for the task's end and returns its result. If ctx is done before,
// Get returns an error that wraps ctx's; the task goes on. The result of a task
// that has ended is returned even with a context that is done.
//
// The result is decoded by the first Get, and is the same for all.
func (f *Future[R]) Get(ctx context.Context) (R, error) {
	select {
	case <-f.done:
		return f.result()
	default:
	}
	select {
	case <-f.done:
		return f.result()
	case <-ctx.Done():
		var zero R
		return zero, fmt.Errorf("pool: wait for %s: %w", f.fn.name, ctx.Err())
	}
}

// result returns the outcome of a task that has ended.
func (f *Future[R]) result() (R, error) {
	f.once.Do(func() { f.value, f.err = f.decode.finish(f.fn, f.raw) })
	return f.value, f.err
}

// OnDone makes g be called once with the task's outcome: when it ends, or now if
// it has ended. Each call has a goroutine of its own, so g may block. A panic of
// g is logged and counted in [Stats], and harms nobody.
func (f *Future[R]) OnDone(g func(R, error)) {
	f.mu.Lock()
	ended := f.ended
	if !ended {
		f.callbacks = append(f.callbacks, g)
	}
	f.mu.Unlock()
	if ended {
		go f.call(g)
	}
}

func (f *Future[R]) call(g func(R, error)) {
	defer func() {
		if v := recover(); v != nil {
			f.pool.panicked.Add(1)
			f.pool.warn("callback panicked", "func", f.fn.name, "value", textOf(v), "stack", string(debug.Stack()))
		}
	}()
	g(f.result())
}
