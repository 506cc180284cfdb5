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

func BenchmarkQuick(b *testing.B) {
	m, err := manager.Open("m", &manager.Options{Dir: tempDir(b)})
	if err != nil {
		b.Fatal(err)
	}
	defer m.Close()
	type V [64]byte
	d, err := manager.NewDict[string, V](m, "d")
	if err != nil {
		b.Fatal(err)
	}
	const n = 100000
	keys := make([]string, n)
	for i := range keys {
		keys[i] = fmt.Sprintf("key-%012d", i*7919)
	}
	var v V
	for _, k := range keys {
		if err := d.Set(k, v); err != nil {
			b.Fatal(err)
		}
	}
	b.Run("get", func(b *testing.B) {
		b.ReportAllocs()
		for i := uint64(0); b.Loop(); i += 0x9e3779b97f4a7c15 {
			if ok, err := d.GetInto(keys[i>>32*n>>32], &v); !ok || err != nil {
				b.Fatal(ok, err)
			}
		}
	})
	b.Run("set", func(b *testing.B) {
		b.ReportAllocs()
		for i := uint64(0); b.Loop(); i += 0x9e3779b97f4a7c15 {
			if err := d.Set(keys[i>>32*n>>32], v); err != nil {
				b.Fatal(err)
			}
		}
	})
	mp := make(map[string]V)
	for _, k := range keys {
		mp[k] = v
	}
	b.Run("mapget", func(b *testing.B) {
		for i := uint64(0); b.Loop(); i += 0x9e3779b97f4a7c15 {
			v = mp[keys[i>>32*n>>32]]
		}
	})
	b.Run("mapset", func(b *testing.B) {
		for i := uint64(0); b.Loop(); i += 0x9e3779b97f4a7c15 {
			mp[keys[i>>32*n>>32]] = v
		}
	})
}
