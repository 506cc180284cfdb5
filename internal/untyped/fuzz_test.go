package untyped_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/shmkit/shmkit/internal/untyped"
)

// FuzzShow shows any bytes as a value of any text, and makes of what is shown what it
// was.
func FuzzShow(f *testing.F) {
	for _, text := range []string{
		"string", "bytes", "bytes main.Blob", "plain int (8 bytes)", "plain main.V [3]float32 (12 bytes)",
		"plain struct main.T{A bool; B int64; _ int32; C uint8} (24 bytes)", "cbor map[string]any", "cbor *int", "binary time.Time",
		"plain struct{A struct { X [2]int8; Y complex128 }} (24 bytes)", "binary main.T", "plain struct main.T{A int; …} (80 bytes)",
	} {
		for _, b := range []string{"", "x", "12345678", "\xa1\x61a\x01", "\x00\x00\x00\x00\x00\x00\xf8\x7f", strings.Repeat("\x01", 24)} {
			f.Add(text, []byte(b))
		}
	}
	f.Fuzz(func(t *testing.T, text string, b []byte) {
		key, value := untyped.ParsePair(text, len(b)%2 == 0)
		for _, ty := range []*untyped.Type{untyped.Parse(text), key, value} {
			s := ty.Show(b)
			if !json.Valid(s.Value()) {
				t.Errorf("%q, %x: no JSON: %s", text, b, s.Value())
			}
			if s.Encoding == untyped.Hex {
				if made, err := ty.MakeHex(s.Text); err == nil && !bytes.Equal(made, b) {
					t.Errorf("%q, %x: of %s is made %x", text, b, s.Text, made)
				}
				continue
			}
			// Padding, the bits of a NaN, and what CBOR has several ways to say may
			// get lost: then what is made is shown as the same.
			if made, err := ty.Make(s.Text); err == nil && s.Encoding != untyped.Reference && ty.Show(made) != s && !strings.HasPrefix(ty.String(), "cbor") {
				t.Errorf("%q, %x: of %s is made %x, which is shown as %s", text, b, s.Text, made, ty.Show(made).Text)
			}
		}
	})
}
