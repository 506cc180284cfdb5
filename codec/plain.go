package codec

import "reflect"

// isPlain tells whether the memory of a t is all there is to it: no pointers,
// no addresses, and no part that has its own idea of its encoding.
func isPlain(t reflect.Type) bool {
	if hasBinary(t) {
		return false
	}
	switch t.Kind() {
	case reflect.Bool,
		reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64,
		reflect.Float32, reflect.Float64, reflect.Complex64, reflect.Complex128:
		return true
	case reflect.Array:
		return t.Len() == 0 || isPlain(t.Elem())
	case reflect.Struct:
		for i := range t.NumField() {
			if !isPlain(t.Field(i).Type) {
				return false
			}
		}
		return true
	}
	return false
}

// A span is a run of bytes in the memory of a plain value or, with inner set,
// the same runs in each element of an array.
type span struct {
	off    uintptr // of the run, or of the first element
	len    uintptr // bytes of the run, or stride of the elements
	count  int     // number of elements
	inner  []span  // relative to the start of an element
	single bool    // no elements: the run itself
}

// layout returns the gaps of a plain type, which belong to no field or to a
// blank one, and its bools.
//
// Gaps are zeroed when a value is encoded: they hold whatever the sender's
// stack had there, which is nobody's business and would make equal values
// differ in their bytes. Bools are checked when a value is decoded: the
// compiler relies on a bool being 0 or 1, and a program that branches on
// another value may do anything.
func layout(t reflect.Type) (gaps, bools []span) {
	switch t.Kind() {
	case reflect.Bool:
		return nil, []span{{len: 1, single: true}}
	case reflect.Array:
		if t.Len() == 0 || t.Elem().Size() == 0 {
			return nil, nil
		}
		g, b := layout(t.Elem())
		each := func(inner []span) []span {
			if inner == nil {
				return nil
			}
			return []span{{len: t.Elem().Size(), count: t.Len(), inner: inner}}
		}
		if t.Elem().Kind() == reflect.Bool {
			return nil, []span{{len: t.Size(), single: true}}
		}
		return each(g), each(b)
	case reflect.Struct:
		end := uintptr(0)
		for i := range t.NumField() {
			f := t.Field(i)
			if f.Name == "_" {
				continue
			}
			if f.Offset > end {
				gaps = append(gaps, span{off: end, len: f.Offset - end, single: true})
			}
			g, b := layout(f.Type)
			gaps = append(gaps, shift(g, f.Offset)...)
			bools = append(bools, shift(b, f.Offset)...)
			end = f.Offset + f.Type.Size()
		}
		if t.Size() > end {
			gaps = append(gaps, span{off: end, len: t.Size() - end, single: true})
		}
	}
	return gaps, bools
}

// shift returns the spans moved up by off bytes.
func shift(spans []span, off uintptr) []span {
	for i := range spans {
		spans[i].off += off
	}
	return spans
}

// zero clears the bytes of the span in b, which starts where the value does.
func (s *span) zero(b []byte) {
	if s.single {
		clear(b[s.off : s.off+s.len])
		return
	}
	for i := range s.count {
		for j := range s.inner {
			s.inner[j].zero(b[s.off+uintptr(i)*s.len:])
		}
	}
}

// allBool tells whether each byte of the span in b is 0 or 1.
func (s *span) allBool(b []byte) bool {
	if s.single {
		for _, v := range b[s.off : s.off+s.len] {
			if v > 1 {
				return false
			}
		}
		return true
	}
	for i := range s.count {
		for j := range s.inner {
			if !s.inner[j].allBool(b[s.off+uintptr(i)*s.len:]) {
				return false
			}
		}
	}
	return true
}
