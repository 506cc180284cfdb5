package manager_test

import (
	"encoding/binary"
	"errors"
	"testing"
	"time"

	"github.com/shmkit/shmkit/manager"
)

// TestRaw works on a dict without knowing its types.
func TestRaw(t *testing.T) {
	m := open(t, nil)
	d := newDict[string, int](t, m, "d")
	must(t, d.Set("a", 5, manager.TTL(time.Hour)))
	r, err := manager.OpenRaw(m, "d")
	must(t, err)
	if r.Types() != "string to plain int (8 bytes)" {
		t.Error(r.Types())
	}
	if v, ok, err := r.Get([]byte("a")); !ok || err != nil || binary.LittleEndian.Uint64(v) != 5 {
		t.Errorf("%x, %v, %v", v, ok, err)
	}
	if _, ok, err := r.Get([]byte("b")); ok || err != nil {
		t.Errorf("%v, %v", ok, err)
	}
	must(t, r.Set([]byte("b"), word(6), manager.TTL(time.Hour)))
	if v, ok, err := d.Get("b"); v != 6 || !ok || err != nil {
		t.Errorf("%v, %v, %v", v, ok, err)
	}
	if ttl, ok, err := d.TTL("b"); ttl <= 0 || !ok || err != nil {
		t.Errorf("%v, %v, %v", ttl, ok, err)
	}
	sum, err := r.Update([]byte("a"), func(old []byte, ok bool) ([]byte, error) {
		return word(int(binary.LittleEndian.Uint64(old)) + 2), nil
	})
	if err != nil || binary.LittleEndian.Uint64(sum) != 7 {
		t.Errorf("%x, %v", sum, err)
	}
	if ttl, _, err := d.TTL("a"); ttl <= 0 || err != nil {
		t.Errorf("Update has changed the time to live to %v, %v", ttl, err)
	}
	if ttl, ok, err := r.TTL([]byte("a")); ttl <= 0 || ttl > time.Hour || !ok || err != nil {
		t.Errorf("%v, %v, %v", ttl, ok, err)
	}
	boom := errors.New("boom")
	if _, err := r.Update([]byte("a"), func([]byte, bool) ([]byte, error) { return nil, boom }); !errors.Is(err, boom) {
		t.Errorf("got %v", err)
	}
	if ok, err := r.Delete([]byte("a")); !ok || err != nil {
		t.Errorf("%v, %v", ok, err)
	}
	if ok, err := r.Delete([]byte("a")); ok || err != nil {
		t.Errorf("%v, %v", ok, err)
	}
	must(t, r.Close())
	clean(t, m)
}

// TestRawReferences: bytes are no reference that would keep an object alive.
func TestRawReferences(t *testing.T) {
	m := open(t, nil)
	d := newDict[string, *manager.Ref](t, m, "d")
	must(t, d.Set("self", d.Ref()))
	r, err := manager.OpenRaw(m, "d")
	must(t, err)
	v, _, err := r.Get([]byte("self"))
	must(t, err)
	if err := r.Set([]byte("other"), v); !errors.Is(err, manager.ErrType) {
		t.Errorf("Set: %v", err)
	}
	if _, err := r.Update([]byte("self"), func(old []byte, _ bool) ([]byte, error) { return old, nil }); !errors.Is(err, manager.ErrType) {
		t.Errorf("Update: %v", err)
	}
	if ok, err := r.Delete([]byte("self")); !ok || err != nil {
		t.Errorf("Delete: %v, %v", ok, err)
	}
}

// TestRawOpen opens by name and by id, and makes nothing.
func TestRawOpen(t *testing.T) {
	dir := tempDir(t)
	m := open(t, &manager.Options{Dir: dir})
	d := newDict[string, int](t, m, "")
	must(t, d.Set("a", 5))
	r, err := manager.OpenRaw(m, d.Name())
	must(t, err)
	if _, ok, err := r.Get([]byte("a")); !ok || err != nil {
		t.Errorf("%v, %v", ok, err)
	}
	for _, name := range []string{"", "nope", "#", "#0x1", "#123456", "#0"} {
		if _, err := manager.OpenRaw(m, name); !errors.Is(err, manager.ErrNotExist) {
			t.Errorf("%q: %v", name, err)
		}
	}
	objects, err := outside(t, dir).Objects()
	must(t, err)
	if len(objects) != 1 {
		t.Errorf("%+v", objects)
	}
	must(t, m.Close())
	if _, _, err := r.Get([]byte("a")); !errors.Is(err, manager.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}
