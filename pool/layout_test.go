package pool_test

import (
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/shmkit/shmkit/pool"
	"github.com/shmkit/shmkit/shm"
)

// TestLayout pins the places that FORMAT.md and other programs rely on.
func TestLayout(t *testing.T) {
	for _, tt := range []struct {
		typ    reflect.Type
		size   uintptr
		fields map[string]uintptr
	}{
		{reflect.TypeFor[pool.Header](), 384, map[string]uintptr{
			"workers": 0, "functions": 8, "tasks": 16, "scratch": 24, "submitted": 128,
			"done": 256, "failed": 264, "retried": 272, "restarts": 280}},
		{reflect.TypeFor[pool.WorkerLine](), 128, map[string]uintptr{
			"id": 0, "pid": 8, "state": 16, "task": 24, "since": 32, "ended": 40, "started": 48, "progress": 56, "flushed": 64}},
		{reflect.TypeFor[pool.TaskEntry](), 64, map[string]uintptr{
			"word": 0, "queued": 8, "begun": 16, "content": 24}},
	} {
		if tt.typ.Size() != tt.size {
			t.Errorf("%v: %d bytes, want %d", tt.typ, tt.typ.Size(), tt.size)
		}
		for i := range tt.typ.NumField() {
			f := tt.typ.Field(i)
			if want, ok := tt.fields[f.Name]; f.Name != "_" && (!ok || f.Offset != want) {
				t.Errorf("%v.%s at %d, want %d", tt.typ, f.Name, f.Offset, want)
			}
		}
	}
}

func TestTaskWord(t *testing.T) {
	for range 1000 {
		g, w, a, s := rand.Uint32N(1<<28), rand.Uint32N(1<<24), rand.IntN(1<<10), rand.Uint64N(3)
		g2, w2, a2, s2 := pool.SplitTaskWord(pool.MakeTaskWord(g, w, a, s))
		if g != g2 || w != w2 || a != a2 || s != s2 {
			t.Fatalf("%d %d %d %d came back as %d %d %d %d", g, w, a, s, g2, w2, a2, s2)
		}
	}
	if _, _, a, _ := pool.SplitTaskWord(pool.MakeTaskWord(1, 1, 5000, 1)); a != 1023 {
		t.Errorf("attempt 5000 became %d", a)
	}
}

// TestHostileTable reads tables of nonsense.
func TestHostileTable(t *testing.T) {
	fresh := func() []byte { return pool.NewTestTable(t, 2, 3, 16, 4096) }
	if _, err := pool.ReadBody(fresh()); err != nil {
		t.Fatal(err)
	}
	for n := range 4 { // the geometry's words
		for _, v := range []uint64{0, 1 << 20, 1 << 40, 1<<63 - 1, 1<<64 - 1} {
			b := fresh()
			binary.LittleEndian.PutUint64(b[8*n:], v)
			if r, err := pool.ReadBody(b); err == nil && (v != 0 || n != 1) {
				t.Errorf("word %d is %d: %+v", n, v, r)
			} else if err != nil && !errors.Is(err, shm.ErrCorrupt) {
				t.Errorf("word %d is %d: %v", n, v, err)
			}
		}
	}
	for size := range 4096 {
		if _, err := pool.ReadBody(fresh()[:size]); !errors.Is(err, shm.ErrCorrupt) {
			t.Fatalf("cut to %d bytes: %v", size, err)
		}
	}
	for range 200 {
		b := fresh()
		for i := range b[32:] {
			b[32+i] = byte(rand.Uint32())
		}
		if _, err := pool.ReadBody(b); err != nil { // must not panic; all of it are just figures
			t.Fatal(err)
		}
	}
}

// FuzzResult has the collector read any bytes as a result: whatever they are,
// each item of the job gets at most one outcome, and the job ends or goes on.
func FuzzResult(f *testing.F) {
	record := func(first, items uint32, body ...byte) []byte {
		b := make([]byte, 24)
		binary.LittleEndian.PutUint32(b[16:], first)
		binary.LittleEndian.PutUint32(b[20:], items)
		return append(b, body...)
	}
	f.Add(record(0, 1, 2, 0, 0, 0, 'o', 'k'), 1)
	f.Add(record(0, 2, 0, 0, 0, 0, 5, 0, 0, 2, 1, 0, 0, 0, 'x'), 3)
	f.Add(record(1, 1, 0, 0, 0, 0), 2)
	f.Add(record(0, 1<<31, 0, 0, 0, 0), 2)
	f.Add(record(0, 1, 0xff, 0xff, 0xff, 0), 1)
	f.Add([]byte{1, 2, 3}, 1)
	f.Fuzz(func(t *testing.T, b []byte, n int) {
		if n < 1 || n > 100 {
			return
		}
		ended, outcomes := pool.ReadResult(b, n)
		if ended != len(outcomes) || ended > n {
			t.Errorf("%d of %d items ended, with %d outcomes", ended, n, len(outcomes))
		}
	})
}
