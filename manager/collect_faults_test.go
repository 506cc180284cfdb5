//go:build faultpoints

package manager_test

import (
	"testing"

	"github.com/shmkit/shmkit/internal/fault"
	"github.com/shmkit/shmkit/internal/fault/faulttest"
	"github.com/shmkit/shmkit/manager"
)

// TestReferenceBesideCollection stores a reference to a dict between any two looks of a
// collection, where that has been already and where it has not, and gives the dict's last
// handle up, which was made before the collection: the dict stays.
func TestReferenceBesideCollection(t *testing.T) {
	for name, store := range map[string]func(m *manager.Manager, outer *manager.Dict[int, *manager.Dict[int, int]], d *manager.Dict[int, int]) error{
		"set": func(_ *manager.Manager, outer *manager.Dict[int, *manager.Dict[int, int]], d *manager.Dict[int, int]) error {
			return outer.Set(1, d)
		},
		"update": func(_ *manager.Manager, outer *manager.Dict[int, *manager.Dict[int, int]], d *manager.Dict[int, int]) error {
			_, err := outer.Update(1, func(*manager.Dict[int, int], bool) (*manager.Dict[int, int], error) { return d, nil })
			return err
		},
		"transaction": func(m *manager.Manager, outer *manager.Dict[int, *manager.Dict[int, int]], d *manager.Dict[int, int]) error {
			return m.Tx(bg, func(tx *manager.Tx) error { return outer.In(tx).Set(1, d) })
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := tempDir(t)
			for at := 1; ; at++ {
				o := &manager.Options{Dir: dir}
				m, err := manager.Create("m", o)
				must(t, err)
				collector, err := manager.OpenExisting("m", o)
				must(t, err)
				outer := newDict[int, *manager.Dict[int, int]](t, m, "outer")
				d := newDict[int, int](t, m, "")
				must(t, d.Set(1, 2))
				looks := 0
				faulttest.LookOut(func() {
					if looks++; looks == at {
						must(t, store(m, outer, d))
						must(t, d.Close())
					}
				})
				_, err = collector.Collect()
				fault.SetLookHook(nil)
				must(t, err)
				if looks >= at {
					again, ok, err := outer.Get(1)
					if err != nil || !ok {
						t.Fatalf("at look %d of the collection: %v, %v", at, ok, err)
					}
					if v, _, err := again.Get(1); v != 2 || err != nil {
						t.Fatalf("at look %d of the collection: %d, %v", at, v, err)
					}
					must(t, again.Close())
					clean(t, m)
				}
				must(t, collector.Close())
				must(t, m.Close())
				if looks < at {
					return
				}
			}
		})
	}
}
