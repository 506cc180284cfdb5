package pool

import (
	"bytes"
	"fmt"

	"github.com/shmkit/shmkit/codec"
)

// A decoder turns an item's outcome into a value in two steps: keep, on the
// collector, which only copies, and finish, on the goroutine of whoever wants
// the value, which may run user code.
type decoder[R any] struct {
	codec *codec.Codec[R]
	plain bool // a value is decoded by copying
}

// An encoded is an outcome between the two steps.
type encoded[R any] struct {
	value R      // if plain
	raw   []byte // if not
	err   error
}

func (d decoder[R]) keep(fn *function, s status, b []byte) (e encoded[R]) {
	switch {
	case s != statusOK:
		e.err = fn.failure(s, b)
	case !d.plain:
		e.raw = bytes.Clone(b)
	default:
		if err := d.codec.Decode(b, &e.value); err != nil {
			e.err = d.bad(fn, err)
		}
	}
	return e
}

func (d decoder[R]) finish(fn *function, e encoded[R]) (R, error) {
	if e.err == nil && !d.plain {
		if err := d.codec.Decode(e.raw, &e.value); err != nil {
			e.err = d.bad(fn, err)
		}
	}
	return e.value, e.err
}

func (d decoder[R]) bad(fn *function, err error) error {
	return fmt.Errorf("pool: %s: result: %w", fn.name, err)
}
