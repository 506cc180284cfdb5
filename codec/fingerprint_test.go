package codec_test

import (
	"fmt"
	"math/big"
	"net/netip"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/shmkit/shmkit/codec"
)

type linked struct {
	Name string
	When time.Time
	Next *linked
	Tags map[string][]point
	Any  any
}

// pinned are fingerprints that files in the field may hold. A change of one is
// a change of the format and needs a new wireVersion. The program in
// testdata/sums has copies of the types, under other names.
const pinned = `int 0x816f5e212666d632
point 0xcfaabdae5476609c
string 0x7c46cd56c05b0c32
bytes 0x30a100a555a412c2
node 0xcb15cfe591b81359
addr 0xb9f4532416f9e619
time 0x7b61a353a5c0789e
`

func sumOf[T any](t testing.TB) uint64 { return mustFor[T](t).Sum() }

func TestSumsArePinned(t *testing.T) {
	if strconv.IntSize != 64 {
		t.Skip("the sizes of int differ")
	}
	var b strings.Builder
	show := func(name string, sum uint64) { fmt.Fprintf(&b, "%s %#016x\n", name, sum) }
	show("int", sumOf[int](t))
	show("point", sumOf[point](t))
	show("string", sumOf[string](t))
	show("bytes", sumOf[[]byte](t))
	show("node", sumOf[linked](t))
	show("addr", sumOf[netip.Addr](t))
	show("time", sumOf[time.Time](t))
	if b.String() != pinned {
		t.Errorf("fingerprints changed:\n%s\nwant\n%s", b.String(), pinned)
	}
}

func TestSumsInAnotherBinary(t *testing.T) {
	goTool, err := exec.LookPath("go")
	if err != nil || testing.Short() {
		t.Skip("builds a program with the go command")
	}
	prog := filepath.Join(t.TempDir(), "sums")
	if runtime.GOOS == "windows" {
		prog += ".exe"
	}
	if out, err := exec.Command(goTool, "build", "-o", prog, "./testdata/sums").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	out, err := exec.Command(prog).Output()
	if err != nil {
		t.Fatal(err)
	}
	if string(out) != pinned {
		t.Errorf("the other program prints\n%s\nwant\n%s", out, pinned)
	}
}

func TestEqualSums(t *testing.T) {
	type also struct {
		X int32
		Y float64
	}
	type tagged struct {
		X int32 `json:"x"`
		Y float64
	}
	type text string
	type reader struct {
		Name string
		Pos  also
	}
	type writer struct {
		Name text
		Pos  point
	}
	for what, pair := range map[string][2]uint64{
		"a struct by another name": {sumOf[point](t), sumOf[also](t)},
		"a struct without a name": {sumOf[point](t), sumOf[struct {
			X int32
			Y float64
		}](t)},
		"tags that don't matter":       {sumOf[point](t), sumOf[tagged](t)},
		"a named string":               {sumOf[string](t), sumOf[name](t)},
		"a named []byte":               {sumOf[[]byte](t), sumOf[blob](t)},
		"a named float":                {sumOf[float64](t), sumOf[celsius](t)},
		"named types inside of others": {sumOf[reader](t), sumOf[writer](t)},
		"an alias":                     {sumOf[[]byte](t), sumOf[[]uint8](t)},
	} {
		if pair[0] != pair[1] {
			t.Errorf("%s: %#x and %#x", what, pair[0], pair[1])
		}
	}
}

func TestDifferentSums(t *testing.T) {
	type swapped struct {
		Y float64
		X int32
	}
	type renamed struct {
		X int32
		Z float64
	}
	type retagged struct {
		Name string
		Tags map[string][]point `cbor:"t"`
	}
	type untagged struct {
		Name string
		Tags map[string][]point
	}
	type Inner struct{ Age int }
	type named struct {
		Name  string
		Inner Inner
	}
	type embedded struct {
		Name string
		Inner
	}
	type list struct {
		V    string
		Next *list
	}
	type other struct {
		V    string
		Next []other
	}
	type flatRow struct {
		Key  string
		Vals []float64
	}
	seen := map[uint64]string{}
	for _, c := range []struct {
		name string
		sum  uint64
	}{
		{"int", sumOf[int](t)}, {"int64", sumOf[int64](t)}, {"uint64", sumOf[uint64](t)}, {"int32", sumOf[int32](t)},
		{"float64", sumOf[float64](t)}, {"bool", sumOf[bool](t)}, {"complex64", sumOf[complex64](t)},
		{"string", sumOf[string](t)}, {"bytes", sumOf[[]byte](t)}, {"[]int8", sumOf[[]int8](t)},
		{"[2]int", sumOf[[2]int](t)}, {"[3]int", sumOf[[3]int](t)}, {"[]int", sumOf[[]int](t)}, {"[0]int", sumOf[[0]int](t)},
		{"*int", sumOf[*int](t)}, {"any", sumOf[any](t)}, {"struct{}", sumOf[struct{}](t)},
		{"point", sumOf[point](t)}, {"swapped", sumOf[swapped](t)}, {"renamed", sumOf[renamed](t)},
		{"[]point", sumOf[[]point](t)}, {"*point", sumOf[*point](t)},
		{"map[string]int", sumOf[map[string]int](t)}, {"map[int]string", sumOf[map[int]string](t)},
		{"untagged", sumOf[untagged](t)}, {"retagged", sumOf[retagged](t)},
		{"named field", sumOf[named](t)}, {"embedded field", sumOf[embedded](t)},
		{"list", sumOf[list](t)}, {"other", sumOf[other](t)}, {"[]list", sumOf[[]list](t)},
		{"row to array", sumOf[row](t)}, {"row to map", sumOf[flatRow](t)},
		{"time", sumOf[time.Time](t)}, {"addr", sumOf[netip.Addr](t)}, {"addrport", sumOf[netip.AddrPort](t)},
		{"[]keyID", sumOf[[]keyID](t)}, {"[]keyNo", sumOf[[]keyNo](t)}, {"[][2]byte", sumOf[[][2]byte](t)},
		{"[]time", sumOf[[]time.Time](t)}, {"[]big.Int", sumOf[[]big.Int](t)}, {"[]*big.Rat", sumOf[[]*big.Rat](t)},
	} {
		if c.sum == 0 {
			t.Errorf("%s: fingerprint 0", c.name)
		}
		if seen[c.sum] != "" {
			t.Errorf("%s and %s have the same fingerprint", c.name, seen[c.sum])
		}
		seen[c.sum] = c.name
	}
}

type wide struct {
	Alpha, Beta, Gamma, Delta, Epsilon, Zeta, Eta, Theta, Iota, Kappa, Lambda, Mu int64
}

// keyNo has the memory of a keyID and other bytes on the wire.
type keyNo [2]byte

func (k keyNo) MarshalBinary() ([]byte, error)  { return k[:], nil }
func (k *keyNo) UnmarshalBinary(b []byte) error { copy(k[:], b); return nil }

type box[T any] struct{ V T }

func TestType(t *testing.T) {
	tests := []struct{ got, want string }{
		{mustFor[point](t).Type(), "plain struct codec_test.point{X int32; Y float64} (16 bytes)"},
		{mustFor[int](t).Type(), "plain int (8 bytes)"},
		{mustFor[celsius](t).Type(), "plain codec_test.celsius float64 (8 bytes)"},
		{mustFor[[4]byte](t).Type(), "plain [4]uint8 (4 bytes)"},
		{mustFor[string](t).Type(), "string"},
		{mustFor[name](t).Type(), "string codec_test.name"},
		{mustFor[[]byte](t).Type(), "bytes"},
		{mustFor[time.Time](t).Type(), "binary time.Time"},
		{mustFor[map[string][]int](t).Type(), "cbor map[string][]int"},
		{mustFor[node](t).Type(), "cbor struct codec_test.node{Name string; Next *codec_test.node}"},
		{mustFor[wide](t).Type(), "plain struct codec_test.wide{Alpha int64; Beta int64; Gamma int64; Delta int64; Epsilon int64; Zeta int64; Eta int64; …} (96 bytes)"},
	}
	for _, tt := range tests {
		if tt.got != tt.want {
			t.Errorf("got  %s\nwant %s", tt.got, tt.want)
		}
	}
	for _, long := range []string{
		mustFor[wide](t).Type(),
		mustFor[box[box[box[box[box[box[box[box[box[box[int]]]]]]]]]]](t).Type(),
		mustFor[struct {
			Überlänge map[string]struct{ Äußerstes, Übermäßiges, Größtmögliches, Äquivalentes, Österreichisches, Überflüssiges, Ähnliches string }
		}](t).Type(),
	} {
		if len(long) > codec.MaxType || !utf8.ValidString(long) {
			t.Errorf("%d bytes, valid UTF-8 %v: %s", len(long), utf8.ValidString(long), long)
		}
	}
}

func TestShorten(t *testing.T) {
	const s = "aäöü日本語𝄞z"
	for n := 3; n <= len(s); n++ {
		got := codec.Shorten(s, n)
		if len(got) > n || !utf8.ValidString(got) || n == len(s) && got != s {
			t.Errorf("to %d bytes: %q", n, got)
		}
	}
}
