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
		{Kind: "growing", Size: page, Reserve: page, Mirror: page},
		{Kind: "growing", Size: page, Reserve: math.MaxInt64 / page * page},
	} {
		if s, err := shm.CreateSpec("refused", &sp, o); !errors.Is(err, shm.ErrSize) {
			t.Errorf("%+v: %v", sp, err)
			s.Close()
		}
	}
}
