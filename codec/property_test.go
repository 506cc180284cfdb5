package codec_test

import (
	"bytes"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/shmkit/shmkit/codec"
)

type mixed struct {
	B    bool
	I    int16
	U    uint64
	F    float32
	S    string
	Raw  []byte
	Ints []int
	M    map[string]point
	K    map[[2]int8]*string
	P    *mixed2
	A    [3]string
	D    time.Duration
}

type mixed2 struct {
	Names []name
	Deep  [][]map[int][]bool
	derived
}

type plainMix struct {
	A bool
	B int64
	C [2]struct {
		D uint8
		E int16
		F bool
	}
	G float32
	H uint16
}

// holds checks for random values of T that they arrive equal, and that equal
// values have equal bytes.
func holds[T any](t *testing.T) {
	t.Run(fmt.Sprint(reflect.TypeFor[T]()), func(t *testing.T) {
		c := mustFor[T](t)
		gen := rapid.Make[T]()
		rapid.Check(t, func(t *rapid.T) {
			v := gen.Draw(t, "v")
			enc, err := c.Append(nil, &v)
			if err != nil {
				t.Fatal(err)
			}
			var got T
			if err := c.Decode(enc, &got); err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, v) {
				t.Fatalf("sent %#v, got %#v", v, got)
			}
			again, err := c.Append(nil, &got)
			if err != nil || !bytes.Equal(enc, again) {
				t.Fatalf("%#v: bytes %x, then %x (%v)", v, enc, again, err)
			}
		})
	})
}

func TestRoundTripProperty(t *testing.T) {
	holds[bool](t)
	holds[int](t)
	holds[uint8](t)
	holds[float64](t)
	holds[string](t)
	holds[name](t)
	holds[[]byte](t)
	holds[[5]int16](t)
	holds[point](t)
	holds[plainMix](t)
	holds[[]string](t)
	holds[[]float32](t)
	holds[map[string]int](t)
	holds[map[point][]uint16](t)
	holds[*int](t)
	holds[mixed](t)
	holds[[]mixed2](t)
	holds[row](t)
}

// plainType draws a plain type and marks, with code that shares nothing with
// the code under test, which of its bytes are fields and which are bools.
func plainType(t *rapid.T, depth int) reflect.Type {
	leaves := []reflect.Type{
		reflect.TypeFor[bool](), reflect.TypeFor[int8](), reflect.TypeFor[uint16](), reflect.TypeFor[int32](),
		reflect.TypeFor[uint64](), reflect.TypeFor[float32](), reflect.TypeFor[complex128](), reflect.TypeFor[struct{}](),
	}
	kind := rapid.IntRange(0, 4).Draw(t, "kind")
	switch {
	case depth > 0 && kind == 0:
		return reflect.ArrayOf(rapid.IntRange(0, 3).Draw(t, "len"), plainType(t, depth-1))
	case depth > 0 && kind < 3:
		var fields []reflect.StructField
		for i := range rapid.IntRange(0, 5).Draw(t, "fields") {
			fields = append(fields, reflect.StructField{Name: fmt.Sprintf("F%d", i), Type: plainType(t, depth-1)})
		}
		return reflect.StructOf(fields)
	}
	return rapid.SampledFrom(leaves).Draw(t, "leaf")
}

// mark sets at each byte of a field in the memory of a t its kind.
func mark(t reflect.Type, at []reflect.Kind) {
	switch t.Kind() {
	case reflect.Array:
		for i := range t.Len() {
			mark(t.Elem(), at[i*int(t.Elem().Size()):])
		}
	case reflect.Struct:
		for i := range t.NumField() {
			mark(t.Field(i).Type, at[t.Field(i).Offset:])
		}
	default:
		for i := range int(t.Size()) {
			at[i] = t.Kind()
		}
	}
}

func TestLayoutProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		typ := plainType(t, 3)
		if !codec.IsPlain(typ) {
			t.Fatalf("%v is not plain", typ)
		}
		kinds := make([]reflect.Kind, typ.Size())
		mark(typ, kinds)
		gap, isBool := codec.LayoutOf(typ)
		var wantGap, wantBool []bool
		for _, k := range kinds {
			wantGap = append(wantGap, k == reflect.Invalid)
			wantBool = append(wantBool, k == reflect.Bool)
		}
		if !slices.Equal(gap, wantGap) || !slices.Equal(isBool, wantBool) {
			t.Fatalf("%v\ngaps  %v\nwant  %v\nbools %v\nwant  %v", typ, gap, wantGap, isBool, wantBool)
		}
	})
}
