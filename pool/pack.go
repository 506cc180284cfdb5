package pool

import (
	"context"
	"errors"
	"fmt"

	"github.com/shmkit/shmkit/codec"
)

// A packer makes chunks of items, and submits them.
type packer[A any] struct {
	ctx   context.Context
	pool  *Pool
	fn    *function
	codec *codec.Codec[A]
	sink  sink
	chunk int // items
	limit int // bytes of a record with more than one item

	record []byte
	base   int   // number of its first item
	n      int   // items in it
	err    error // why nothing more can be submitted
}

func newPacker[A any](ctx context.Context, p *Pool, fn *function, c *codec.Codec[A], to sink, chunk int) *packer[A] {
	return &packer[A]{ctx: ctx, pool: p, fn: fn, codec: c, sink: to, chunk: chunk, limit: min(mostChunk, p.tasks.MaxRecord())}
}

// add adds item i, which is the one after the last that was added. The sink
// will get its outcome, whatever happens.
func (k *packer[A]) add(i int, a *A) {
	if k.err != nil {
		k.refuse(i)
		return
	}
	if k.n == 0 {
		k.record = begin(smallItem)
		k.base = i
	}
	before := len(k.record)
	out, err := appendItem(k.record, k.codec, a)
	if err != nil {
		k.flush()
		k.sink.fail(i, fmt.Errorf("pool: %s: argument: %w", k.fn.name, err))
		return
	}
	if k.n > 0 && len(out) > k.limit {
		item := out[before:]
		k.record = out[:before]
		k.flush()
		if k.err != nil {
			k.refuse(i)
			return
		}
		out = append(begin(len(item)), item...)
		k.base = i
	}
	k.record = out
	if k.n++; k.n == k.chunk {
		k.flush()
	}
}

// refuse fails an item after one that could not be submitted.
func (k *packer[A]) refuse(i int) { k.sink.fail(i, fmt.Errorf("pool: %s: %w", k.fn.name, k.err)) }

// flush submits what has been added.
func (k *packer[A]) flush() {
	if k.n == 0 {
		return
	}
	j := &job{fn: k.fn, sink: k.sink, base: k.base, items: k.n, record: k.record}
	if err := k.pool.submit(k.ctx, j); err != nil && !errors.Is(err, ErrTooLarge) {
		k.err = err
	}
	k.record = nil // the job's
	k.n = 0
}
