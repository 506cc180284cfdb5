package pool

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
)

// An Option says how a Map or an ImapUnordered goes about it.
type Option func(*batching)

// batching is what the options say; 0 if nothing.
type batching struct {
	chunk int
	ahead int
	err   error
}

// Chunk makes n items one task, which costs less for short ones: one record
// carries all arguments, and one all results, unless they are larger than
// 64 KiB. It changes nothing else: each item has its own error, and the death of
// a worker concerns only the item that it ran. n is at least 1.
//
// Without it Map makes 4 chunks for each worker, or more if their arguments are
// larger than 64 KiB, and ImapUnordered makes each item a task.
func Chunk(n int) Option {
	return func(b *batching) {
		if n < 1 {
			b.err = fmt.Errorf("chunk of %d items: not at least 1", n)
		}
		b.chunk = n
	}
}

// LookAhead bounds how many items ImapUnordered has read and not yielded. n is
// at least 1, and if it is less than the chunk, the chunk is as small. Without
// it that is 4 chunks for each worker. Map does not heed it.
func LookAhead(n int) Option {
	return func(b *batching) {
		if n < 1 {
			b.err = fmt.Errorf("look-ahead of %d items: not at least 1", n)
		}
		b.ahead = n
	}
}

func newBatching(opts []Option) (b batching, err error) {
	for _, o := range opts {
		o(&b)
	}
	return b, b.err
}

// chunksPerWorker is how many chunks each worker gets if nothing is said: so
// many that one that is slow does not keep the rest waiting for long.
const chunksPerWorker = 4

// mostChunk is how large a chunk of more than one item grows, in bytes.
const mostChunk = 64 << 10

// Map calls the function with each element of as, and waits for all. The
// results are in the order of as. If items have failed their results are zero
// values, and the error is a [*MapError] about the first of them; the others
// are complete. If ctx is done before the end, Map returns no results and an error
// that wraps ctx's; what is queued will run nevertheless.
func (f *Func[A, R]) Map(ctx context.Context, p *Pool, as []A, opts ...Option) ([]R, error) {
	o, err := newBatching(opts)
	if err != nil {
		return nil, fmt.Errorf("pool: map %s: %w", f.name, err)
	}
	c, err := f.codecs()
	if err != nil {
		return nil, fmt.Errorf("pool: map %s: %w", f.name, err)
	}
	if o.chunk == 0 {
		chunks := chunksPerWorker * p.settings.Workers
		o.chunk = max((len(as)+chunks-1)/chunks, 1)
	}
	m := &mapping[R]{fn: &f.function, decode: c.result, results: make([]R, len(as)), done: make(chan struct{})}
	if !c.result.plain {
		m.raw = make([][]byte, len(as))
	}
	m.left.Store(int64(len(as)) + 1) // one for the loop below
	k := newPacker(ctx, p, &f.function, c.arg, m, o.chunk)
	for i := range as {
		k.add(i, &as[i])
	}
	k.flush()
	m.ended()
	select {
	case <-m.done:
	default:
		select {
		case <-m.done:
		case <-ctx.Done():
			return nil, fmt.Errorf("pool: map %s: %w", f.name, ctx.Err())
		}
	}
	return m.finish()
}

// mapping is the sink of a Map.
type mapping[R any] struct {
	fn      *function
	decode  decoder[R]
	results []R
	raw     [][]byte // of results that are not plain
	left    atomic.Int64
	done    chan struct{}

	mu     sync.Mutex // jobs end on several goroutines
	failed int
	first  int
	err    error
}

func (m *mapping[R]) deliver(i int, s status, b []byte) {
	e := m.decode.keep(m.fn, s, b)
	if e.err != nil {
		m.note(i, e.err)
	} else if m.raw != nil {
		m.raw[i] = e.raw
	} else {
		m.results[i] = e.value
	}
	m.ended()
}

func (m *mapping[R]) fail(i int, err error) {
	m.note(i, err)
	m.ended()
}

// note takes an item's error down.
func (m *mapping[R]) note(i int, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.failed == 0 || i < m.first {
		m.first, m.err = i, err
	}
	m.failed++
}

func (m *mapping[R]) ended() {
	if m.left.Add(-1) == 0 {
		close(m.done)
	}
}

// finish decodes what is not plain, when all is there.
func (m *mapping[R]) finish() ([]R, error) {
	for i, raw := range m.raw {
		if raw == nil {
			continue // failed
		}
		v, err := m.decode.finish(m.fn, encoded[R]{raw: raw})
		if err != nil {
			m.note(i, err)
		}
		m.results[i] = v
	}
	if m.failed > 0 {
		return m.results, &MapError{Func: m.fn.name, Failed: m.failed, Index: m.first, Err: m.err}
	}
	return m.results, nil
}
