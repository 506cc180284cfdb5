package shm_test

import (
	"os"
	"testing"

	"github.com/shmkit/shmkit/shm"
)

func TestMirror(t *testing.T) {
	page := int64(max(4096, os.Getpagesize()))
	o := &shm.Options{Dir: testDir(t)}
	spec := &shm.Spec{Kind: "ring", Size: 5 * page, Mirror: 2 * page}
	a := must(shm.CreateSpec("x", spec, o))(t)
	defer a.Close()
	b := must(shm.OpenSpec("x", spec, o))(t)
	defer b.Close()
	i := must(shm.Inspect(a.Path()))(t)
	defer i.Close()
	if a.Mirrored() != shm.CanMirror || b.Mirrored() != shm.CanMirror || i.Info().Mirrored != shm.CanMirror {
		t.Fatal("mirrored, or not, against the platform")
	}
	size := 5 * page
	if shm.CanMirror {
		size = 7 * page
	}
	if int64(len(a.Body())) != size || int64(len(b.Body())) != size || int64(len(i.Body())) != size {
		t.Fatalf("bodies of %d, %d and %d bytes, not %d", len(a.Body()), len(b.Body()), len(i.Body()), size)
	}
	if !shm.CanMirror {
		return
	}
	for n := range 2 * page {
		a.Body()[3*page+n] = byte(n * 11)
	}
	for n := range 2 * page {
		if want := byte(n * 11); b.Body()[5*page+n] != want || i.Body()[5*page+n] != want || a.Body()[5*page+n] != want {
			t.Fatalf("byte %d of the mirror is %d, not %d", n, b.Body()[5*page+n], want)
		}
	}
	b.Body()[7*page-1] = 200
	if a.Body()[5*page-1] != 200 {
		t.Fatal("a store to the mirror is not seen in front of it")
	}
	// A record across the seam is contiguous.
	copy(a.Body()[5*page-3:], "across")
	if string(b.Body()[5*page-3:5*page]) != "acr" || string(b.Body()[3*page:3*page+3]) != "oss" {
		t.Fatal("the seam tears")
	}
}

func TestMirrorSizes(t *testing.T) {
	o := &shm.Options{Dir: testDir(t)}
	page := int64(max(4096, os.Getpagesize()))
	for _, tt := range [][2]int64{{page, 2 * page}, {2 * page, 1}, {2 * page, -page}, {2*page - 1, page}, {page, 1 << 62}} {
		_, err := shm.CreateSpec("x", &shm.Spec{Kind: "ring", Size: tt[0], Mirror: tt[1]}, o)
		wantError(t, "create", err, shm.ErrSize)
	}
}

func TestPrefault(t *testing.T) {
	o := &shm.Options{Dir: testDir(t), Prefault: true, HugePages: true}
	a := create(t, "x", 1<<20, o)
	a.Bytes()[1<<20-1] = 3
	b := open(t, "x", o)
	if b.Bytes()[1<<20-1] != 3 {
		t.Fatal("prefaulting an open segment changed it")
	}
}
