// Package codec turns typed values into bytes and back, so that they can be
// put into memory that several processes share.
//
// [For] decides once per type how its values travel. The first that fits:
//
//   - A type with UnmarshalBinary and AppendBinary or MarshalBinary encodes
//     itself. So do handles of queues, and [time.Time].
//   - Byte slices and strings, and named types of them, are sent as they are.
//   - Plain types are copied: bool, integers, floats, complex numbers, and
//     arrays and structs of them, unexported fields included, down to which
//     there is no pointer and no type that encodes itself.
//   - Everything else is CBOR (RFC 8949): pointers, slices, maps, structs with
//     such fields, and interface{}. Struct tags `cbor:"…"` or `json:"…"` and
//     the methods MarshalCBOR, MarshalBinary and MarshalText of the parts are
//     honoured, with their opposites.
//
// A type of which a part would silently stay behind is refused, with the path
// to that part: channels, functions, uintptr, interfaces with methods, and
// unexported fields of a struct that is sent as CBOR.
//
// [Codec.Sum] is a fingerprint of the wire form. Shared files remember it, so
// that a program that opens one as another type gets an error, not nonsense.
//
// # What arrives
//
// In a plain value the bytes between fields (padding) and blank fields are
// sent as zero, so that no memory of the sender leaks, and values with equal
// fields have equal bytes. Values that == calls equal may still differ: 0 and
// -0. Maps are sent in the order of their keys.
//
// nil slices and maps inside a CBOR value arrive nil, empty ones empty. As a
// value of its own, a nil []byte arrives empty. A pointer to a nil pointer,
// slice or map, or to the zero [time.Time], arrives as a nil pointer. Pointers
// to one variable arrive as pointers to several. Times inside of CBOR arrive as the
// same instant, to the nanosecond, in UTC. An interface{} arrives holding what
// CBOR knows: bool, int64 (big.Int above), float64, string, []byte, time.Time,
// []any, map[any]any.
//
// # Crash safety
//
// A codec touches only the memory it is given. A process that dies in Append
// leaves bytes that its caller has not published.
//
// Decode expects hostile bytes: whatever a corrupt file or a malicious peer
// presents, and even if it changes them during the call, the outcome is a
// value or [ErrDecode]. It allocates no more than the bytes' number times the
// size of the largest element of a slice in T. For types that decode themselves
// this holds as far as their methods keep to it; only a panic is caught.
//
// # Memory model
//
// There is no synchronisation here. The caller orders the writing of a record
// before the reading of it.
//
// # Limits
//
// int and uint have the 8 bytes that they have on every 64-bit platform, which
// are the platforms supported; a 32-bit program's fingerprints differ.
// Values may be nested 1000 levels deep; a cyclic one is an error. A struct
// that embeds a type with MarshalBinary inherits the method, as with
// encoding/json, and is then sent as the embedded part alone.
package codec
