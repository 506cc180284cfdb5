package codec

import (
	"encoding"
	"reflect"
)

// A form is one of the ways in which a type is encoded.
type form uint8

const (
	formBinary form = iota + 1 // by its own AppendBinary or MarshalBinary
	formBytes                  // a slice of bytes, as it is
	formString                 // a string, as it is
	formPlain                  // the memory of the value
	formCBOR                   // all others
)

// A plan is what is decided once about a type.
type plan struct {
	form  form
	deep  bool   // formCBOR: values may be nested without bound, see checkDepth
	size  int    // formPlain: bytes of each value
	gaps  []span // formPlain: bytes that belong to no field
	bools []span // formPlain: bytes that must be 0 or 1
	sum   uint64
	text  string
}

// planFor decides how values of type t are encoded.
func planFor(t reflect.Type) (plan, error) {
	p := plan{}
	switch {
	case hasBinary(t):
		p.form = formBinary
	case t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Uint8:
		p.form = formBytes
	case t.Kind() == reflect.String:
		p.form = formString
	case isPlain(t):
		p.form, p.size = formPlain, int(t.Size())
		p.gaps, p.bools = layout(t)
	default:
		in, err := inspect(t)
		if err != nil {
			return plan{}, err
		}
		p.form, p.deep = formCBOR, in.deep
	}
	p.sum = sum(p.form, t)
	p.text = describe(p.form, t)
	return p, nil
}

var (
	binaryAppender    = reflect.TypeFor[encoding.BinaryAppender]()
	binaryMarshaler   = reflect.TypeFor[encoding.BinaryMarshaler]()
	binaryUnmarshaler = reflect.TypeFor[encoding.BinaryUnmarshaler]()
)

// hasBinary tells whether a variable of type t, which has the methods of t
// and of *t, can turn itself into bytes and back.
func hasBinary(t reflect.Type) bool {
	p := reflect.PointerTo(t)
	return p.Implements(binaryUnmarshaler) && (p.Implements(binaryAppender) || p.Implements(binaryMarshaler))
}
