package codec_test

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

func bench[T any](b *testing.B, name string, v T) {
	c := mustFor[T](b)
	enc, err := c.Append(nil, &v)
	if err != nil {
		b.Fatal(err)
	}
	b.Run(name+"/append", func(b *testing.B) {
		b.ReportAllocs()
		b.SetBytes(int64(len(enc)))
		buf := make([]byte, 0, len(enc))
		for range b.N {
			if _, err := c.Append(buf, &v); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run(name+"/decode", func(b *testing.B) {
		b.ReportAllocs()
		b.SetBytes(int64(len(enc)))
		for range b.N {
			var v T
			if err := c.Decode(enc, &v); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkCodec(b *testing.B) {
	bench(b, "int", 7)
	bench(b, "point", point{1, 2})
	bench(b, "padded", sparse{A: true})
	bench(b, "plain-4KiB", [512]float64{})
	bench(b, "string-64", strings.Repeat("x", 64))
	bench(b, "bytes-4KiB", bytes.Repeat([]byte("x"), 4096))
	bench(b, "handle", handle{name: "queue"})
	bench(b, "time", time.Unix(1, 2))
	bench(b, "struct", Task{ID: 1, Path: "/usr/share/dict/words", Tags: []string{"a", "b"}})
	bench(b, "map", map[string]int{"a": 1, "b": 2, "c": 3, "d": 4})
	bench(b, "list-100", longList(100))
}

func longList(n int) *node {
	var l *node
	for range n {
		l = &node{"n", l}
	}
	return l
}
