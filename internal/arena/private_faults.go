//go:build faultpoints

package arena

import (
	"hash/maphash"
	"maps"
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
		if len(c.free) == 0 && len(c.pages) == 0 && c.limbo.n == 0 {
			continue
		}
		maphash.WriteComparable(&h, i)
		for _, b := range c.free {
			maphash.WriteComparable(&h, b.ref)
		}
		for _, chunk := range slices.Sorted(maps.Keys(c.pages)) {
			maphash.WriteComparable(&h, [3]int{chunk, c.pages[chunk].nknown, c.pages[chunk].inflight})
		}
		maphash.WriteComparable(&h, [2]int{c.cursor, c.limbo.n})
	}
	return h.Sum64()
}
