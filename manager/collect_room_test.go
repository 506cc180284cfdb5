package manager_test

import (
	"sync"
	"testing"

	"github.com/shmkit/shmkit/manager"
)

// TestCollectForRoom replaces dicts in a dict by new ones, much faster than the
// housekeeping looks, from two handles at once: those that were replaced make room.
func TestCollectForRoom(t *testing.T) {
	o := &manager.Options{Dir: tempDir(t), MaxBytes: 8 << 20}
	first := open(t, o)
	second, err := manager.OpenExisting("m", o)
	must(t, err)
	t.Cleanup(func() { second.Close() })
	const each = 6000 // of more than 4 KiB
	var all sync.WaitGroup
	for _, m := range []*manager.Manager{first, second} {
		outer := newDict[int, *manager.Dict[int, int]](t, m, "outer")
		all.Go(func() {
			for i := range each {
				d, err := manager.NewDict[int, int](m, "")
				if err == nil {
					err = d.Set(1, i)
				}
				if err == nil {
					err = outer.Set(i%8, d)
				}
				if err != nil {
					t.Errorf("dict %d: %v", i, err)
					return
				}
				must(t, d.Close())
			}
		})
	}
	all.Wait()
	if _, err := first.Collect(); err != nil {
		t.Fatal(err)
	}
	r, err := first.Fsck()
	must(t, err)
	if !r.OK() || r.Objects > 1+8 {
		t.Errorf("%d objects, %v", r.Objects, r.Problems)
	}
}
