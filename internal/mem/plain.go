//go:build !race

package mem

import "bytes"

// Copy, Equal, Append and Clear are for plain memory that others may write to or read
// meanwhile, by a protocol that tells afterwards whether what was read was whole. They
// are copy, bytes.Equal, append and clear; but the race detector, which
// knows of no such protocol, does not look at them.

// Copy is copy.
func Copy(dst, src []byte) int { return copy(dst, src) }

// Equal is bytes.Equal.
func Equal(a, b []byte) bool { return bytes.Equal(a, b) }

// Append is append.
func Append(dst, src []byte) []byte { return append(dst, src...) }

// Clear is clear.
func Clear(b []byte) { clear(b) }
