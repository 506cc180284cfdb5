package codec

import (
	"bytes"
	"encoding"
	"errors"
	"fmt"
	"reflect"
	"sync"

	"github.com/fxamacker/cbor/v2"
)

// appendSlow is Append for the forms that call other people's code. v is a
// pointer to the value. A panic becomes an error.
func (p *plan) appendSlow(dst []byte, v any) (out []byte, err error) {
	defer recovered(&err)
	if p.form == formCBOR {
		if p.deep {
			if err := checkDepth(reflect.ValueOf(v).Elem(), 0); err != nil {
				return nil, err
			}
		}
		buf := bytes.NewBuffer(dst)
		if err := modes().enc.MarshalToBuffer(v, buf); err != nil {
			return nil, err
		}
		return buf.Bytes(), nil
	}
	if a, ok := v.(encoding.BinaryAppender); ok {
		out, err = a.AppendBinary(dst)
		if err == nil && len(out) < len(dst) {
			err = errors.New("AppendBinary returned less than it was given")
		}
		return out, err
	}
	b, err := v.(encoding.BinaryMarshaler).MarshalBinary()
	return append(dst, b...), err
}

// decodeSlow is Decode for the forms that call other people's code. v is a
// pointer to a zero value. A panic becomes an error.
func (p *plan) decodeSlow(src []byte, v any) (err error) {
	defer recovered(&err)
	// A private copy: the CBOR decoder checks the bytes before it trusts them,
	// which is worth nothing when a peer can change them in between, and an
	// UnmarshalBinary that keeps its argument would keep our shared memory.
	src = bytes.Clone(src)
	if p.form == formCBOR {
		if len(src) == 0 {
			return errors.New("no bytes")
		}
		return modes().dec.Unmarshal(src, v)
	}
	return v.(encoding.BinaryUnmarshaler).UnmarshalBinary(src)
}

// recovered turns a panic of the surrounding function into its error.
func recovered(err *error) {
	if r := recover(); r != nil {
		*err = fmt.Errorf("panic: %v", r)
	}
}

type cborModes struct {
	enc cbor.UserBufferEncMode
	dec cbor.DecMode
}

// modes returns the CBOR dialect. Values arrive as they were, so strings
// aren't held to UTF-8, NaNs keep their bits, times their nanoseconds (as UTC:
// RFC 3339 can't hold an offset with seconds, and would move the instant), and
// nil stays apart from empty. Maps are sorted, so that equal values are equal
// bytes. Everything else that the encoder never writes is an error.
//
// The limits on elements are no limits: the decoder first makes sure that the
// input has at least a byte for each element before it allocates anything.
var modes = sync.OnceValue(func() cborModes {
	enc, err := cbor.EncOptions{
		Sort:          cbor.SortBytewiseLexical,
		NaNConvert:    cbor.NaNConvertNone,
		InfConvert:    cbor.InfConvertNone,
		Time:          cbor.TimeRFC3339NanoUTC,
		TimeTag:       cbor.EncTagRequired,
		IndefLength:   cbor.IndefLengthForbidden,
		TextMarshaler: cbor.TextMarshalerTextString,
	}.UserBufferEncMode()
	if err != nil {
		panic(err) // the options are constants: a test would have seen it
	}
	dec, err := cbor.DecOptions{
		DupMapKey:         cbor.DupMapKeyEnforcedAPF,
		IndefLength:       cbor.IndefLengthForbidden,
		MaxNestedLevels:   maxDepth + 16, // a little more than checkDepth lets pass: it doesn't count tags
		MaxArrayElements:  1<<31 - 1,
		MaxMapPairs:       1<<31 - 1,
		IntDec:            cbor.IntDecConvertSignedOrBigInt,
		UTF8:              cbor.UTF8DecodeInvalid,
		FieldNameMatching: cbor.FieldNameMatchingCaseSensitive,
		ExtraReturnErrors: cbor.ExtraDecErrorUnknownField,
		TextUnmarshaler:   cbor.TextUnmarshalerTextString,
	}.DecMode()
	if err != nil {
		panic(err)
	}
	return cborModes{enc, dec}
})
