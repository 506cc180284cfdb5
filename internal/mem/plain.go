//go:build !race

package mem

import (
	"bytes"
	"unsafe"
)

// Copy, Equal, EqualAt, Append and Clear are for plain memory that others may write to or read
// meanwhile, by a protocol that tells afterwards whether what was read was whole. They
// are copy, bytes.Equal (twice), append and clear; but the race detector, which
// knows of no such protocol, does not look at them.

// Copy is copy.
func Copy(dst, src []byte) int { return copy(dst, src) }

// Equal is bytes.Equal.
func Equal(a, b []byte) bool { return bytes.Equal(a, b) }

// Append is append.
func Append(dst, src []byte) []byte { return append(dst, src...) }

// Clear is clear.
func Clear(b []byte) { clear(b) }

// EqualAt tells whether key stands in b from off on. It is fastest for keys of 8 to 32
// bytes, which it compares without a call.
func EqualAt(b []byte, off uint64, key []byte) bool {
	p, q := unsafe.Add(unsafe.Pointer(unsafe.SliceData(b)), off), unsafe.Pointer(unsafe.SliceData(key))
	n := len(key)
	if n < 8 || n > 32 {
		return string(unsafe.Slice((*byte)(p), n)) == string(key)
	}
	for i := 0; i < n-8; i += 8 {
		if *(*uint64)(unsafe.Add(p, i)) != *(*uint64)(unsafe.Add(q, i)) {
			return false
		}
	}
	return *(*uint64)(unsafe.Add(p, n-8)) == *(*uint64)(unsafe.Add(q, n-8))
}
