//go:build race

package mem

// Copy is copy.
//
//go:norace
func Copy(dst, src []byte) int {
	n := min(len(dst), len(src))
	for i := range n {
		dst[i] = src[i]
	}
	return n
}

// Equal is bytes.Equal.
//
//go:norace
func Equal(a, b []byte) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// Append is append.
func Append(dst, src []byte) []byte {
	n := len(dst)
	dst = append(dst, make([]byte, len(src))...)
	Copy(dst[n:], src)
	return dst
}

// Clear is clear.
//
//go:norace
func Clear(b []byte) {
	for i := range b {
		b[i] = 0
	}
}

// EqualAt tells whether key stands in b from off on.
func EqualAt(b []byte, off uint64, key []byte) bool {
	return Equal(Part(b, off, uint64(len(key))), key)
}
