//go:build unix && faultpoints

package manager_test

import (
	"slices"
	"testing"

	"github.com/shmkit/shmkit/manager"
)

// listDeeds are those on lists of two chunks and more.
func listDeeds() []deed {
	const size = 256 // two full chunks
	before := make([]int, size)
	for i := range before {
		before[i] = size - i
	}
	of := func(name string, do func(l *manager.List[int]) error, change func(s []int) []int) deed {
		open := func(m *manager.Manager) (*manager.List[int], error) {
			l, err := manager.NewList[int](m, "x")
			if err == nil && l.Len() == 0 {
				err = l.Append(before...)
			}
			return l, err
		}
		after := change(slices.Clone(before))
		return objectDeed(name, open, do, func(t *testing.T, l *manager.List[int]) {
			got, err := l.Snapshot()
			if err != nil || !slices.Equal(got, before) && !slices.Equal(got, after) {
				t.Errorf("%v, %v", got, err)
			}
			must(t, l.Append(5))
			must(t, l.Insert(0, 6))
			if v, err := l.Pop(-1); v != 5 || err != nil {
				t.Error(v, err)
			}
			wantList(t, l, slices.Insert(got, 0, 6)...)
		})
	}
	return []deed{
		of("append", func(l *manager.List[int]) error { return l.Append(1) }, func(s []int) []int { return append(s, 1) }),
		of("pop the last", func(l *manager.List[int]) error { _, _, err := l.PopLast(); return err }, func(s []int) []int { return s[:size-1] }),
		of("pop the first", func(l *manager.List[int]) error { _, _, err := l.PopFirst(); return err }, func(s []int) []int { return s[1:] }),
		of("insert", func(l *manager.List[int]) error { return l.Insert(50, 1, 2, 3) }, func(s []int) []int { return slices.Insert(s, 50, 1, 2, 3) }),
		of("delete a slice", func(l *manager.List[int]) error { return l.DeleteSlice(20, 240) }, func(s []int) []int { return slices.Delete(s, 20, 240) }),
		of("sort", func(l *manager.List[int]) error { return manager.SortList(l) }, func(s []int) []int { slices.Sort(s); return s }),
		of("clear a list", func(l *manager.List[int]) error { return l.Clear() }, func([]int) []int { return nil }),
	}
}
