package mem

import "unsafe"

// As returns p as a pointer to a B. The caller has made sure, by reflection,
// that A and B have the same underlying type: generic code can't convert a
// *A to a *B even when it knows that. As panics when their sizes differ.
func As[B, A any](p *A) *B {
	var b B
	if unsafe.Sizeof(*p) != unsafe.Sizeof(b) {
		panic("mem: As between types of different size")
	}
	return (*B)(unsafe.Pointer(p))
}

// BytesOfString returns the bytes of s, which must not be written to.
func BytesOfString(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }
