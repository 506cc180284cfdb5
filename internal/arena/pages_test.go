package arena

import (
	"maps"
	"math/rand/v2"
	"testing"
)

// TestPageSet does random operations with a set of pages and a map.
func TestPageSet(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var s pageSet
	want := make(map[int]*page)
	for range 20000 {
		chunk := r.IntN(30)
		if s.get(chunk) != want[chunk] || s.len() != len(want) {
			t.Fatalf("chunk %d: %v, want %v, among %d, want %d", chunk, s.get(chunk), want[chunk], s.len(), len(want))
		}
		if want[chunk] != nil {
			s.remove(chunk)
			delete(want, chunk)
		} else {
			p := &page{chunk: chunk}
			s.add(p)
			want[chunk] = p
		}
		got := make(map[int]*page)
		for p := range s.all() {
			got[p.chunk] = p
		}
		if !maps.Equal(got, want) {
			t.Fatalf("%v, want %v", got, want)
		}
	}
}
