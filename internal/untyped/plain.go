package untyped

import (
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strconv"
)

// A plain is how the memory of a plain type is laid out, by the rules of 64-bit
// platforms.
type plain struct {
	kind        reflect.Kind
	size, align int
	elem        *plain // of an array
	n           int
	fields      []field // of a struct, without blank ones
}

type field struct {
	name string
	off  int
	*plain
}

// basics are the types that are not made of others, and the named ones of the standard
// library that stand in many structs.
var basics = map[string]*plain{
	"bool": {kind: reflect.Bool, size: 1, align: 1},
	"int":  {kind: reflect.Int64, size: 8, align: 8}, "uint": {kind: reflect.Uint64, size: 8, align: 8},
	"int8": {kind: reflect.Int8, size: 1, align: 1}, "uint8": {kind: reflect.Uint8, size: 1, align: 1},
	"int16": {kind: reflect.Int16, size: 2, align: 2}, "uint16": {kind: reflect.Uint16, size: 2, align: 2},
	"int32": {kind: reflect.Int32, size: 4, align: 4}, "uint32": {kind: reflect.Uint32, size: 4, align: 4},
	"int64": {kind: reflect.Int64, size: 8, align: 8}, "uint64": {kind: reflect.Uint64, size: 8, align: 8},
	"float32": {kind: reflect.Float32, size: 4, align: 4}, "float64": {kind: reflect.Float64, size: 8, align: 8},
	"complex64": {kind: reflect.Complex64, size: 8, align: 4}, "complex128": {kind: reflect.Complex128, size: 16, align: 8},
	"time.Duration": {kind: reflect.Int64, size: 8, align: 8},
	"time.Month":    {kind: reflect.Int64, size: 8, align: 8}, "time.Weekday": {kind: reflect.Int64, size: 8, align: 8},
}

// isBytes tells whether it is an array of bytes.
func (p *plain) isBytes() bool { return p.kind == reflect.Array && p.elem.kind == reflect.Uint8 }

// append appends the JSON of a value's memory. It is false if that is none: a bool
// that is neither 0 nor 1.
func (p *plain) append(out, b []byte) ([]byte, bool) {
	b = b[:p.size]
	switch p.kind {
	case reflect.Bool:
		return strconv.AppendBool(out, b[0] == 1), b[0] <= 1
	case reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return strconv.AppendInt(out, p.int(b), 10), true
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return strconv.AppendUint(out, p.uint(b), 10), true
	case reflect.Float32, reflect.Float64:
		return appendFloat(out, p.float(b), p.size*8), true
	case reflect.Complex64, reflect.Complex128:
		half := basics["float"+strconv.Itoa(p.size*4)]
		out = appendFloat(append(out, '['), half.float(b), half.size*8)
		return append(appendFloat(append(out, ','), half.float(b[half.size:]), half.size*8), ']'), true
	case reflect.Array:
		return p.appendArray(out, b)
	}
	return p.appendStruct(out, b)
}

func (p *plain) appendArray(out, b []byte) ([]byte, bool) {
	if p.isBytes() {
		return append(hex.AppendEncode(append(out, '"'), b), '"'), true
	}
	out = append(out, '[')
	for i := range p.n {
		if i > 0 {
			out = append(out, ',')
		}
		var ok bool
		if out, ok = p.elem.append(out, b[i*p.elem.size:]); !ok {
			return out, false
		}
	}
	return append(out, ']'), true
}

func (p *plain) appendStruct(out, b []byte) ([]byte, bool) {
	out = append(out, '{')
	for i, f := range p.fields {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(append(out, quote(f.name)...), ':')
		var ok bool
		if out, ok = f.append(out, b[f.off:]); !ok {
			return out, false
		}
	}
	return append(out, '}'), true
}

func (p *plain) uint(b []byte) uint64 {
	var w [8]byte
	copy(w[:], b[:p.size])
	return binary.LittleEndian.Uint64(w[:])
}

func (p *plain) int(b []byte) int64 {
	shift := 64 - 8*p.size
	return int64(p.uint(b)<<shift) >> shift
}

func (p *plain) float(b []byte) float64 {
	if p.size == 4 {
		return float64(math.Float32frombits(uint32(p.uint(b))))
	}
	return math.Float64frombits(p.uint(b))
}

// putUint stores the low bytes of w.
func (p *plain) putUint(b []byte, w uint64) {
	var all [8]byte
	binary.LittleEndian.PutUint64(all[:], w)
	copy(b[:p.size], all[:])
}

func (p *plain) putFloat(b []byte, f float64) {
	if p.size == 4 {
		p.putUint(b, uint64(math.Float32bits(float32(f))))
	} else {
		p.putUint(b, math.Float64bits(f))
	}
}

// appendFloat appends a number, or a string where JSON has none.
func appendFloat(out []byte, f float64, bits int) []byte {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return append(strconv.AppendFloat(append(out, '"'), f, 'g', -1, bits), '"')
	}
	return strconv.AppendFloat(out, f, 'g', -1, bits)
}

// put stores what JSON says into a value's memory, which is zero.
func (p *plain) put(b []byte, v any) error {
	b = b[:p.size]
	switch p.kind {
	case reflect.Bool:
		is, ok := v.(bool)
		if !ok {
			return p.refuse(v)
		}
		if is {
			b[0] = 1
		}
		return nil
	case reflect.Array:
		return p.putArray(b, v)
	case reflect.Struct:
		return p.putStruct(b, v)
	case reflect.Complex64, reflect.Complex128:
		pair := &plain{kind: reflect.Array, size: p.size, n: 2, elem: basics["float"+strconv.Itoa(p.size*4)]}
		return pair.put(b, v)
	case reflect.Float32, reflect.Float64:
		if s, ok := v.(string); ok && (s == "NaN" || s == "+Inf" || s == "-Inf") {
			v = json.Number(s)
		}
	}
	n, ok := v.(json.Number)
	if !ok {
		return p.refuse(v)
	}
	return p.putNumber(b, string(n))
}

// putNumber stores a number.
func (p *plain) putNumber(b []byte, text string) error {
	bits := p.size * 8
	switch {
	case p.isFloat():
		f, err := strconv.ParseFloat(text, bits)
		if err != nil {
			return p.refuse(text)
		}
		p.putFloat(b, f)
	case p.isSigned():
		n, err := strconv.ParseInt(text, 10, bits)
		if err != nil {
			return p.refuse(text)
		}
		p.putUint(b, uint64(n))
	default:
		n, err := strconv.ParseUint(text, 10, bits)
		if err != nil {
			return p.refuse(text)
		}
		p.putUint(b, n)
	}
	return nil
}

func (p *plain) isFloat() bool  { return p.kind == reflect.Float32 || p.kind == reflect.Float64 }
func (p *plain) isSigned() bool { return p.kind >= reflect.Int && p.kind <= reflect.Int64 }
func (p *plain) isNumber() bool {
	return p.isFloat() || p.kind >= reflect.Int && p.kind <= reflect.Uint64
}

func (p *plain) putArray(b []byte, v any) error {
	if p.isBytes() {
		s, ok := v.(string)
		if got, err := hex.DecodeString(s); !ok || err != nil || len(got) != p.n {
			return fmt.Errorf("%v is no string of %d bytes of hex", brief(v), p.n)
		} else {
			copy(b, got)
		}
		return nil
	}
	list, ok := v.([]any)
	if !ok || len(list) != p.n {
		return fmt.Errorf("%v is no list of %d", brief(v), p.n)
	}
	for i := range list {
		if err := p.elem.put(b[i*p.elem.size:], list[i]); err != nil {
			return fmt.Errorf("element %d: %w", i, err)
		}
	}
	return nil
}

// putStruct stores the fields that an object has; the others stay zero.
func (p *plain) putStruct(b []byte, v any) error {
	object, ok := v.(map[string]any)
	if !ok {
		return p.refuse(v)
	}
	known := 0
	for _, f := range p.fields {
		v, ok := object[f.name]
		if !ok {
			continue
		}
		known++
		if err := f.put(b[f.off:], v); err != nil {
			return fmt.Errorf("field %s: %w", f.name, err)
		}
	}
	if known < len(object) {
		return fmt.Errorf("it has fields that the type has not, which has %s", p.fieldNames())
	}
	return nil
}

func (p *plain) fieldNames() (names []string) {
	for _, f := range p.fields {
		names = append(names, f.name)
	}
	return names
}

func (p *plain) refuse(v any) error {
	what := p.kind.String()
	if p.kind == reflect.Struct {
		what = "object"
	}
	return fmt.Errorf("%v is no %s", brief(v), what)
}

// brief is a value for an error.
func brief(v any) string {
	s := fmt.Sprint(v)
	if _, ok := v.(string); ok {
		s = strconv.Quote(s)
	}
	if len(s) > 60 {
		s = s[:60] + "…"
	}
	return s
}
