package codec_test

import (
	"testing"

	"github.com/shmkit/shmkit/codec"
)

func TestFlat(t *testing.T) {
	type padded struct {
		A uint8
		B uint32
	}
	flat[int](t, true)
	flat[[3]float64](t, true)
	flat[struct{ A, B uint32 }](t, true)
	flat[struct{}](t, true)
	flat[padded](t, false)
	flat[bool](t, false)
	flat[[2]struct{ B bool }](t, false)
	flat[struct {
		A uint32
		_ uint32
	}](t, false)
	flat[string](t, false)
	flat[[]int](t, false)
}

func flat[T any](t *testing.T, want bool) {
	t.Helper()
	c, err := codec.For[T]()
	if err != nil {
		t.Fatal(err)
	}
	if got := c.Flat(); got != want {
		t.Errorf("%s: flat %v", c.Type(), got)
	}
}

func TestSize(t *testing.T) {
	size(t, int32(1), 4, true)
	size(t, "abc", 3, true)
	size(t, []byte{}, 0, true)
	size(t, struct{}{}, 0, true)
	size(t, []string{"a"}, 0, false)
	size(t, map[string]int{}, 0, false)
}

func size[T any](t *testing.T, v T, want int, wantOK bool) {
	t.Helper()
	c, err := codec.For[T]()
	if err != nil {
		t.Fatal(err)
	}
	n, ok := c.Size(&v)
	if n != want || ok != wantOK {
		t.Errorf("%s: size %d, %v", c.Type(), n, ok)
	}
	if b, err := c.Append(nil, &v); ok && (err != nil || len(b) != n) {
		t.Errorf("%s: %d bytes, %v, of size %d", c.Type(), len(b), err, n)
	}
}
