//go:build faultpoints

package arena

import (
	"hash/maphash"
	"slices"
)

var privateSeed = maphash.MakeSeed()

// Private returns a hash of what this handle remembers in memory of its own, for the
// explorer.
func (a *Arena) Private() uint64 {
	var h maphash.Hash
	h.SetSeed(privateSeed)
	for i := range a.classes {
		c := &a.classes[i]
		if len(c.free) == 0 && c.pages.len() == 0 && c.limbo.n == 0 {
			continue
		}
		maphash.WriteComparable(&h, i)
		for _, b := range c.free {
			maphash.WriteComparable(&h, b.ref)
		}
		for _, p := range slices.SortedFunc(c.pages.all(), func(p, q *page) int { return p.chunk - q.chunk }) {
			maphash.WriteComparable(&h, [3]int{p.chunk, p.nknown, p.inflight})
		}
		maphash.WriteComparable(&h, [2]int{c.cursor, c.limbo.n})
	}
	return h.Sum64()
}
