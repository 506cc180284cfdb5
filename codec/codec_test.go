package codec_test

import (
	"bytes"
	"encoding"
	"errors"
	"io"
	"math"
	"math/big"
	"net"
	"net/netip"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/shmkit/shmkit/codec"
)

type (
	point struct {
		X int32
		Y float64
	}
	celsius float64
	name    string
	blob    []byte

	// sparse has padding, a blank field, and bools in an array of structs.
	sparse struct {
		A    bool
		B    int64
		_    uint32
		C    [3]struct{ On, Off bool }
		D    uint8
		last uint16
	}

	job struct {
		ID      int
		Args    []string
		Env     map[string]string
		Raw     []byte
		When    time.Time
		Sum     [4]byte
		At      *point
		Addr    netip.Addr
		Total   *big.Int
		Any     any
		IP      net.IP
		private int `cbor:"-"` // stays behind
	}
	node struct {
		Name string
		Next *node
	}
	tree map[string]tree

	base    struct{ ID int }
	derived struct {
		base
		Name string
	}
	row struct {
		_    struct{} `cbor:",toarray"`
		Key  string
		Vals []float64
	}
)

// handle is like a queue: it stands for something and encodes itself as a name.
type handle struct {
	name string
	open func()
}

func (h *handle) AppendBinary(b []byte) ([]byte, error) { return append(b, h.name...), nil }
func (h *handle) MarshalBinary() ([]byte, error)        { return h.AppendBinary(nil) }
func (h *handle) UnmarshalBinary(b []byte) error {
	if len(b) == 0 {
		return errEmptyName
	}
	h.name, h.open = string(b), func() {}
	return nil
}

var errEmptyName = errors.New("empty name")

var (
	_ encoding.BinaryAppender    = (*handle)(nil)
	_ encoding.BinaryUnmarshaler = (*handle)(nil)
)

type withHandle struct {
	Q    *handle
	None *handle
	V    handle
	M    map[string]*handle
}

func mustFor[T any](t testing.TB) *codec.Codec[T] {
	t.Helper()
	c, err := codec.For[T]()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// roundTrip encodes v behind other bytes, decodes it, and spoils the encoding
// to see whether the result hangs on to it.
func roundTrip[T any](t testing.TB, v T) T {
	t.Helper()
	c := mustFor[T](t)
	enc, err := c.Append([]byte("head"), &v)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.HasPrefix(enc, []byte("head")) {
		t.Fatalf("Append lost what was there: %q", enc)
	}
	enc = enc[4:]
	if size, ok := c.Fixed(); ok && len(enc) != size {
		t.Fatalf("%d bytes, Fixed says %d", len(enc), size)
	}
	var got T
	if err := c.Decode(enc, &got); err != nil {
		t.Fatal(err)
	}
	for i := range enc {
		enc[i] ^= 0xff
	}
	return got
}

// same checks that v arrives as it was.
func same[T any](t *testing.T, v T) {
	t.Helper()
	if got := roundTrip(t, v); !reflect.DeepEqual(got, v) {
		t.Errorf("%T: sent %#v, got %#v", v, v, got)
	}
}

func TestRoundTrip(t *testing.T) {
	same(t, true)
	same(t, -7)
	same(t, uint8(200))
	same(t, math.Inf(-1))
	same(t, complex(1, -2))
	same(t, celsius(36.6))
	same(t, [3]uint16{1, 2, 3})
	same(t, struct{}{})
	same(t, [0]int{})
	same(t, point{-1, 2.5})
	same(t, sparse{A: true, B: -1, C: [3]struct{ On, Off bool }{{true, false}, {false, true}}, D: 9, last: 77})
	same(t, "")
	same(t, "h\xffé")
	same(t, name("x"))
	same(t, []byte{})
	same(t, []byte{1, 2, 3})
	same(t, blob("abc"))
	same(t, handle{name: "q"}.name)

	same(t, (*int)(nil))
	same(t, ptr(5))
	same(t, []string(nil))
	same(t, []string{})
	same(t, []string{"", "\xff\xfe", "b"})
	same(t, map[string]int(nil))
	same(t, map[string]int{})
	same(t, map[point]string{{1, 2}: "a", {3, 4}: "b"})
	same(t, map[netip.Addr]int{netip.MustParseAddr("::1"): 1})
	same(t, []float32{1.5, float32(math.Inf(1)), -0.1})
	same(t, [][]byte{nil, {}, {1}})
	same(t, []point{{1, 2}, {3, 4}})
	same(t, derived{base{7}, "n"})
	same(t, row{Key: "k", Vals: []float64{1, 2}})
	same(t, node{"a", &node{"b", nil}})
	same(t, tree{"a": {"b": nil, "c": {}}})
	same(t, []uint64{0, math.MaxUint64})
	same(t, []int64{math.MinInt64, math.MaxInt64})
	same(t, *must(url.Parse("https://a.b/c?d#e")))
	same(t, []*big.Rat{big.NewRat(2, 3), nil})
	same(t, job{})
	same(t, job{
		ID: 1, Args: []string{"a"}, Env: map[string]string{"K": "V"}, Raw: []byte{}, Sum: [4]byte{1, 2},
		When: time.Date(2024, 2, 29, 1, 2, 3, 999_999_999, time.UTC), At: &point{1, 2},
		Addr: netip.MustParseAddr("10.0.0.1"), Total: new(big.Int).Lsh(big.NewInt(1), 100), Any: "text", IP: net.ParseIP("::1"),
	})
}

func ptr[T any](v T) *T { return &v }

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func TestLeftOutOnRequest(t *testing.T) {
	if got := roundTrip(t, job{ID: 1, private: 2}); got.ID != 1 || got.private != 0 {
		t.Errorf("got %+v", got)
	}
}

func TestNilBytesArriveEmpty(t *testing.T) {
	if got := roundTrip[[]byte](t, nil); got == nil || len(got) != 0 {
		t.Errorf("got %#v", got)
	}
}

func TestHandles(t *testing.T) {
	if got := roundTrip(t, handle{name: "top"}); got.name != "top" || got.open == nil {
		t.Errorf("handle: %+v", got)
	}
	got := roundTrip(t, withHandle{Q: &handle{name: "q"}, V: handle{name: "v"}, M: map[string]*handle{"m": {name: "m"}, "nil": nil}})
	if got.Q.name != "q" || got.Q.open == nil || got.None != nil || got.V.name != "v" || got.M["m"].name != "m" || got.M["nil"] != nil {
		t.Errorf("struct of handles: %+v", got)
	}
	if got := roundTrip(t, &handle{name: "p"}); got.name != "p" {
		t.Errorf("pointer to a handle: %+v", got)
	}
	if got := roundTrip[*handle](t, nil); got != nil {
		t.Errorf("nil handle: %+v", got)
	}
}

func TestTimes(t *testing.T) {
	zone := time.FixedZone("LMT", 53*60+28)
	for _, in := range []time.Time{{}, time.Now(), time.Unix(0, 1), time.Date(1850, 1, 1, 0, 0, 0, 5, zone)} {
		if got := roundTrip(t, in); !got.Equal(in) {
			t.Errorf("time: sent %v, got %v", in, got)
		}
		if got := roundTrip(t, []time.Time{in}); !got[0].Equal(in) {
			t.Errorf("time in a slice: sent %v, got %v", in, got[0])
		}
	}
	far := []time.Time{time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC)}
	if _, err := mustFor[[]time.Time](t).Append(nil, &far); !errors.Is(err, codec.ErrEncode) {
		t.Errorf("year 10000: error %v", err)
	}
}

func TestInterfaces(t *testing.T) {
	when := time.Date(2024, 1, 1, 0, 0, 0, 1, time.UTC)
	tests := []struct{ in, want any }{
		{nil, nil}, {true, true}, {7, int64(7)}, {int8(-1), int64(-1)}, {uint64(5), int64(5)},
		{uint64(math.MaxUint64), *new(big.Int).SetUint64(math.MaxUint64)},
		{float32(1.5), 1.5}, {"s", "s"}, {[]byte{1}, []byte{1}}, {when, when},
		{[]int{1}, []any{int64(1)}}, {map[string]int{"a": 1}, map[any]any{"a": int64(1)}},
		{point{1, 2}, map[any]any{"X": int64(1), "Y": 2.0}}, {ptr(3), int64(3)},
	}
	for _, tt := range tests {
		if got := roundTrip(t, tt.in); !reflect.DeepEqual(got, tt.want) {
			t.Errorf("sent %#v, got %#v, want %#v", tt.in, got, tt.want)
		}
	}
	for _, bad := range []any{make(chan int), func() {}, complex(1, 1), struct{ x *int }{}, []any{map[string]any{"f": uintptr(1)}}} {
		_, err := mustFor[any](t).Append(nil, &bad)
		if !errors.Is(err, codec.ErrEncode) || !errors.Is(err, codec.ErrUnsupportedType) {
			t.Errorf("%T: error %v", bad, err)
		}
	}
}

func TestNaNKeepsItsBits(t *testing.T) {
	bits := uint64(0x7ff8_0000_dead_beef)
	in := math.Float64frombits(bits)
	if got := math.Float64bits(roundTrip(t, in)); got != bits {
		t.Errorf("plain: %#x", got)
	}
	if got := math.Float64bits(roundTrip(t, []float64{in})[0]); got != bits {
		t.Errorf("CBOR: %#x", got)
	}
}

// Padding and blank fields must not carry what the memory held before.
func TestPaddingIsZero(t *testing.T) {
	type padded struct {
		A bool
		B int64
		_ uint32
		C [2]struct {
			D uint8
			E uint16
		}
	}
	v := padded{A: true, B: 1}
	raw := unsafe.Slice((*byte)(unsafe.Pointer(&v)), unsafe.Sizeof(v))
	for i := range raw {
		raw[i] = 0xaa
	}
	v.A, v.B = true, 1
	for i := range v.C {
		v.C[i].D, v.C[i].E = 2, 3
	}
	want := make([]byte, len(raw))
	copy(want[unsafe.Offsetof(v.A):], []byte{1})
	copy(want[unsafe.Offsetof(v.B):], []byte{1})
	for i := range v.C {
		o := unsafe.Offsetof(v.C) + uintptr(i)*unsafe.Sizeof(v.C[0])
		want[o], want[o+unsafe.Offsetof(v.C[0].E)] = 2, 3
	}
	got, err := mustFor[padded](t).Append(nil, &v)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("got %x, %v\nwant %x", got, err, want)
	}
}

func TestAppendInPlace(t *testing.T) {
	backing := make([]byte, 1000)
	check := func(what string, out []byte, err error) {
		t.Helper()
		if err != nil || len(out) < 11 || &out[0] != &backing[0] {
			t.Errorf("%s: %d bytes, error %v, or not in place", what, len(out), err)
		}
	}
	dst := backing[:10]
	out, err := mustFor[point](t).Append(dst, &point{})
	check("plain", out, err)
	out, err = mustFor[name](t).Append(dst, ptr(name("abc")))
	check("string", out, err)
	out, err = mustFor[[]string](t).Append(dst, &[]string{"abc"})
	check("CBOR", out, err)
	out, err = mustFor[handle](t).Append(dst, &handle{name: "abc"})
	check("binary", out, err)
}

func TestDecodeDoesNotMerge(t *testing.T) {
	c := mustFor[map[string]int](t)
	enc := must(c.Append(nil, &map[string]int{"new": 1}))
	old := map[string]int{"old": 1}
	v := old
	if err := c.Decode(enc, &v); err != nil {
		t.Fatal(err)
	}
	if _, ok := v["old"]; ok || len(old) != 1 {
		t.Errorf("decoded into the old map: %v, %v", v, old)
	}
}

func TestForIsCached(t *testing.T) {
	first, second := mustFor[job](t), mustFor[job](t)
	if first != second {
		t.Error("two codecs for one type")
	}
}

type (
	stringer struct{ S interface{ String() string } }
	hidden   struct {
		Name string
		//lint:ignore U1000 it would be lost, which is the point
		n int
	}
	twice struct {
		base
		ID string `cbor:"ID"`
	}
	embedsPointer struct {
		*base
		Name string
	}
	embedsTwo struct { // neither's methods are promoted
		url.URL
		//lint:ignore U1000 its methods cancel those of URL, which is the point
		handle
	}
	onlyMarshals struct{ P *int }
	onlyAppends  struct{ P *int }
	selfPointer  *selfPointer
	deepChan     struct {
		A map[string][]struct{ C chan int }
	}
	mixedComplex   struct{ Z []complex128 }
	EmbedsItself   struct{ *EmbedsItself }
	withUintptr    struct{ Addr uintptr }
	withPlainOwn   struct{ K keyID }
	keyID          [2]byte
	onlyUnmarshals struct{ P *int }
)

func (onlyMarshals) MarshalText() ([]byte, error)         { return nil, nil }
func (onlyAppends) AppendBinary(b []byte) ([]byte, error) { return b, nil }
func (*onlyAppends) UnmarshalBinary([]byte) error         { return nil }
func (k keyID) MarshalBinary() ([]byte, error)            { return []byte{k[1], k[0], 0}, nil }
func (k *keyID) UnmarshalBinary(b []byte) error           { k[0], k[1] = b[1], b[0]; return nil }
func (onlyUnmarshals) UnmarshalBinary([]byte) error       { return nil }

func unsupported[T any](t *testing.T, path string) {
	t.Helper()
	c, err := codec.For[T]()
	if c != nil || !errors.Is(err, codec.ErrUnsupportedType) || !strings.Contains(err.Error(), path) {
		t.Errorf("For[%v]: %v, want ErrUnsupportedType that names %q", reflect.TypeFor[T](), err, path)
	}
}

func TestUnsupportedTypes(t *testing.T) {
	unsupported[chan int](t, "chan int")
	unsupported[func()](t, "func()")
	unsupported[uintptr](t, "uintptr")
	unsupported[unsafe.Pointer](t, "unsafe.Pointer")
	unsupported[error](t, "error")
	unsupported[stringer](t, "stringer.S")
	unsupported[hidden](t, "hidden.n")
	unsupported[twice](t, `twice.ID`)
	unsupported[embedsPointer](t, "embedsPointer.base")
	unsupported[embedsTwo](t, "embedsTwo.URL")
	unsupported[onlyMarshals](t, "MarshalText but no UnmarshalText")
	unsupported[[]onlyAppends](t, "AppendBinary but no MarshalBinary")
	unsupported[[]onlyUnmarshals](t, "UnmarshalBinary but no MarshalBinary")
	unsupported[selfPointer](t, "pointer to itself")
	unsupported[deepChan](t, "deepChan.A[][].C")
	unsupported[mixedComplex](t, "mixedComplex.Z[]")
	unsupported[EmbedsItself](t, "EmbedsItself.EmbedsItself")
	unsupported[withUintptr](t, "withUintptr.Addr")
	unsupported[map[string]func()](t, "func()")
}

// A part that encodes itself is asked even where all the memory is plain.
func TestPlainPartWithOwnEncoding(t *testing.T) {
	if _, ok := mustFor[withPlainOwn](t).Fixed(); ok {
		t.Error("copied as plain memory")
	}
	same(t, withPlainOwn{keyID{1, 2}})
}

type cyclic struct {
	Up       *cyclic `cbor:"-"`
	Next     *cyclic
	Children []*cyclic
	Any      any
}

func TestCycles(t *testing.T) {
	c := mustFor[cyclic](t)
	self := cyclic{}
	self.Next = &self
	list := cyclic{Children: []*cyclic{{}}}
	list.Children[0].Children = list.Children
	m := map[string]any{}
	m["m"] = m
	var x any
	x = &x
	for i, v := range []cyclic{self, list, {Any: m}, {Any: x}} {
		out, err := c.Append([]byte("kept"), &v)
		if !errors.Is(err, codec.ErrEncode) || string(out) != "kept" {
			t.Errorf("value %d: %q, %v", i, out, err)
		}
	}
	// What is not sent may refer back.
	leaf := &cyclic{}
	leaf.Up = leaf
	if _, err := c.Append(nil, leaf); err != nil {
		t.Error(err)
	}
}

func TestLongList(t *testing.T) {
	var list *node
	for range 900 {
		list = &node{"n", list}
	}
	same(t, list)
	for range 200 {
		list = &node{"n", list}
	}
	if _, err := mustFor[*node](t).Append(nil, &list); !errors.Is(err, codec.ErrEncode) {
		t.Errorf("a list of 1100: %v", err)
	}
}

// The CBOR library's own limits are lower than a queue's records.
func TestManyElements(t *testing.T) {
	same(t, make([]*bool, 200_000))
	m := map[int32]bool{}
	for i := range int32(140_000) {
		m[i] = true
	}
	same(t, m)
}

type rude struct{ How string }

var errRude = errors.New("rude")

func (r *rude) AppendBinary(b []byte) ([]byte, error) {
	switch r.How {
	case "panic":
		panic("I do not like this")
	case "error":
		return b, errRude
	case "short":
		return nil, nil
	}
	return append(b, r.How...), nil
}

func (r *rude) UnmarshalBinary(b []byte) error {
	switch string(b) {
	case "decode error":
		return errRude
	case "decode panic":
		_ = b[len(b)]
	}
	r.How = unsafe.String(&b[0], len(b)) // keeps b, which the interface forbids
	return nil
}

func TestRudeMethods(t *testing.T) {
	c := mustFor[rude](t)
	for _, how := range []string{"panic", "error", "short"} {
		out, err := c.Append([]byte("kept"), &rude{how})
		if string(out) != "kept" || !errors.Is(err, codec.ErrEncode) {
			t.Errorf("%s: %q, %v", how, out, err)
		}
		if how == "error" && !errors.Is(err, errRude) {
			t.Errorf("the method's error is lost: %v", err)
		}
	}
	for _, how := range []string{"decode error", "decode panic"} {
		v := rude{"old"}
		if err := c.Decode([]byte(how), &v); !errors.Is(err, codec.ErrDecode) || v.How != "old" {
			t.Errorf("%s: %v, value %q", how, err, v)
		}
	}
	same(t, rude{"kept"})
}

func TestDecodeErrors(t *testing.T) {
	bad := func(what string, err error) {
		t.Helper()
		if !errors.Is(err, codec.ErrDecode) {
			t.Errorf("%s: %v, want ErrDecode", what, err)
		}
	}
	var p point
	bad("short plain", mustFor[point](t).Decode(make([]byte, 15), &p))
	bad("long plain", mustFor[point](t).Decode(make([]byte, 17), &p))
	var b bool
	bad("bool of 2", mustFor[bool](t).Decode([]byte{2}, &b))
	var s sparse
	raw := make([]byte, unsafe.Sizeof(s))
	raw[unsafe.Offsetof(s.C)+5] = 0x80
	bad("bool in an array of structs", mustFor[sparse](t).Decode(raw, &s))
	if s != (sparse{}) {
		t.Errorf("left over: %+v", s)
	}
	var j job
	err := mustFor[job](t).Decode(nil, &j)
	bad("nothing", err)
	if errors.Is(err, io.EOF) {
		t.Error("no bytes are io.EOF, which would end the caller's loop")
	}
	bad("not CBOR", mustFor[job](t).Decode([]byte{0xff}, &j))
	bad("unknown field", mustFor[job](t).Decode([]byte("\xa1\x61Z\x01"), &j))
	bad("field in other letters", mustFor[job](t).Decode([]byte("\xa1\x62id\x01"), &j))
	bad("field twice", mustFor[job](t).Decode([]byte("\xa2\x62ID\x01\x62ID\x01"), &j))
	bad("type", mustFor[job](t).Decode([]byte("\xa1\x62ID\x61x"), &j))
	bad("trailing", mustFor[job](t).Decode([]byte("\xa0\x00"), &j))
	bad("indefinite", mustFor[job](t).Decode([]byte("\xbf\xff"), &j))
	var a any
	bad("deep", mustFor[any](t).Decode(append(bytes.Repeat([]byte{0x81}, 2000), 0), &a))
	bad("unhashable key", mustFor[any](t).Decode([]byte("\xa1\x80\x00"), &a))
	var ss []string
	bad("huge array", mustFor[[]string](t).Decode([]byte("\x9a\x7f\xff\xff\xff\x00"), &ss))
	bad("huge map", mustFor[any](t).Decode([]byte("\xba\x7f\xff\xff\xff\x00"), &a))
	bad("huge string", mustFor[[]string](t).Decode([]byte("\x81\x7b\x7f\xff\xff\xff\xff\xff\xff\xff"), &ss))
}
