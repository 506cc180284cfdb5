package shm_test

import (
	"errors"
	"math"
	"os"
	"testing"

	"github.com/shmkit/shmkit/shm"
)

// growing describes a body of one page that can grow by 64.
func growing(page int64) *shm.Spec {
	return &shm.Spec{Kind: "growing", Layout: 1, Size: page, Reserve: 64 * page}
}

// TestAllocate grows a body in two handles' memory, without mapping it again, and
// gives the space back.
func TestAllocate(t *testing.T) {
	page := int64(os.Getpagesize())
	o := &shm.Options{Dir: testDir(t), Prefault: true}
	a := must(shm.CreateSpec("growing", growing(page), o))(t)
	defer a.Close()
	other := growing(page)
	other.Size, other.Reserve = 1, 1<<50 // only count at creation
	b := must(shm.OpenSpec("growing", other, o))(t)
	defer b.Close()
	if n := int64(len(a.Body())); n != 65*page || int64(len(b.Body())) != n || a.Size() != n {
		t.Fatalf("a body of %d bytes", n)
	}
	before := spaceOf(t, a.Path())
	if err := a.Allocate(8*page, 4*page); err != nil {
		t.Fatal(err)
	}
	if grown := spaceOf(t, a.Path()) - before; grown != 4*page && spaceCounts {
		t.Errorf("grew by %d bytes", grown)
	}
	a.Body()[8*page] = 7
	if got := b.Body()[8*page]; got != 7 {
		t.Errorf("the other handle reads %d", got)
	}
	if err := b.Free(8*page, 4*page); err != nil {
		t.Fatal(err)
	}
	if after := spaceOf(t, a.Path()); after != before && spaceCounts {
		t.Errorf("%d bytes more than before", after-before)
	}
	if err := a.Allocate(8*page, page); err != nil {
		t.Fatal(err)
	}
	if got := b.Body()[8*page]; got != 0 && spaceCounts {
		t.Errorf("freed and allocated again: %d", got)
	}
}

// TestMirrorBehindReserve has a body that is mirrored and can grow: the part that
// grows takes no space at first, whoever opens it, and the mirror is of the last bytes.
func TestMirrorBehindReserve(t *testing.T) {
	page := int64(os.Getpagesize())
	o := &shm.Options{Dir: testDir(t), Prefault: true}
	spec := &shm.Spec{Kind: "both", Layout: 1, Size: 5 * page, Mirror: 2 * page, Reserve: 1000 * page}
	a := must(shm.CreateSpec("both", spec, o))(t)
	defer a.Close()
	b := must(shm.OpenSpec("both", &shm.Spec{Kind: "both", Layout: 1}, o))(t)
	defer b.Close()
	size := 1005 * page
	if a.Mirrored() {
		size += 2 * page
	}
	if int64(len(a.Body())) != size || int64(len(b.Body())) != size || a.Mirrored() != shm.CanMirror {
		t.Fatalf("bodies of %d and %d bytes, not %d", len(a.Body()), len(b.Body()), size)
	}
	before := spaceOf(t, a.Path())
	if before >= 1000*page {
		t.Errorf("it takes %d bytes", before)
	}
	if err := a.Allocate(3*page, 4*page); err != nil {
		t.Fatal(err)
	}
	for _, i := range []int64{0, 3*page - 1, 3 * page, 7*page - 1, 1003 * page, 1005*page - 1} {
		a.Body()[i] = byte(i/page + 1)
	}
	for _, i := range []int64{0, 3*page - 1, 3 * page, 7*page - 1, 1003 * page, 1005*page - 1} {
		if b.Body()[i] != byte(i/page+1) || shm.CanMirror && i >= 1003*page && b.Body()[i+2*page] != byte(i/page+1) {
			t.Errorf("byte %d", i)
		}
	}
	if grown := spaceOf(t, a.Path()) - before; grown != 4*page && spaceCounts {
		t.Errorf("grew by %d bytes", grown)
	}
}

// TestAllocateRefuses wants an error for every range that is not pages of the body.
func TestAllocateRefuses(t *testing.T) {
	page := int64(os.Getpagesize())
	o := &shm.Options{Dir: testDir(t)}
	s := must(shm.CreateSpec("growing", growing(page), o))(t)
	for _, r := range [][2]int64{{-page, page}, {0, 0}, {page, -page}, {1, page}, {page, 1}, {65 * page, page}, {64 * page, 2 * page}, {page, math.MaxInt64 / page * page}} {
		if err := s.Allocate(r[0], r[1]); !errors.Is(err, shm.ErrSize) {
			t.Errorf("Allocate(%d, %d): %v", r[0], r[1], err)
		}
		if err := s.Free(r[0], r[1]); !errors.Is(err, shm.ErrSize) {
			t.Errorf("Free(%d, %d): %v", r[0], r[1], err)
		}
	}
	s.Close()
	if err := s.Allocate(page, page); !errors.Is(err, shm.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
	for _, sp := range []shm.Spec{
		{Kind: "growing", Size: page, Reserve: -page},
		{Kind: "growing", Size: page, Reserve: 1},
		{Kind: "growing", Size: page + 1, Reserve: page, Mirror: page},
		{Kind: "growing", Size: page, Reserve: page, Mirror: 2 * page},
		{Kind: "growing", Size: page, Reserve: math.MaxInt64 / page * page},
	} {
		if s, err := shm.CreateSpec("refused", &sp, o); !errors.Is(err, shm.ErrSize) {
			t.Errorf("%+v: %v", sp, err)
			s.Close()
		}
	}
}
