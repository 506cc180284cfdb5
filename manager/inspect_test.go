package manager_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/shmkit/shmkit/manager"
	"github.com/shmkit/shmkit/shm"
)

// outside opens the manager "m" of the directory as one who only looks.
func outside(t testing.TB, dir string) *manager.Inspection {
	t.Helper()
	i, err := shm.Inspect(filepath.Join(dir, "m"))
	must(t, err)
	t.Cleanup(i.Close)
	n, err := manager.Inspect(i)
	must(t, err)
	return n
}

func view(t testing.TB, n *manager.Inspection, name string) *manager.RawView {
	t.Helper()
	v, err := n.Dict(name)
	must(t, err)
	return v
}

// TestInspect looks at a manager from outside, where every store would be a fault, and
// finds what is there, and the file as it was.
func TestInspect(t *testing.T) {
	dir := tempDir(t)
	m := open(t, &manager.Options{Dir: dir, MaxBytes: 4 << 20, Evict: true, Persistent: true})
	hits := newDict[string, int](t, m, "hits")
	for i := range 3000 {
		must(t, hits.Set(fmt.Sprint("page ", i), i))
	}
	must(t, hits.Set("soon", -1, manager.TTL(time.Hour)))
	must(t, hits.Set("gone", -1, manager.TTL(1)))
	nested := newDict[string, *manager.Dict[string, int]](t, m, "nested")
	inner := newDict[string, int](t, m, "")
	must(t, inner.Set("a", 1))
	must(t, nested.Set("inner", inner))
	big := newDict[string, []byte](t, m, "big")
	large := bytes.Repeat([]byte("x"), 200<<10) // more than an iteration copies
	must(t, big.Set("large", large))
	objects, err := outside(t, dir).Objects()
	must(t, err)
	for _, o := range objects {
		if o.Handles != 1 {
			t.Errorf("while it is open: %+v", o)
		}
	}
	runtime.KeepAlive([]any{hits, nested, inner, big}) // else their handles are given up
	of := clean(t, m)
	must(t, m.Close()) // from now on nobody writes to it
	path := filepath.Join(dir, "m")
	before := digest(t, path)

	n := outside(t, dir)
	if n.MaxBytes() != 4<<20 || !n.Evict() {
		t.Errorf("%d bytes, evict %v", n.MaxBytes(), n.Evict())
	}
	objects, err = n.Objects()
	must(t, err)
	var labels []string
	for _, o := range objects {
		labels = append(labels, o.Label())
		if o.Kind != "dict" || o.Handles != 0 || o.Bytes <= 0 || o.Table <= 0 {
			t.Errorf("%+v", o)
		}
	}
	if got, want := fmt.Sprint(labels), fmt.Sprintf("[big hits nested #%d]", objects[3].ID); got != want {
		t.Fatalf("objects %s, want %s", got, want)
	}
	if o := objects[1]; o.Types != "string to plain int (8 bytes)" || o.Entries < 3001 || o.Entries > 3002 || o != view(t, n, "hits").Object() {
		t.Errorf("%+v", o)
	}
	if o := objects[3]; o.Entries != 1 || o.Name != "" || o != view(t, n, o.Label()).Object() {
		t.Errorf("%+v", o)
	}

	v := view(t, n, "hits")
	if v.Refers() || !view(t, n, "nested").Refers() || v.Types() != objects[1].Types {
		t.Error("wrong types")
	}
	seen := make(map[string]bool)
	for e, err := range v.All() {
		must(t, err)
		want := strings.TrimPrefix(string(e.Key), "page ")
		if want == "soon" {
			want = "-1"
		}
		if got := int(binary.LittleEndian.Uint64(e.Value)); seen[string(e.Key)] || fmt.Sprint(got) != want || (e.TTL != 0) != (want == "-1") {
			t.Errorf("%+v", e)
		}
		seen[string(e.Key)] = true
	}
	if len(seen) != 3001 {
		t.Errorf("%d entries", len(seen))
	}
	for key, want := range map[string]bool{"page 7": true, "soon": true, "gone": false, "page": false} {
		if e, ok, err := v.Get([]byte(key)); ok != want || err != nil || ok && string(e.Key) != key {
			t.Errorf("Get %q: %+v, %v, %v", key, e, ok, err)
		}
	}
	if e, _, err := v.Get([]byte("soon")); e.TTL <= 0 || e.TTL > time.Hour || err != nil {
		t.Errorf("%+v, %v", e, err)
	}
	for e, err := range view(t, n, "big").All() {
		must(t, err)
		if !bytes.Equal(e.Value, large) {
			t.Errorf("a value of %d bytes", len(e.Value))
		}
	}
	if r := n.Fsck(); !r.OK() || r.Objects != 4 || of.Entries-r.Entries > 1 || of.Live-r.Live > 1 { // one has expired
		t.Errorf("%+v, from inside %+v", r, of)
	}
	for name, want := range map[string]error{"nope": manager.ErrNotExist, "#77": manager.ErrNotExist, "#x": manager.ErrNotExist, "#0": manager.ErrNotExist} {
		if _, err := n.Dict(name); !errors.Is(err, want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if after := digest(t, path); after != before {
		t.Error("looking has changed the file")
	}
}

// digest is the content of a file.
func digest(t testing.TB, path string) [32]byte {
	t.Helper()
	b, err := os.ReadFile(path)
	must(t, err)
	return sha256.Sum256(b)
}

// TestInspectOther refuses what is no manager.
func TestInspectOther(t *testing.T) {
	dir := tempDir(t)
	s, err := shm.Create("m", 100, &shm.Options{Dir: dir})
	must(t, err)
	defer s.Close()
	i, err := shm.Inspect(s.Path())
	must(t, err)
	defer i.Close()
	if _, err := manager.Inspect(i); !errors.Is(err, manager.ErrKind) {
		t.Errorf("got %v", err)
	}
}

// TestInspectDamagedHead says what is impossible in the numbers that all else rests on.
func TestInspectDamagedHead(t *testing.T) {
	dir := tempDir(t)
	m := open(t, &manager.Options{Dir: dir})
	body := m.Segment().Body()
	i, err := shm.Inspect(m.Segment().Path())
	must(t, err)
	defer i.Close()
	for at, name := range map[int]string{0: "slots", 8: "chunks", 24: "objects", 32: "names"} {
		old := binary.LittleEndian.Uint64(body[at:])
		for _, bad := range []uint64{1 << 63, 1, ^uint64(0), 1 << 20} {
			binary.LittleEndian.PutUint64(body[at:], bad)
			if _, err := manager.Inspect(i); !errors.Is(err, manager.ErrCorrupt) && (name != "chunks" || bad != 1) {
				t.Errorf("%s of %#x: %v", name, bad, err)
			}
		}
		binary.LittleEndian.PutUint64(body[at:], old)
	}
	_, err = manager.Inspect(i)
	must(t, err)
}

// TestInspectHandles counts the processes that have a handle of an object, not those
// that have the manager.
func TestInspectHandles(t *testing.T) {
	dir := tempDir(t)
	var dicts []any
	for i := range 3 {
		m := open(t, &manager.Options{Dir: dir})
		if i != 1 {
			dicts = append(dicts, newDict[string, int](t, m, "d"))
		}
	}
	if o := view(t, outside(t, dir), "d").Object(); o.Handles != 2 || o.Name != "d" {
		t.Errorf("%+v", o)
	}
	runtime.KeepAlive(dicts)
}
