package codec

import (
	"fmt"
	"reflect"
	"sync"

	"github.com/shmkit/shmkit/internal/mem"
)

// A Codec turns values of type T into bytes and back. It is made by [For],
// never changes, and may be used by any number of goroutines at once. None of
// its methods block.
type Codec[T any] struct{ plan }

// cache remembers the *Codec[T] of each reflect.Type, so that deciding on a
// type's wire form, which walks the whole type, happens once per process.
var cache sync.Map

// For returns the codec of T, the same one for each call. The error wraps
// [ErrUnsupportedType] and names the part of T that can't be sent.
func For[T any]() (*Codec[T], error) {
	t := reflect.TypeFor[T]()
	if c, ok := cache.Load(t); ok {
		return c.(*Codec[T]), nil
	}
	p, err := planFor(t)
	if err != nil {
		return nil, err
	}
	c, _ := cache.LoadOrStore(t, &Codec[T]{p})
	return c.(*Codec[T]), nil
}

// Fixed returns the size in bytes of every encoding of a T and true if T is
// plain, and 0 and false if the size depends on the value.
func (c *Codec[T]) Fixed() (size int, ok bool) { return c.size, c.form == formPlain }

// Flat tells whether the encoding of a plain T is its memory, byte for byte: it
// has no padding and no blank fields to hide, and no bools to check. Whoever
// moves many may then copy them without asking the codec.
func (c *Codec[T]) Flat() bool {
	return c.form == formPlain && len(c.gaps) == 0 && len(c.bools) == 0
}

// Size returns the size in bytes of the encoding of *v and true, without
// encoding it, for plain types, strings and byte slices: those for which Append
// never fails and neither method runs any code of T's own. For other types it
// returns 0 and false.
func (c *Codec[T]) Size(v *T) (n int, ok bool) {
	switch c.form {
	case formPlain:
		return c.size, true
	case formBytes:
		return len(*mem.As[[]byte](v)), true
	case formString:
		return len(*mem.As[string](v)), true
	}
	return 0, false
}

// Sum returns the fingerprint of T's wire form. It is never 0, is the same in
// every program and on every run for the same type, and differs, but for hash
// collisions, when one type's bytes would be misread as the other's. Names of
// types don't count unless a type has its own encoding; names and order of
// struct fields do.
func (c *Codec[T]) Sum() uint64 { return c.sum }

// Type returns the wire form of T for people to read, at most [MaxType] bytes,
// such as "plain struct main.Point{X int32; Y float64} (16 bytes)".
func (c *Codec[T]) Type() string { return c.text }

// Append appends the encoding of *v to dst and returns the extended slice. The
// bytes are written in place when the capacity of dst suffices.
//
// On an error Append returns dst at its old length; what lies between its
// length and its capacity may have been overwritten. The error wraps
// [ErrEncode], and what a marshal method returned. For plain types, strings
// and byte slices there are no errors and no allocations besides the growth
// of dst.
//
// Append works on a shallow copy of *v: v itself never escapes to the heap.
func (c *Codec[T]) Append(dst []byte, v *T) ([]byte, error) {
	switch c.form {
	case formPlain:
		start := len(dst)
		dst = append(dst, mem.BytesOf(v)...)
		for _, g := range c.gaps {
			g.zero(dst[start:])
		}
		return dst, nil
	case formBytes:
		return append(dst, *mem.As[[]byte](v)...), nil
	case formString:
		return append(dst, *mem.As[string](v)...), nil
	}
	// The methods called below could keep the pointer that they are given, so
	// it must be one to the heap: a copy made here, and not the caller's v,
	// which would cost the plain types an allocation too.
	heap := *v
	out, err := c.appendSlow(dst, &heap)
	if err != nil {
		return dst, fmt.Errorf("encode %s: %w: %w", c.text, ErrEncode, err)
	}
	return out, nil
}

// Decode sets *v to the value that src encodes. It never keeps src or a part
// of it, so that src may be shared memory which is overwritten afterwards, or
// even, by a hostile peer, meanwhile. An error wraps [ErrDecode] and leaves
// *v at its old or at its zero value.
//
// Decode neither reuses nor changes what *v referred to before.
func (c *Codec[T]) Decode(src []byte, v *T) error {
	switch c.form {
	case formPlain:
		if len(src) != c.size {
			return fmt.Errorf("decode %s: %w: %d bytes instead of %d", c.text, ErrDecode, len(src), c.size)
		}
		b := mem.BytesOf(v)
		copy(b, src)
		for _, s := range c.bools {
			// The copy is checked, not src, which may change under our hands.
			if !s.allBool(b) {
				clear(b)
				return fmt.Errorf("decode %s: %w: a bool that is neither 0 nor 1", c.text, ErrDecode)
			}
		}
		return nil
	case formBytes:
		b := make([]byte, len(src))
		copy(b, src)
		*mem.As[[]byte](v) = b
		return nil
	case formString:
		*mem.As[string](v) = string(src)
		return nil
	}
	heap := new(T)
	if err := c.decodeSlow(src, heap); err != nil {
		return fmt.Errorf("decode %s: %w: %w", c.text, ErrDecode, err)
	}
	*v = *heap
	return nil
}
