package manager_test

import (
	"fmt"
	"os"
	"testing"

	"github.com/shmkit/shmkit/manager"
)

func tempDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "shmkit-test-")
	if err != nil {
		dir = t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func TestBasics(t *testing.T) {
	o := &manager.Options{Dir: tempDir(t)}
	m, err := manager.Open("m", o)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	n, err := manager.OpenExisting("m", o)
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	a, err := manager.NewDict[string, int](m, "d")
	if err != nil {
		t.Fatal(err)
	}
	b, err := manager.NewDict[string, int](n, "d")
	if err != nil {
		t.Fatal(err)
	}
	for i := range 10000 {
		if err := a.Set(fmt.Sprint(i), i); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 10000 {
		if v, ok, err := b.Get(fmt.Sprint(i)); v != i || !ok || err != nil {
			t.Fatal(v, ok, err)
		}
	}
	if b.Len() != 10000 {
		t.Error(b.Len())
	}
}
