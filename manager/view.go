package manager

import (
	"context"
	"iter"
	"sync"

	"github.com/shmkit/shmkit/internal/dict"
	"github.com/shmkit/shmkit/internal/futex"
	"github.com/shmkit/shmkit/shm"
)

// View calls f with the encoding of the value of k in the shared memory itself, without
// copying it: for a plain type that is its memory. It stays what it is until f returns,
// even if the entry is replaced or removed meanwhile. f must not write to it or keep
// it. View returns false if there is no value.
//
// When memory is short, the memory of long views is given to others: the
// error is then [ErrViewExpired], and what f has seen may have been nonsense.
func (d *Dict[K, V]) View(k K, f func(value []byte) error) (ok bool, err error) {
	if err := d.m.seg.Acquire(); err != nil {
		return false, wrap("view", d.name, err)
	}
	defer d.m.seg.Release()
	var buf []byte
	key, err := d.keys.key(&k, &buf)
	if err == nil {
		ok, err = d.table.View(d.m.hash(key), key, f)
	}
	return ok, wrap("view", d.name, err)
}

// A Watched is what [Dict.Watch] has seen of a key.
type Watched[V any] struct {
	Value   V
	Present bool // false: there is no value
}

// Watch returns an iterator that begins with the value of k as it is, and goes on with
// what it becomes, each time that it was changed. Of changes in quick succession
// some may be passed over, but never the last one. That an entry's time is over is
// noticed when it is removed, or looked at by the watch itself. The iterator
// ends when ctx is done or with an error, which it yields.
func (d *Dict[K, V]) Watch(ctx context.Context, k K) iter.Seq2[Watched[V], error] {
	return func(yield func(Watched[V], error) bool) {
		var last dict.Entry
		seen, present := false, false
		for {
			var w Watched[V]
			err := d.within("watch", func() error {
				var buf []byte
				key, err := d.keys.key(&k, &buf)
				if err != nil {
					return err
				}
				return d.table.Wait(ctx, d.m.hash(key), waitPolicy(d.m.opts.Wait), func() (bool, error) {
					if d.m.isClosed() {
						return false, ErrClosed
					}
					var e dict.Entry
					var scratch []byte
					ok, err := d.read(&k, &w.Value, &e, &scratch)
					if err != nil || seen && ok == present && (!ok || e.Same(&last)) {
						return false, err
					}
					seen, present, last, w.Present = true, ok, e, ok
					return true, nil
				})
			})
			if !yield(w, err) || err != nil {
				return
			}
		}
	}
}

// waitPolicy is the policy in the terms of package futex.
func waitPolicy(p shm.WaitPolicy) futex.Policy {
	switch p {
	case shm.Spin:
		return futex.Spin
	case shm.Block:
		return futex.Block
	}
	return futex.Adaptive
}

// computing are the calls of GetOrCompute of this process that are going on.
type computing struct {
	mu    sync.Mutex
	calls map[any]chan struct{}
}

// call is one of them.
type call[K comparable] struct {
	id uint64
	k  K
}

// GetOrCompute returns the value of k; if there is none it sets it to what f returns.
// Of the goroutines of this process only one calls f for a key at a time, the others
// wait for it, until their ctx is done; other processes may call theirs meanwhile, and
// the first value set is what all get. An error of f is returned to its caller, and the
// next one tries.
func (d *Dict[K, V]) GetOrCompute(ctx context.Context, k K, f func(context.Context) (V, error), opts ...Option) (V, error) {
	c := &d.m.computing
	for {
		v, ok, err := d.Get(k)
		if ok || err != nil {
			return v, err
		}
		key := call[K]{d.object.id, k}
		c.mu.Lock()
		wait, others := c.calls[key]
		if !others {
			if c.calls == nil {
				c.calls = make(map[any]chan struct{})
			}
			c.calls[key] = make(chan struct{})
		}
		c.mu.Unlock()
		if !others {
			return d.compute(ctx, key, f, opts)
		}
		select {
		case <-wait:
		case <-ctx.Done():
			return v, wrap("compute", d.name, ctx.Err())
		}
	}
}

func (d *Dict[K, V]) compute(ctx context.Context, key call[K], f func(context.Context) (V, error), opts []Option) (V, error) {
	c := &d.m.computing
	defer func() {
		c.mu.Lock()
		close(c.calls[key])
		delete(c.calls, key)
		c.mu.Unlock()
	}()
	v, ok, err := d.Get(key.k) // perhaps somebody has just been through
	if ok || err != nil {
		return v, err
	}
	if v, err = f(ctx); err != nil {
		return v, err
	}
	v, _, err = d.SetDefault(key.k, v, opts...)
	return v, err
}
