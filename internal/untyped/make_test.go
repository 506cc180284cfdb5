package untyped_test

import (
	"encoding/binary"
	"math"
	"strings"
	"testing"

	"github.com/shmkit/shmkit/codec"
	"github.com/shmkit/shmkit/internal/untyped"
)

// TestMakeRefuses: what is not of the type is an error that says so.
func TestMakeRefuses(t *testing.T) {
	text := func(v any) string { return v.(interface{ Type() string }).Type() }
	of := func(c any, err error) *untyped.Type {
		if err != nil {
			t.Fatal(err)
		}
		return untyped.Parse(text(c))
	}
	boolean, err := codec.For[bool]()
	isBool := of(boolean, err)
	small, err := codec.For[int8]()
	isInt8 := of(small, err)
	single, err := codec.For[float32]()
	isFloat := of(single, err)
	object, err := codec.For[struct {
		A int
		B [2]uint8
		C [2]bool
	}]()
	isStruct := of(object, err)
	list, err := codec.For[[]string]()
	isCBOR := of(list, err)
	for _, c := range []struct {
		of        *untyped.Type
		arg, want string
	}{
		{isBool, "1", "1 is no bool"},
		{isBool, "", `"" is no JSON`},
		{isBool, "true false", "more than one value"},
		{isInt8, "128", `"128" is no int8`},
		{isInt8, "1.5", "is no int8"},
		{isInt8, `"5"`, `"5" is no int8`},
		{isInt8, "null", "is no int8"},
		{isInt8, "0x5", "is no JSON"},
		{isFloat, "1e40", "is no float32"},
		{isFloat, `"inf"`, "is no float32"},
		{isStruct, "[]", "[] is no object"},
		{isStruct, `{"A":1,"D":2}`, "which has [A B C]"},
		{isStruct, `{"A":true}`, "field A: true is no int64"},
		{isStruct, `{"B":"010203"}`, "field B: \"010203\" is no string of 2 bytes of hex"},
		{isStruct, `{"B":5}`, "field B: 5 is no string of 2 bytes of hex"},
		{isStruct, `{"C":[true]}`, "field C: [true] is no list of 2"},
		{isStruct, `{"C":[true,1]}`, "field C: element 1: 1 is no bool"},
		{isCBOR, "[1e999]", "is no float64"},
		{isCBOR, "[", "is no JSON"},
		{untyped.Parse("binary time.Time"), "now", `"now" is no time like 2006`},
		{untyped.Parse("binary main.Own"), "x", "binary main.Own can only be written as hex"},
		{untyped.Parse("plain main.T struct{…} (8 bytes)"), "x", "can only be written as hex"},
	} {
		if b, err := c.of.Make(c.arg); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s, %s: %x, %v; want %q", c.of, c.arg, b, err, c.want)
		}
	}
	for _, c := range [][2]string{{"0x0", "is no hex"}, {"zz", "is no hex"}, {"0011", "has 1 bytes, not 2"}, {"", "not 0"}} {
		if b, err := isInt8.MakeHex(c[0]); err == nil || !strings.Contains(err.Error(), c[1]) {
			t.Errorf("%s: %x, %v", c[0], b, err)
		}
	}
	if b, err := isStruct.Make(`{"C":[true,false]}`); err != nil || len(b) != 16 || b[10] != 1 {
		t.Errorf("fields that are left out are zero: %x, %v", b, err)
	}
}

// TestShowDamaged: bytes that are no value of the type are shown as they are.
func TestShowDamaged(t *testing.T) {
	for text, b := range map[string][]byte{
		"plain bool (1 bytes)":        {2},
		"plain [2]bool (2 bytes)":     {1, 2},
		"plain int (8 bytes)":         {1, 2, 3},
		"plain int (7 bytes)":         {1, 2, 3, 4, 5, 6, 7}, // its text is nonsense
		"plain int":                   make([]byte, 8),
		"plain int (-8 bytes)":        make([]byte, 8),
		"plain [0]int (0 bytes)":      {},
		"plain [9]struct{} (0 bytes)": {},
		"cbor []int":                  {0x80, 0x80}, // more than one item
		"cbor int":                    {},
		"cbor any":                    {0x9f, 0xff, 0x01},
		"binary time.Time":            {1},
		"binary main.T":               {1},
		"":                            {1},
		"frob":                        {1},
	} {
		if s := untyped.Parse(text).Show(b); s.Encoding != untyped.Hex || len(s.Text) != 2+2*len(b) {
			t.Errorf("%s, %x: %+v", text, b, s)
		}
	}
	deep := strings.Repeat("[1]", 5000)
	if s := untyped.Parse("plain " + deep + "int8 (1 bytes)").Show([]byte{1}); s.Encoding != untyped.Hex {
		t.Errorf("%+v", s)
	}
	nested := append([]byte(strings.Repeat("\x81", 2000)), 1)
	if s := untyped.Parse("cbor any").Show(nested); s.Encoding != untyped.Hex {
		t.Errorf("%.100s", s.Text)
	}
}

func TestParsePair(t *testing.T) {
	for _, c := range []struct{ pair, key, value string }{
		{"string to plain int (8 bytes)", "string", "plain int (8 bytes)"},
		{"plain struct main.T{a int; to int} (16 bytes) to plain struct main.U{to [2]int} (16 bytes)",
			"plain struct main.T{a int; to int} (16 bytes)", "plain struct main.U{to [2]int} (16 bytes)"},
		{"cbor map[string]struct { to string } to string", "cbor map[string]struct { to string }", "string"},
		{"nonsense", "nonsense", "nonsense"},
		{"", "", ""},
	} {
		if k, v := untyped.ParsePair(c.pair, false); k.String() != c.key || v.String() != c.value {
			t.Errorf("%q: %q, %q", c.pair, k, v)
		}
	}
	k, v := untyped.ParsePair("string to cbor *manager.Ref", true)
	b := append(binary.LittleEndian.AppendUint64(nil, 77), "shmkit:manager:0:/x"...)
	if s := v.Show(b); s.Encoding != untyped.Reference || s.Text != "#77" || string(s.Value()) != `"#77"` {
		t.Errorf("%+v", s)
	}
	if s := v.Show([]byte{1}); s.Encoding != untyped.Hex {
		t.Errorf("%+v", s)
	}
	if _, err := v.Make("#77"); err == nil {
		t.Error("a reference was made")
	}
	if _, err := v.MakeHex("00"); err == nil {
		t.Error("a reference was made of hex")
	}
	if s := k.Show([]byte("a")); s.Text != "a" {
		t.Errorf("%+v", s)
	}
}

func TestAdd(t *testing.T) {
	for _, c := range []struct{ text, old, delta, want string }{
		{"plain int (8 bytes)", "", "5", "5"},
		{"plain int (8 bytes)", "-7", "5", "-2"},
		{"plain int8 (1 bytes)", "127", "-255", "-128"},
		{"plain int8 (1 bytes)", "127", "1", ""},
		{"plain uint8 (1 bytes)", "200", "55", "255"},
		{"plain uint8 (1 bytes)", "200", "56", ""},
		{"plain uint8 (1 bytes)", "0", "-1", ""},
		{"plain uint64 (8 bytes)", "18446744073709551615", "-18446744073709551615", "0"},
		{"plain main.Count uint32 (4 bytes)", "1", "1", "2"},
		{"plain float64 (8 bytes)", "0.5", "-2", "-1.5"},
		{"plain float32 (4 bytes)", "3e38", "3e38", ""},
		{"plain float64 (8 bytes)", "1", "x", ""},
		{"plain int (8 bytes)", "1", "0.5", ""},
		{"plain bool (1 bytes)", "true", "1", ""},
		{"plain complex64 (8 bytes)", "", "1", ""},
		{"string", "", "1", ""},
		{"cbor *int", "", "1", ""},
	} {
		ty := untyped.Parse(c.text)
		var old []byte
		if c.old != "" {
			var err error
			if old, err = ty.Make(c.old); err != nil {
				t.Fatal(err)
			}
		}
		b, err := ty.Add(old, c.delta)
		if c.want == "" {
			if err == nil {
				t.Errorf("%s: %s + %s is %x", c.text, c.old, c.delta, b)
			}
			continue
		}
		if got := ty.Show(b); err != nil || got.Text != c.want {
			t.Errorf("%s: %s + %s is %s, %v; want %s", c.text, c.old, c.delta, got.Text, err, c.want)
		}
	}
	if _, err := untyped.Parse("plain int (8 bytes)").Add([]byte{1}, "1"); err == nil {
		t.Error("an old value of one byte was taken")
	}
	b, err := untyped.Parse("plain float64 (8 bytes)").Add(binary.LittleEndian.AppendUint64(nil, math.Float64bits(math.Inf(1))), "1")
	if err != nil || !math.IsInf(math.Float64frombits(binary.LittleEndian.Uint64(b)), 1) {
		t.Errorf("%x, %v", b, err)
	}
}
