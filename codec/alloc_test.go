package codec_test

import (
	"errors"
	"runtime"
	"testing"

	"github.com/shmkit/shmkit/codec"
)

// noAllocs checks that a value on the stack goes through Append, and through
// Decode if decode says so, without an allocation.
func noAllocs[T any](t *testing.T, v T, decode bool) {
	t.Helper()
	c := mustFor[T](t)
	buf := make([]byte, 0, 4096)
	if n := testing.AllocsPerRun(100, func() {
		local := v // must stay on the stack
		var err error
		if buf, err = c.Append(buf[:0], &local); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("Append of %T: %v allocations", v, n)
	}
	if !decode {
		return
	}
	if n := testing.AllocsPerRun(100, func() {
		var local T
		if err := c.Decode(buf, &local); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("Decode of %T: %v allocations", v, n)
	}
}

func TestAllocations(t *testing.T) {
	noAllocs(t, 7, true)
	noAllocs(t, true, true)
	noAllocs(t, point{1, 2}, true)
	noAllocs(t, sparse{A: true}, true)
	noAllocs(t, [256]float64{}, true)
	noAllocs(t, struct{}{}, true)
	noAllocs(t, "a string", false)
	noAllocs(t, name("a string"), false)
	noAllocs(t, []byte("some bytes"), false)
	noAllocs(t, blob("some bytes"), false)

	if n := testing.AllocsPerRun(100, func() {
		if _, err := codec.For[point](); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("For of a known type: %v allocations", n)
	}
	c := mustFor[string](t)
	src := []byte("longer than the strings that the runtime keeps ready")
	if n := testing.AllocsPerRun(100, func() {
		var s string
		if err := c.Decode(src, &s); err != nil {
			t.Fatal(err)
		}
		keep = s
	}); n != 1 {
		t.Errorf("Decode of a string: %v allocations, want 1", n)
	}
}

var keep string

// A few bytes must not make the receiver allocate megabytes.
func TestShortInputAllocatesLittle(t *testing.T) {
	const limit = 1 << 20
	bombs := []string{
		"\x9b\x00\x00\x00\x00\x7f\xff\xff\xff", "\x9a\x7f\xff\xff\xff", "\xba\x7f\xff\xff\xff", // arrays, a map
		"\x5b\x00\x00\x00\x7f\xff\xff\xff\xff", "\x7b\x00\x00\x00\x7f\xff\xff\xff\xff", // strings
		"\x9b\xff\xff\xff\xff\xff\xff\xff\xff", "\xbb\xff\xff\xff\xff\xff\xff\xff\xff",
		"\xc2\x5b\x00\x00\x00\x00\x7f\xff\xff\xff", // a big integer
		"\x9f\x9f\x9f\x9f", "\x81\x9a\x7f\xff\xff\xff",
	}
	decoders := []func([]byte) error{
		decoder[[]int64](t), decoder[[][4096]byte](t), decoder[map[string][]string](t), decoder[any](t),
		decoder[job](t), decoder[tree](t), decoder[*[]map[int]string](t),
	}
	for _, bomb := range bombs {
		for i, decode := range decoders {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			err := decode([]byte(bomb))
			runtime.ReadMemStats(&after)
			if n := after.TotalAlloc - before.TotalAlloc; n > limit || !errors.Is(err, codec.ErrDecode) {
				t.Errorf("%x, decoder %d: %d bytes allocated, error %v", bomb, i, n, err)
			}
		}
	}
}

func decoder[T any](t testing.TB) func([]byte) error {
	c := mustFor[T](t)
	return func(b []byte) error {
		var v T
		return c.Decode(b, &v)
	}
}
