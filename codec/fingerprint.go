package codec

import (
	"fmt"
	"hash/fnv"
	"math/big"
	"reflect"
	"strings"
	"time"
)

// wireVersion stands at the start of every fingerprint. It changes when the
// encoding of any type changes.
const wireVersion = "shmkit/codec 1 "

var formNames = [...]string{
	formBinary: "binary",
	formBytes:  "bytes",
	formString: "string",
	formPlain:  "plain",
	formCBOR:   "cbor",
}

// sum hashes the wire form of t, written out by signature.
func sum(f form, t reflect.Type) uint64 {
	h := fnv.New64a()
	h.Write([]byte(wireVersion + formNames[f] + " "))
	switch f {
	case formBinary:
		h.Write([]byte(fullName(t)))
	case formPlain, formCBOR:
		h.Write([]byte(signature(f, t, nil)))
	}
	return max(h.Sum64(), 1)
}

// signature writes out what the bytes of a t depend on: kinds, sizes, the
// names and places of fields, and the full name of a type that encodes itself.
// above holds the types that t stands in: a type that contains itself is
// written as the number of steps back up to it.
func signature(f form, t reflect.Type, above []reflect.Type) string {
	for i, a := range above {
		if a == t {
			return fmt.Sprintf("^%d", len(above)-i)
		}
	}
	above = append(above, t)
	if f == formCBOR {
		switch own, _ := ownEncoding(t, ""); {
		case t == reflect.TypeFor[time.Time](), t == reflect.TypeFor[big.Int]():
			return t.String()
		case own != "":
			return own + " " + fullName(t)
		}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return "*" + signature(f, t.Elem(), above)
	case reflect.Slice:
		return "[]" + signature(f, t.Elem(), above)
	case reflect.Array:
		return fmt.Sprintf("[%d]%s", t.Len(), signature(f, t.Elem(), above))
	case reflect.Map:
		return "map[" + signature(f, t.Key(), above) + "]" + signature(f, t.Elem(), above)
	case reflect.Interface:
		return "any"
	case reflect.Struct:
		if f == formPlain {
			return plainStruct(t, above)
		}
		return cborStruct(t, above)
	}
	return fmt.Sprintf("%s:%d", t.Kind(), t.Size())
}

// plainStruct is signature for a struct whose memory is sent.
func plainStruct(t reflect.Type, above []reflect.Type) string {
	var b strings.Builder
	fmt.Fprintf(&b, "struct:%d{", t.Size())
	for i := range t.NumField() {
		if f := t.Field(i); f.Name != "_" {
			fmt.Fprintf(&b, "%s@%d %s;", f.Name, f.Offset, signature(formPlain, f.Type, above))
		}
	}
	return b.String() + "}"
}

// cborStruct is signature for a struct that becomes a map, or an array if a
// blank field's tag says so.
func cborStruct(t reflect.Type, above []reflect.Type) string {
	var b strings.Builder
	b.WriteString("struct{")
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Name == "_" {
			fmt.Fprintf(&b, "_ %q;", wireTag(f))
		} else if _, skip := wireName(f); !skip {
			fmt.Fprintf(&b, "%s %s %v %q;", f.Name, signature(formCBOR, f.Type, above), f.Anonymous, wireTag(f))
		}
	}
	return b.String() + "}"
}

// fullName returns the name of t with the import path of its package. (It is
// the short one for types without a name.)
func fullName(t reflect.Type) string {
	if t.Name() == "" {
		return t.String()
	}
	return t.PkgPath() + "." + t.Name()
}

// MaxType is the longest text that [Codec.Type] returns, in bytes.
const MaxType = 160

// describe returns the text of [Codec.Type].
func describe(f form, t reflect.Type) string {
	s, size := t.String(), ""
	switch f {
	case formBytes, formString:
		if t.PkgPath() == "" {
			return formNames[f]
		}
	case formPlain:
		size = fmt.Sprintf(" (%d bytes)", t.Size())
		fallthrough
	case formCBOR:
		if t.Kind() == reflect.Struct {
			s = describeStruct(t)
		} else if t.PkgPath() != "" {
			s += " " + underlying(t)
		}
	}
	return shorten(formNames[f]+" "+s, MaxType-len(size)) + size
}

// describeStruct returns the name and as many of the fields as fit well.
func describeStruct(t reflect.Type) string {
	var b strings.Builder
	b.WriteString("struct")
	if t.Name() != "" {
		b.WriteString(" " + t.String())
	}
	b.WriteString("{")
	for i := range t.NumField() {
		f := t.Field(i)
		if i > 0 {
			b.WriteString("; ")
		}
		if b.Len()+len(f.Name)+len(f.Type.String()) > MaxType-40 {
			b.WriteString("…")
			break
		}
		b.WriteString(f.Name + " " + f.Type.String())
	}
	b.WriteString("}")
	return b.String()
}

// underlying returns the type below a named one that is no struct.
func underlying(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Pointer:
		return "*" + t.Elem().String()
	case reflect.Slice:
		return "[]" + t.Elem().String()
	case reflect.Array:
		return fmt.Sprintf("[%d]%s", t.Len(), t.Elem())
	case reflect.Map:
		return fmt.Sprintf("map[%s]%s", t.Key(), t.Elem())
	}
	return t.Kind().String()
}

// shorten cuts s to at most n bytes, between two characters.
func shorten(s string, n int) string {
	if len(s) <= n {
		return s
	}
	const dots = "…"
	cut := n - len(dots)
	for cut > 0 && s[cut]&0xC0 == 0x80 { // not the first byte of a character
		cut--
	}
	return s[:cut] + dots
}
