package pool

import (
	"context"
	"fmt"
	"iter"
)

// A Result is the outcome of one item of an ImapUnordered.
type Result[R any] struct {
	Index int // the item's place in the input, from 0; -1 if Err is about the whole
	Value R   // the zero value if Err is not nil
	Err   error
}

// ImapUnordered returns an iterator over the results of calling the function
// with each element of as, in the order in which they arrive. An item that
// fails has its error; the others go on.
//
// The input is read only as the results are taken, on the goroutine that ranges
// over them: at most [LookAhead] items are read and not yielded. If ctx is
// done, or nothing can be submitted any more, the iterator ends with a Result of
// Index -1 that has the error. If the loop is left early, what has been submitted
// runs to its end, for nobody.
//
// The iterator can be used more than once if as can.
func (f *Func[A, R]) ImapUnordered(ctx context.Context, p *Pool, as iter.Seq[A], opts ...Option) iter.Seq[Result[R]] {
	return func(yield func(Result[R]) bool) {
		if err := f.imap(ctx, p, as, opts, yield); err != nil {
			yield(Result[R]{Index: -1, Err: fmt.Errorf("pool: imap %s: %w", f.name, err)})
		}
	}
}

// imap yields the results. Its error is about the whole.
func (f *Func[A, R]) imap(ctx context.Context, p *Pool, as iter.Seq[A], opts []Option, yield func(Result[R]) bool) error {
	o, err := newBatching(opts)
	if err != nil {
		return err
	}
	c, err := f.codecs()
	if err != nil {
		return err
	}
	if o.chunk == 0 {
		o.chunk = 1
	}
	if o.ahead == 0 {
		o.ahead = chunksPerWorker * p.settings.Workers * o.chunk
	}
	o.chunk = min(o.chunk, o.ahead)
	s := &stream[R]{fn: &f.function, decode: c.result, out: make(chan arrival[R], o.ahead)}
	k := newPacker(ctx, p, &f.function, c.arg, s, o.chunk)
	next, stop := iter.Pull(as)
	defer stop()
	read, open, more := 0, 0, true
	for more || open > 0 {
		for more && open+o.chunk <= o.ahead && len(s.out) == 0 {
			for range o.chunk {
				var a A
				if a, more = next(); !more {
					break
				}
				k.add(read, &a)
				read++
				open++
			}
			k.flush()
			more = more && k.err == nil
		}
		if open == 0 {
			break
		}
		select {
		case e := <-s.out:
			open--
			if !yield(s.result(e)) {
				return nil
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return k.err
}

// stream is the sink of an ImapUnordered. Its channel has room for all that is
// submitted and not yielded, so that delivering never blocks.
type stream[R any] struct {
	fn     *function
	decode decoder[R]
	out    chan arrival[R]
}

type arrival[R any] struct {
	index int
	encoded[R]
}

func (s *stream[R]) deliver(i int, st status, b []byte) {
	s.out <- arrival[R]{i, s.decode.keep(s.fn, st, b)}
}

func (s *stream[R]) fail(i int, err error) {
	s.out <- arrival[R]{i, encoded[R]{err: err}}
}

func (s *stream[R]) result(a arrival[R]) Result[R] {
	v, err := s.decode.finish(s.fn, a.encoded)
	return Result[R]{Index: a.index, Value: v, Err: err}
}
