package untyped

import (
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Encodings of what is shown.
const (
	Text      = "text"
	JSON      = "json"
	Hex       = "hex"
	Reference = "reference" // to an object of a manager: "#" and its id
)

// A form is how values of a type are encoded.
type form int

const (
	opaque form = iota
	byteSlice
	str
	plainMemory
	cborItem
	binaryTime
	reference
)

// A Type is what is known of one.
type Type struct {
	form  form
	text  string
	size  int    // of the encoding of a plain type; -1: it varies, or is not known
	plain *plain // nil: its parts are not known
}

// Parse makes a Type of a text from codec.Codec.Type. It takes any: what it does not
// understand is hex.
func Parse(text string) *Type {
	t := &Type{text: text, size: -1}
	name, rest, _ := strings.Cut(text, " ")
	switch name {
	case "bytes":
		t.form = byteSlice
	case "string":
		t.form = str
	case "cbor":
		t.form = cborItem
	case "plain":
		t.form = plainMemory
		t.plain, t.size = parsePlain(rest)
	case "binary":
		if rest == "time.Time" {
			t.form = binaryTime
		}
	}
	return t
}

// ParsePair makes the Types of a dict's keys and values of "K to V". Refers says
// that its values are references to objects.
func ParsePair(text string, refers bool) (key, value *Type) {
	// Fields of structs may be called "to": those stand in brackets.
	depth, at := 0, -1
	for i, c := range text {
		switch c {
		case '{', '[', '(':
			depth++
		case '}', ']', ')':
			depth--
		case ' ':
			if depth == 0 && at < 0 && strings.HasPrefix(text[i:], " to ") {
				at = i
			}
		}
	}
	if at < 0 {
		return &Type{text: text, size: -1}, &Type{text: text, size: -1}
	}
	key, value = Parse(text[:at]), Parse(text[at+len(" to "):])
	if refers {
		value.form = reference
	}
	return key, value
}

// String returns the text of the type.
func (t *Type) String() string { return t.text }

// A Shown is a value for people.
type Shown struct {
	Encoding string // Text, JSON, Hex or Reference
	Text     string // hex with 0x before it
}

// Value returns what is shown as JSON: text and hex as a string, hex without 0x.
func (s Shown) Value() json.RawMessage {
	if s.Encoding == JSON {
		return json.RawMessage(s.Text)
	}
	text := s.Text
	if s.Encoding == Hex {
		text = strings.TrimPrefix(text, "0x")
	}
	return quote(text)
}

// Show shows an encoding.
func (t *Type) Show(b []byte) Shown {
	switch t.form {
	case str:
		if utf8.Valid(b) {
			return Shown{Text, string(b)}
		}
	case byteSlice:
		if isText(b) {
			return Shown{Text, string(b)}
		}
	case plainMemory:
		if t.plain != nil && len(b) == t.plain.size {
			if text, ok := t.plain.append(nil, b); ok {
				return Shown{JSON, string(text)}
			}
		}
	case cborItem:
		if text, err := showCBOR(b); err == nil {
			return Shown{JSON, string(text)}
		}
	case binaryTime:
		var at time.Time
		if at.UnmarshalBinary(b) == nil {
			return Shown{JSON, string(quote(at.Format(time.RFC3339Nano)))}
		}
	case reference:
		if len(b) >= 8 {
			return Shown{Reference, fmt.Sprintf("#%d", binary.LittleEndian.Uint64(b))}
		}
	}
	return ShowHex(b)
}

// ShowHex shows bytes as they are.
func ShowHex(b []byte) Shown { return Shown{Hex, "0x" + hex.EncodeToString(b)} }

// isText tells whether bytes that need not be text are.
func isText(b []byte) bool {
	return utf8.Valid(b) && strings.IndexFunc(string(b), func(r rune) bool {
		return !unicode.IsPrint(r) && r != '\n' && r != '\t'
	}) < 0
}

// Make returns the encoding of what somebody has written: text for strings and byte
// slices, else JSON.
func (t *Type) Make(arg string) ([]byte, error) {
	switch t.form {
	case str, byteSlice:
		return []byte(arg), nil
	case plainMemory:
		if t.plain == nil {
			break
		}
		v, err := parseJSON(arg)
		if err != nil {
			return nil, err
		}
		b := make([]byte, t.plain.size)
		return b, t.plain.put(b, v)
	case cborItem:
		return makeCBOR(arg)
	case binaryTime:
		at, err := time.Parse(time.RFC3339Nano, strings.Trim(arg, `"`))
		if err != nil {
			return nil, fmt.Errorf("%q is no time like %s", arg, time.RFC3339)
		}
		return at.MarshalBinary()
	case reference:
		return nil, errors.New("a reference to an object can't be written")
	}
	return nil, fmt.Errorf("%s can only be written as hex", t.text)
}

// MakeHex returns the encoding that somebody has written in hex, with 0x or
// without. Of a plain type it must have the right length.
func (t *Type) MakeHex(arg string) ([]byte, error) {
	b, err := hex.DecodeString(strings.TrimPrefix(arg, "0x"))
	switch {
	case t.form == reference:
		return t.Make(arg)
	case err != nil:
		return nil, fmt.Errorf("%.40q is no hex", arg)
	case t.size >= 0 && len(b) != t.size:
		return nil, fmt.Errorf("%s has %d bytes, not %d", t.text, t.size, len(b))
	}
	return b, nil
}

// quote returns a JSON string.
func quote(s string) []byte {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(s); err != nil {
		panic(err) // a string has no value that can't be encoded
	}
	return []byte(strings.TrimSuffix(b.String(), "\n"))
}
