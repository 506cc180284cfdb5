package manager_test

import (
	"bytes"
	"encoding/binary"
	"slices"
	"strings"
	"testing"

	"github.com/shmkit/shmkit/manager"
)

// TestFsckFindsDamage damages one thing after the other, which both sides find, and say
// what it is. Names have 8 bytes, so that nothing stands between a key and its value.
func TestFsckFindsDamage(t *testing.T) {
	dir := tempDir(t)
	m := open(t, &manager.Options{Dir: dir})
	a, b := newDict[string, int](t, m, "dict one"), newDict[string, int](t, m, "dict two")
	must(t, a.Set("counted!", 1))
	must(t, b.Set("counted?", 1))
	refs := newDict[string, *manager.Ref](t, m, "dict ref")
	must(t, refs.Set("leads to", a.Ref()))
	n := outside(t, dir)
	objects, err := n.Objects()
	must(t, err)
	id := func(name string) []byte {
		i := slices.IndexFunc(objects, func(o manager.ObjectInfo) bool { return o.Name == name })
		return word(int(objects[i].ID))
	}
	record := append(id("dict two"), word(2)...) // id and kind
	for _, d := range []struct {
		what          string
		behind, fresh []byte
		want          string
	}{
		{"the id of a name", []byte("dict two"), word(99), `name "dict two": there is no object 99`},
		{"a reference", []byte("leads to"), word(98), `entry "leads to" refers to object 98, which there is not`},
		{"where an object is", record, word(1 << 40), "no table at 0x10000000000"},
		{"where an object is", record, word(m.Segment().Slots()), "no table at 0x100"},
	} {
		undo := poke(t, m, d.behind, d.fresh)
		inside, err := m.Fsck()
		must(t, err)
		for _, r := range []*manager.Report{inside, n.Fsck()} {
			if !slices.ContainsFunc(r.Problems, func(p string) bool { return strings.Contains(p, d.want) }) {
				t.Errorf("%s: %q is not in %q", d.what, d.want, r.Problems)
			}
		}
		undo()
		clean(t, m)
	}
	// One object's table is another's as well: it is looked at once.
	var ref []byte
	body := m.Segment().Body()
	at := bytes.Index(body, append(id("dict one"), word(2)...))
	ref = bytes.Clone(body[at+16 : at+24])
	undo := poke(t, m, record, ref)
	if r := n.Fsck(); !slices.ContainsFunc(r.Problems, func(p string) bool { return strings.Contains(p, "is that of object") }) {
		t.Errorf("%q", r.Problems)
	}
	undo()
	// The count of a stripe, behind the root that leads to its directory.
	v := binary.LittleEndian.Uint64(ref)
	for stripe := range uint64(64) {
		line := body[v+(16+stripe*8)*8:]
		if binary.LittleEndian.Uint64(line) != 0 {
			line[8]++
			if r := n.Fsck(); !slices.ContainsFunc(r.Problems, func(p string) bool { return strings.Contains(p, "1 entries, counted as 2") }) {
				t.Errorf("%q", r.Problems)
			}
			line[8]--
		}
	}
	clean(t, m)
}
