//go:build unix

package process_test

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/shmkit/shmkit/process"
)

func TestHello(t *testing.T) {
	b := process.Hello("name", []byte("arguments"))
	args, err := process.ParseHello(b)
	if err != nil || string(args) != "arguments" {
		t.Fatalf("got %q, %v", args, err)
	}
	head := len(b) - len("arguments")
	for n := range head {
		if _, err := process.ParseHello(b[:n]); !errors.Is(err, process.ErrWire) {
			t.Errorf("first %d bytes of %d: error %v", n, head, err)
		}
	}
}

func FuzzHello(f *testing.F) {
	f.Add(process.Hello("name", []byte("arguments")))
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, err := process.ParseHello(b); err != nil && !errors.Is(err, process.ErrWire) {
			t.Error(err)
		}
	})
}

func TestFrame(t *testing.T) {
	var wire bytes.Buffer
	process.WriteFrame(&wire, 7, []byte("head "), []byte("tail"))
	process.WriteFrame(&wire, 8, nil, nil)
	good := bytes.Clone(wire.Bytes())
	if kind, b, err := process.ReadFrame(&wire, 9); kind != 7 || string(b) != "head tail" || err != nil {
		t.Fatalf("got %d %q %v", kind, b, err)
	}
	if kind, b, err := process.ReadFrame(&wire, 0); kind != 8 || len(b) > 0 || err != nil {
		t.Fatalf("got %d %q %v", kind, b, err)
	}
	if _, _, err := process.ReadFrame(&wire, 0); err != io.EOF {
		t.Fatalf("at the end: %v", err)
	}

	damaged := func(at int, v byte) io.Reader {
		b := bytes.Clone(good)
		b[at] = v
		return bytes.NewReader(b)
	}
	for name, tt := range map[string]struct {
		r    io.Reader
		want error
	}{
		"magic":   {damaged(1, 'S'), process.ErrWire},
		"version": {damaged(4, 99), process.ErrMismatch},
		"length":  {damaged(15, 0x7f), process.ErrWire},
		"cut":     {bytes.NewReader(good[:20]), process.ErrWire},
	} {
		if _, _, err := process.ReadFrame(tt.r, 100); !errors.Is(err, tt.want) {
			t.Errorf("%s: error %v, want %v", name, err, tt.want)
		}
	}
}
