package mem_test

import (
	"errors"
	"math"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/shmkit/shmkit/internal/mem"
)

func TestSliceBounds(t *testing.T) {
	words := make([]uint64, 8)
	b, err := mem.Slice[byte](mem.BytesOf((*[8]uint64)(words)), 0, 64)
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		off, n int
		ok     bool
	}{
		{0, 8, true}, {56, 1, true}, {64, 0, true}, {0, 0, true},
		{0, 9, false}, {64, 1, false}, {65, 0, false}, {-8, 1, false},
		{8, -1, false}, {4, 1, false}, {57, 1, false},
		{8, math.MaxInt, false}, {math.MaxInt, 1, false}, {math.MinInt, 1, false},
	}
	for _, tt := range tests {
		v, err := mem.Slice[atomic.Uint64](b, tt.off, tt.n)
		if (err == nil) != tt.ok {
			t.Errorf("Slice(off %d, n %d): error %v, want ok %v", tt.off, tt.n, err, tt.ok)
		}
		if err != nil && !errors.Is(err, mem.ErrBounds) {
			t.Errorf("Slice(off %d, n %d): %v is not ErrBounds", tt.off, tt.n, err)
		}
		if err == nil && len(v) != tt.n {
			t.Errorf("Slice(off %d, n %d): length %d", tt.off, tt.n, len(v))
		}
	}
}

func TestAtSharesMemory(t *testing.T) {
	var words [2]uint64
	b := mem.BytesOf(&words)
	w, err := mem.At[atomic.Uint64](b, 8)
	if err != nil {
		t.Fatal(err)
	}
	mem.StoreRelease(w, 0x0102030405060708)
	if words[1] != 0x0102030405060708 || words[0] != 0 {
		t.Fatalf("stored through the view: %#x", words)
	}
	if _, err := mem.At[atomic.Uint64](b, 9); !errors.Is(err, mem.ErrBounds) {
		t.Fatalf("misaligned view: %v", err)
	}
}

func TestSliceOfEmptyType(t *testing.T) {
	v, err := mem.Slice[struct{}]([]byte{1}, 1, 3)
	if err != nil || len(v) != 3 {
		t.Fatalf("got %v, %v", v, err)
	}
}

func TestBytesOfSlice(t *testing.T) {
	s := []uint16{1, 2, 3}
	b := mem.BytesOfSlice(s)
	if len(b) != 6 {
		t.Fatalf("%d bytes", len(b))
	}
	b[2]++
	if s[1] == 2 {
		t.Fatal("the bytes are not the slice's memory")
	}
	if b := mem.BytesOfSlice([]struct{}{{}, {}}); len(b) != 0 {
		t.Fatalf("%d bytes of an empty type", len(b))
	}
	if b := mem.BytesOfSlice[int](nil); len(b) != 0 {
		t.Fatalf("%d bytes of nil", len(b))
	}
}

func TestPutGet(t *testing.T) {
	type pair struct {
		A uint32
		B [3]byte
	}
	var words [2]uint64
	b := mem.BytesOf(&words)
	want := pair{7, [3]byte{1, 2, 3}}
	mem.Put(b[8:], &want)
	var got pair
	mem.Get(b[8:], &got)
	if got != want || words[0] != 0 {
		t.Fatalf("got %v of %x", got, words)
	}
	mem.Put(b[16:], &struct{}{})
	defer func() {
		if recover() == nil {
			t.Fatal("Put behind the end did not panic")
		}
	}()
	mem.Put(b[9:], &want)
}

func BenchmarkStoreRelease(b *testing.B) {
	var w atomic.Uint64
	b.Run("release", func(b *testing.B) {
		for i := range b.N {
			mem.StoreRelease(&w, uint64(i))
		}
	})
	b.Run("atomic", func(b *testing.B) {
		for i := range b.N {
			w.Store(uint64(i))
		}
	})
	b.Run("pause", func(b *testing.B) {
		for range b.N {
			mem.Pause()
		}
	})
}

func TestUncheckedViews(t *testing.T) {
	b := mem.BytesOf(new([32]uint64))
	for i := range b {
		b[i] = byte(i)
	}
	words, err := mem.Slice[atomic.Uint64](b, 0, 32)
	if err != nil {
		t.Fatal(err)
	}
	if e := mem.Eight(words, 8); &e[0] != &words[8] || &e[7] != &words[15] {
		t.Error("Eight is elsewhere")
	}
	if p := mem.Part(b, 100, 9); len(p) != 9 || cap(p) != 9 || &p[0] != &b[100] {
		t.Errorf("Part: %d bytes from %d", len(p), p[0])
	}
	for n := range 70 { // each length: equal, and different in one byte
		key := slices.Clone(b[30 : 30+n])
		if !mem.EqualAt(b, 30, key) {
			t.Errorf("%d bytes: not equal", n)
		}
		for i := range key {
			key[i]++
			if mem.EqualAt(b, 30, key) {
				t.Errorf("%d bytes, different at %d: equal", n, i)
			}
			key[i]--
		}
	}
}
