package mem

import (
	"errors"
	"fmt"
	"sync/atomic"
	"unsafe"
)

// ErrBounds is returned when a view would reach outside of the memory it is
// taken of, or would be misaligned in it.
var ErrBounds = errors.New("view outside of the mapping")

// At returns a view of the T that starts off bytes into b. T must contain no
// Go pointers. The error wraps [ErrBounds].
func At[T any](b []byte, off int) (*T, error) {
	s, err := Slice[T](b, off, 1)
	if err != nil {
		return nil, err
	}
	return &s[0], nil
}

// Slice returns a view of the n values of type T that start off bytes into b.
// T must contain no Go pointers. The error wraps [ErrBounds].
func Slice[T any](b []byte, off, n int) ([]T, error) {
	var zero T
	size := int(unsafe.Sizeof(zero))
	if off < 0 || n < 0 || off > len(b) || (size > 0 && n > (len(b)-off)/size) {
		return nil, fmt.Errorf("%w: %d × %d bytes at %d of %d", ErrBounds, n, size, off, len(b))
	}
	if n == 0 {
		return nil, nil
	}
	if off == len(b) { // only reached for types of size 0
		return make([]T, n), nil
	}
	p := unsafe.Pointer(&b[off])
	if uintptr(p)%unsafe.Alignof(zero) != 0 {
		return nil, fmt.Errorf("%w: offset %d is not aligned to %d", ErrBounds, off, unsafe.Alignof(zero))
	}
	return unsafe.Slice((*T)(p), n), nil
}

// BytesOf returns the memory of *v as bytes. T must contain no Go pointers.
func BytesOf[T any](v *T) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(v)), unsafe.Sizeof(*v))
}

// BytesOfSlice returns the memory of the elements of s as bytes. T must contain
// no Go pointers.
func BytesOfSlice[T any](s []T) []byte {
	var zero T
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(s))), len(s)*int(unsafe.Sizeof(zero)))
}

// Put copies v to the start of b, which must be at least as long and aligned
// for a T. T must contain no Go pointers. It is BytesOf and copy with the size
// known to the compiler.
func Put[T any](b []byte, v *T) {
	_ = b[:unsafe.Sizeof(*v)]
	*(*T)(unsafe.Pointer(unsafe.SliceData(b))) = *v
}

// Get copies the start of b, which must be at least as long as a T and aligned
// for one, to v. T must contain no Go pointers.
func Get[T any](b []byte, v *T) {
	_ = b[:unsafe.Sizeof(*v)]
	*v = *(*T)(unsafe.Pointer(unsafe.SliceData(b)))
}

// Eight and Part, like EqualAt, are for where reading is to take no longer than it must: the
// caller has checked that what they look at is there.

// Eight returns the eight words from i on.
func Eight(words []atomic.Uint64, i uint64) *[8]atomic.Uint64 {
	return (*[8]atomic.Uint64)(unsafe.Add(unsafe.Pointer(unsafe.SliceData(words)), i*8))
}

// Part returns n bytes from off on.
func Part(b []byte, off, n uint64) []byte {
	return unsafe.Slice((*byte)(unsafe.Add(unsafe.Pointer(unsafe.SliceData(b)), off)), n)
}
