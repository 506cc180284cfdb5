package untyped_test

import (
	"bytes"
	"encoding/json"
	"math"
	"math/big"
	"testing"
	"time"

	"github.com/shmkit/shmkit/codec"
	"github.com/shmkit/shmkit/internal/untyped"
)

type (
	id    uint32
	vec   [3]float64
	mixed struct {
		A bool
		B int64
		_ int32
		C uint8
		D complex64
		E [2]int16
		F [4]uint8
		G time.Duration
	}
	nested struct {
		In  struct{ X, Y int8 }
		All [2]struct {
			Ok bool
			N  float32
		}
	}
	foreign struct{ ID id } // "id" does not say how large it is
	many    struct {
		AVeryLongFieldName, AnotherVeryLongFieldName, AThirdVeryLongFieldName, AFourthVeryLongFieldName int
	}
	user struct {
		Name string
		Tags []string
		To   map[string]int
	}
)

// encode returns the encoding of a value and the text of its type.
func encode[T any](t testing.TB, v T) (text string, b []byte) {
	t.Helper()
	c, err := codec.For[T]()
	if err != nil {
		t.Fatal(err)
	}
	if b, err = c.Append(nil, &v); err != nil {
		t.Fatal(err)
	}
	return c.Type(), b
}

// shows wants a value to be shown so. If it can be written the same way, then what is
// made of that must be what the program itself would have made.
func shows[T any](t *testing.T, v T, encoding, text string, writable bool) {
	t.Helper()
	name, b := encode(t, v)
	ty := untyped.Parse(name)
	s := ty.Show(b)
	if s.Encoding != encoding || s.Text != text {
		t.Errorf("%s: shown as %s %s, want %s %s", name, s.Encoding, s.Text, encoding, text)
	}
	if !json.Valid(s.Value()) {
		t.Errorf("%s: no JSON: %s", name, s.Value())
	}
	made, err := ty.Make(s.Text)
	if same := err == nil && bytes.Equal(made, b); same != writable {
		t.Errorf("%s: of %s is made %x, %v; want %x, %v", name, s.Text, made, err, b, writable)
	}
	if made, err := ty.MakeHex(untyped.ShowHex(b).Text); err != nil || !bytes.Equal(made, b) {
		t.Errorf("%s: of hex is made %x, %v; want %x", name, made, err, b)
	}
}

func TestShowAndMake(t *testing.T) {
	const text, js, hex = untyped.Text, untyped.JSON, untyped.Hex
	shows(t, "grüße\n", text, "grüße\n", true)
	shows(t, "", text, "", true)
	shows(t, "\xff", hex, "0xff", false)
	shows(t, []byte("readable"), text, "readable", true)
	shows(t, []byte{0, 1}, hex, "0x0001", false)
	shows(t, true, js, "true", true)
	shows(t, -5, js, "-5", true)
	shows(t, int8(-128), js, "-128", true)
	shows(t, uint64(math.MaxUint64), js, "18446744073709551615", true)
	shows(t, int64(math.MinInt64), js, "-9223372036854775808", true)
	shows(t, uint16(40000), js, "40000", true)
	shows(t, float32(0.1), js, "0.1", true)
	shows(t, 1e300, js, "1e+300", true)
	shows(t, math.Inf(-1), js, `"-Inf"`, true)
	shows(t, math.NaN(), js, `"NaN"`, true)
	shows(t, complex(1, -2.5), js, "[1,-2.5]", true)
	shows(t, id(7), js, "7", true)
	shows(t, vec{1, 2.5, -3}, js, "[1,2.5,-3]", true)
	shows(t, [2][2]int8{{1, 2}, {3, 4}}, js, "[[1,2],[3,4]]", true)
	shows(t, [16]byte{1, 0xff}, js, `"01ff0000000000000000000000000000"`, true)
	shows(t, time.Duration(3), js, "3", true)
	shows(t, mixed{true, -1, 0, 3, complex(1, 2), [2]int16{-1, 2}, [4]uint8{1, 2, 3, 4}, time.Second}, js,
		`{"A":true,"B":-1,"C":3,"D":[1,2],"E":[-1,2],"F":"01020304","G":1000000000}`, true)
	n := nested{}
	n.In.Y, n.All[1].Ok, n.All[1].N = -1, true, 0.5
	shows(t, n, js, `{"In":{"X":0,"Y":-1},"All":[{"Ok":false,"N":0},{"Ok":true,"N":0.5}]}`, true)
	shows(t, foreign{7}, hex, "0x07000000", false)
	shows(t, many{1, 2, 3, 4}, hex, "0x0100000000000000020000000000000003000000000000000400000000000000", false)
	shows(t, struct{}{}, js, "{}", true)
	shows(t, user{"Ann", []string{"a", "b"}, map[string]int{"x": 1}}, js, `{"Name":"Ann","Tags":["a","b"],"To":{"x":1}}`, true)
	shows(t, map[int]string{2: "b", -1: "a"}, js, `{"-1":"a","2":"b"}`, false)
	shows(t, map[[2]int]bool{{1, 2}: true}, hex, "0xa1820102f5", false)
	shows(t, map[bool]int{true: 1, false: 0}, js, `[[false,0],[true,1]]`, false)
	shows(t, map[float64]*int{}, js, `{}`, true)
	shows(t, any(nil), js, "null", true)
	shows(t, []any{1, -1, 2.5, "x", true, nil, uint64(math.MaxUint64)}, js, `[1,-1,2.5,"x",true,null,18446744073709551615]`, true)
	shows(t, any([]byte{1, 2}), js, `"0102"`, false)
	shows(t, any(math.NaN()), js, `"NaN"`, false)
	shows(t, any(new(big.Int).Lsh(big.NewInt(1), 70)), js, "1180591620717411303424", true)
	at := time.Date(2026, 11, 23, 4, 5, 6, 7, time.UTC)
	shows(t, at, js, `"2026-11-23T04:05:06.000000007Z"`, true)
	shows(t, []time.Time{at}, js, `["2026-11-23T04:05:06.000000007Z"]`, false)
}
