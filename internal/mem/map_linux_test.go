package mem_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/shmkit/shmkit/internal/mem"
)

func TestMapMirror(t *testing.T) {
	page := os.Getpagesize()
	f, err := os.Create(filepath.Join(t.TempDir(), "f"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(int64(3 * page)); err != nil {
		t.Fatal(err)
	}
	b, err := mem.Map(int(f.Fd()), 3*page, 2*page, true)
	if err != nil {
		t.Fatal(err)
	}
	if len(b) != 5*page {
		t.Fatalf("mapped %d bytes", len(b))
	}
	for i := range 2 * page {
		b[page+i] = byte(i * 7)
	}
	for i := range 2 * page {
		if b[3*page+i] != byte(i*7) {
			t.Fatalf("mirror byte %d is %d", i, b[3*page+i])
		}
	}
	b[5*page-1] = 42
	if b[3*page-1] != 42 {
		t.Fatal("a store to the mirror is not seen in front of it")
	}
	ro, err := mem.Map(int(f.Fd()), 3*page, 0, false)
	if err != nil {
		t.Fatal(err)
	}
	if len(ro) != 3*page || ro[3*page-1] != 42 {
		t.Fatal("the read-only view differs")
	}
	if err := errors.Join(mem.Unmap(ro), mem.Unmap(b)); err != nil {
		t.Fatal(err)
	}
}

func TestMapBounds(t *testing.T) {
	for _, tt := range [][2]int{{0, 0}, {-1, 0}, {4096, -1}, {4096, 8192}} {
		if _, err := mem.Map(-1, tt[0], tt[1], true); !errors.Is(err, mem.ErrBounds) {
			t.Errorf("Map(%d, mirror %d): %v", tt[0], tt[1], err)
		}
	}
}
