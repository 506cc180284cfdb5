package mem_test

import (
	"testing"

	"github.com/shmkit/shmkit/internal/mem"
)

func TestAs(t *testing.T) {
	type name string
	v := name("before")
	s := mem.As[string](&v)
	if *s != "before" {
		t.Fatalf("read %q", *s)
	}
	*s = "after"
	if v != "after" {
		t.Fatalf("written through the view: %q", v)
	}
}

func TestAsOtherSize(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Fatal("no panic for types of different size")
		}
	}()
	var w uint32
	mem.As[uint64](&w)
}
