//go:build faultpoints

package manager_test

import (
	"errors"
	"testing"

	"github.com/shmkit/shmkit/internal/fault"
	"github.com/shmkit/shmkit/manager"
)

// TestCloseBesideReference closes the manager's segment while a reference becomes a
// handle of the dict that it refers to. That must fail with ErrClosed, and not look into
// memory that is gone.
func TestCloseBesideReference(t *testing.T) {
	m, err := manager.Create("m", &manager.Options{Dir: tempDir(t)})
	must(t, err)
	d, err := manager.NewDict[int, int](m, "d")
	must(t, err)
	ref, err := d.MarshalBinary()
	must(t, err)
	must(t, d.Close()) // so that the reference has to become a handle
	fault.SetHook(func(name string) {
		if name == "manager.opened" {
			fault.SetHook(nil)
			if err := m.Segment().Close(); err != nil {
				t.Error(err)
			}
		}
	})
	defer fault.SetHook(nil)
	if err := new(manager.Dict[int, int]).UnmarshalBinary(ref); !errors.Is(err, manager.ErrClosed) {
		t.Errorf("a reference to what is closed: %v", err)
	}
	must(t, m.Close())
}
