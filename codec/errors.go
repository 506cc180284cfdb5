package codec

import "errors"

var (
	// ErrUnsupportedType is returned when a type can't be sent to another
	// process, or not without silently losing a part of it.
	ErrUnsupportedType = errors.New("type not supported")

	// ErrEncode is returned when a value can't be encoded: its marshal method
	// failed or panicked, it is nested too deeply (or refers to itself), or an
	// interface in it holds a value of an unsupported type.
	ErrEncode = errors.New("value can't be encoded")

	// ErrDecode is returned when bytes are not the encoding of a value of the
	// type that they are decoded as.
	ErrDecode = errors.New("bytes don't encode a value of this type")
)
