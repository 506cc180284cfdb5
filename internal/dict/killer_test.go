//go:build faultpoints

package dict_test

import (
	"maps"
	"slices"
	"testing"

	"github.com/shmkit/shmkit/internal/fault/faulttest"
)

// telling picks the deaths that are tried: of a step that comes again and again, as the
// copying of slots does, the first ones and some of the rest.
type telling map[string]int

func (seen telling) skip(step string, k int) bool {
	seen[step]++
	return seen[step] > 3 && k%97 != 0
}

// pointsOf returns the names of the crash points of a package.
func pointsOf(t *testing.T, dir, prefix string) []string {
	t.Helper()
	found, err := faulttest.Steps(dir, prefix)
	if err != nil || len(found) == 0 {
		t.Fatal(len(found), err)
	}
	return slices.Sorted(maps.Keys(found))
}
