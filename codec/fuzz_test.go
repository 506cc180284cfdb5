package codec_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/shmkit/shmkit/codec"
)

// decodes checks that b is refused with ErrDecode or decoded to a value that
// can be encoded again, and to the same bytes from then on.
func decodes[T any](t *testing.T, b []byte) {
	t.Helper()
	c := mustFor[T](t)
	kept := bytes.Clone(b)
	var v T
	err := c.Decode(b, &v)
	if !bytes.Equal(b, kept) {
		t.Fatalf("%s: Decode wrote to its input", c.Type())
	}
	if err != nil {
		if !errors.Is(err, codec.ErrDecode) {
			t.Fatalf("%s: %v is not ErrDecode", c.Type(), err)
		}
		return
	}
	enc, err := c.Append(nil, &v)
	if err != nil {
		// A decoder accepts things that an encoder would refuse, such as
		// years beyond 9999, and says so.
		if !errors.Is(err, codec.ErrEncode) {
			t.Fatalf("%s: %v is not ErrEncode", c.Type(), err)
		}
		return
	}
	var again T
	if err := c.Decode(enc, &again); err != nil {
		t.Fatalf("%s: %x decodes, its value's encoding %x does not: %v", c.Type(), b, enc, err)
	}
	enc2, err := c.Append(nil, &again)
	if err != nil || !bytes.Equal(enc, enc2) {
		t.Fatalf("%s: encoded %x, then %x (%v)", c.Type(), enc, enc2, err)
	}
}

func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		"", "\x00", "\x01", "\x02", "\xf6", "\xa0", "\x80", "\xff",
		"\x81\x81\x81\x00", "\xa1\x61a\xa1\x61b\xf6", "\xc0\x74" + "2024-02-29T00:00:00Z",
		"\xc2\x49\x01\x00\x00\x00\x00\x00\x00\x00\x00", "\xfb\x7f\xf0\x00\x00\x00\x00\x00\x00",
		"\xa2\x62ID\x01\x64Args\x82\x61a\x61b", "\xa1\x64Name\x61x", "\xa1\x61Q\x41q", "\xd9\xd9\xf7\xf6",
		"\x9a\x7f\xff\xff\xff", "\xbb\xff\xff\xff\xff\xff\xff\xff\xff",
	} {
		f.Add([]byte(seed))
	}
	f.Add(make([]byte, 16))
	v := job{ID: 1, Args: []string{"a"}, At: &point{1, 2}, Any: []any{1, "x", nil}}
	enc, err := mustFor[job](f).Append(nil, &v)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(enc)
	f.Fuzz(func(t *testing.T, b []byte) {
		decodes[bool](t, b)
		decodes[point](t, b)
		decodes[sparse](t, b)
		decodes[string](t, b)
		decodes[[]byte](t, b)
		decodes[handle](t, b)
		decodes[map[string]*handle](t, b)
		decodes[job](t, b)
		decodes[tree](t, b)
		decodes[*node](t, b)
		decodes[any](t, b)
		decodes[map[any]any](t, b)
		decodes[row](t, b)
		decodes[[][4]string](t, b)
	})
}
