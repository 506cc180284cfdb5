package codec

import (
	"encoding"
	"fmt"
	"math/big"
	"reflect"
	"strings"
	"sync"
	"time"

	"github.com/fxamacker/cbor/v2"
)

// inspected is what inspect finds out about a type that is sent as CBOR.
type inspected struct {
	err  error // why it can't be sent
	deep bool  // it contains itself or an interface, so a value may be nested without bound
}

// inspections remembers the result of inspect by reflect.Type.
var inspections sync.Map

// inspect tells whether a value of type t survives the way through CBOR whole.
func inspect(t reflect.Type) (inspected, error) {
	if in, ok := inspections.Load(t); ok {
		return in.(inspected), in.(inspected).err
	}
	w := walker{seen: map[reflect.Type]bool{}}
	err := w.walk(t, t.String())
	in := inspected{err, w.deep}
	inspections.Store(t, in)
	return in, err
}

// A walker walks a type. The CBOR library takes nearly every type and leaves
// out, without a word, what it can't send; the walker finds those parts first.
type walker struct {
	seen map[reflect.Type]bool // true while the walk is below the type, false afterwards
	deep bool
}

// unsupported returns the error about the part of a type at path.
func unsupported(path string, format string, args ...any) error {
	return fmt.Errorf("encode %s: %w: %s", path, ErrUnsupportedType, fmt.Sprintf(format, args...))
}

func (w *walker) walk(t reflect.Type, path string) error {
	if below, ok := w.seen[t]; ok {
		w.deep = w.deep || below
		return nil
	}
	w.seen[t] = true
	defer func() { w.seen[t] = false }()

	if own, err := ownEncoding(t, path); own != "" || err != nil {
		return err
	}
	switch t.Kind() {
	case reflect.Chan, reflect.Func, reflect.UnsafePointer, reflect.Uintptr:
		return unsupported(path, "a %s means nothing in another process", t.Kind())
	case reflect.Complex64, reflect.Complex128:
		return unsupported(path, "complex numbers only where no pointer, string, slice or map is beside them")
	case reflect.Interface:
		if t.NumMethod() > 0 {
			return unsupported(path, "which type would %s be on the other side? Only interface{} is sent", t)
		}
		w.deep = true
	case reflect.Pointer:
		if e := t.Elem(); e.Kind() == reflect.Pointer && w.seen[e] {
			return unsupported(path, "a pointer to itself")
		}
		return w.walk(t.Elem(), path)
	case reflect.Slice, reflect.Array:
		return w.walk(t.Elem(), path+"[]")
	case reflect.Map:
		if err := w.walk(t.Key(), path+" key"); err != nil {
			return err
		}
		return w.walk(t.Elem(), path+"[]")
	case reflect.Struct:
		return w.fields(t, path, map[string]bool{})
	}
	return nil
}

// fields walks the fields of a struct, and of those embedded in it, whose
// names go to the same map on the wire.
func (w *walker) fields(t reflect.Type, path string, names map[string]bool) error {
	for i := range t.NumField() {
		f := t.Field(i)
		name, skip := wireName(f)
		if skip {
			continue
		}
		at := path + "." + f.Name
		inner := f.Type
		if inner.Kind() == reflect.Pointer {
			inner = inner.Elem()
		}
		embedded := f.Anonymous && inner.Kind() == reflect.Struct && name == ""
		switch {
		case embedded && !f.IsExported() && f.Type.Kind() == reflect.Pointer:
			return unsupported(at, "an embedded pointer to an unexported struct can't be set by the receiver")
		case embedded:
			own, err := ownEncoding(inner, at)
			switch {
			case err != nil:
				return err
			case own != "":
				return unsupported(at, "an embedded type with its own encoding would be taken apart; name the field")
			case w.seen[inner]:
				return unsupported(at, "a struct embedded in itself")
			}
			w.seen[inner] = true
			err = w.fields(inner, at, names)
			w.seen[inner] = false
			if err != nil {
				return err
			}
			continue
		case !f.IsExported():
			return unsupported(at, "an unexported field beside fields with pointers would be lost; "+
				"export it, tag it `cbor:\"-\"` or give the struct MarshalBinary and UnmarshalBinary")
		}
		if name == "" {
			name = f.Name
		}
		if names[name] {
			return unsupported(at, "a second field that is called %q on the wire", name)
		}
		names[name] = true
		if err := w.walk(f.Type, at); err != nil {
			return err
		}
	}
	return nil
}

// wireName returns the name that a struct field's tag gives it, if any, and
// whether the field is left out on the programmer's own wish.
func wireName(f reflect.StructField) (name string, skip bool) {
	tag := wireTag(f)
	name, _, _ = strings.Cut(tag, ",")
	return name, tag == "-" || f.Name == "_"
}

// wireTag returns the tag that the CBOR library goes by.
func wireTag(f reflect.StructField) string {
	if tag := f.Tag.Get("cbor"); tag != "" {
		return tag
	}
	return f.Tag.Get("json")
}

// encodings lists the pairs of methods that the CBOR library looks for, in its
// order. What it finds for one direction must exist for the other.
var encodings = []struct {
	name            string
	marshal         reflect.Type
	unmarshal       reflect.Type
	marshalMethod   string
	unmarshalMethod string
}{
	{"cbor", reflect.TypeFor[cbor.Marshaler](), reflect.TypeFor[cbor.Unmarshaler](), "MarshalCBOR", "UnmarshalCBOR"},
	{"binary", binaryMarshaler, binaryUnmarshaler, "MarshalBinary", "UnmarshalBinary"},
	{"text", reflect.TypeFor[encoding.TextMarshaler](), reflect.TypeFor[encoding.TextUnmarshaler](), "MarshalText", "UnmarshalText"},
}

// ownEncoding returns the name of the encoding that t brings with it and that
// the CBOR library will use, or "" if it is to look at the kind of t.
func ownEncoding(t reflect.Type, path string) (string, error) {
	switch t {
	case reflect.TypeFor[time.Time](), reflect.TypeFor[big.Int](), reflect.TypeFor[cbor.Tag](), reflect.TypeFor[cbor.SimpleValue]():
		return "cbor", nil
	}
	if t.Kind() == reflect.Pointer || t.Kind() == reflect.Interface {
		return "", nil // the library looks at what they point to
	}
	p := reflect.PointerTo(t)
	for _, e := range encodings {
		to, from := p.Implements(e.marshal), p.Implements(e.unmarshal)
		switch {
		case to && from:
			return e.name, nil
		case to:
			return "", unsupported(path, "%s has %s but no %s", t, e.marshalMethod, e.unmarshalMethod)
		case from && e.unmarshal == binaryUnmarshaler && p.Implements(binaryAppender):
			return "", unsupported(path, "%s has AppendBinary but no MarshalBinary, which it needs as a part of another type", t)
		case from:
			return "", unsupported(path, "%s has %s but no %s", t, e.unmarshalMethod, e.marshalMethod)
		}
	}
	return "", nil
}
