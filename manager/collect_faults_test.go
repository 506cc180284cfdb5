//go:build faultpoints

package manager_test

import (
	"os"
	"testing"

	"github.com/shmkit/shmkit/internal/fault"
	"github.com/shmkit/shmkit/internal/fault/faulttest"
	"github.com/shmkit/shmkit/manager"
)

// stride is how many looks are passed over: with SHMKIT_STEPS=all none.
func stride() int {
	if os.Getenv("SHMKIT_STEPS") == "all" {
		return 1
	}
	return 5
}

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
			for at := 1; ; at += stride() {
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

// TestReadBesideCollection replaces a dict in a dict, and has the old one collected, between
// any two looks of somebody who reads it: that one gets the old one or the new one.
func TestReadBesideCollection(t *testing.T) {
	type outer = manager.Dict[int, *manager.Dict[int, int]]
	locked := false // others can't replace anything now
	for name, read := range map[string]func(m *manager.Manager, o *outer) (*manager.Dict[int, int], error){
		"get": func(_ *manager.Manager, o *outer) (*manager.Dict[int, int], error) {
			d, _, err := o.Get(1)
			return d, err
		},
		"transaction": func(m *manager.Manager, o *outer) (d *manager.Dict[int, int], err error) {
			defer func() { locked = false }()
			err = m.Tx(bg, func(tx *manager.Tx) (err error) {
				locked = false
				d, _, err = o.In(tx).Get(1)
				locked = true // its commit
				return err
			})
			return d, err
		},
		"iteration": func(_ *manager.Manager, o *outer) (*manager.Dict[int, int], error) {
			for e, err := range o.All() {
				return e.Value, err
			}
			return nil, nil
		},
		"snapshot": func(_ *manager.Manager, o *outer) (*manager.Dict[int, int], error) {
			all, err := o.Snapshot()
			return all[1], err
		},
	} {
		t.Run(name, func(t *testing.T) {
			o := &manager.Options{Dir: tempDir(t)}
			m := open(t, o)
			other, err := manager.OpenExisting("m", o)
			must(t, err)
			t.Cleanup(func() { other.Close() })
			reads, writes := newDict[int, *manager.Dict[int, int]](t, m, "outer"), newDict[int, *manager.Dict[int, int]](t, other, "outer")
			replace := func(v int) {
				d := newDict[int, int](t, other, "")
				must(t, d.Set(1, v))
				must(t, writes.Set(1, d))
				must(t, d.Close())
				_, err := other.Collect()
				must(t, err)
			}
			for at := 1; ; at += stride() {
				replace(2 * at)
				looks := 0
				faulttest.LookOut(func() {
					if locked {
						return
					}
					if looks++; looks == at {
						replace(2*at + 1)
					}
				})
				d, err := read(m, reads)
				fault.SetLookHook(nil)
				if err != nil || d == nil {
					t.Fatalf("at look %d: %v, %v", at, d, err)
				}
				if v, _, err := d.Get(1); err != nil || v/2 != at {
					t.Fatalf("at look %d: %d, %v", at, v, err)
				}
				must(t, d.Close())
				if looks < at {
					break
				}
			}
			clean(t, m)
		})
	}
}
