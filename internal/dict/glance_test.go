package dict_test

import (
	"strings"
	"testing"

	"github.com/shmkit/shmkit/internal/dict"
)

// TestGlance has entries that a glance finds, and such as it leaves to others.
func TestGlance(t *testing.T) {
	w := newWorld(t, 64, 1)
	tab := w.tables[0]
	const entries = 3000 // with splits, and keys in second buckets
	found := 0
	for i := range entries {
		key := number(i)
		if _, err := w.set(tab, key, strings.Repeat("v", i%100), dict.Always); err != nil {
			t.Fatal(err)
		}
	}
	for i := range entries {
		key := number(i)
		v, ok := w.glance(tab, key, i%100)
		if ok && v != strings.Repeat("v", i%100) {
			t.Fatalf("%q: %q", key, v)
		}
		if ok {
			found++
		}
		if _, ok := w.glance(tab, key, i%100+1); ok {
			t.Fatalf("%q: found with another size", key)
		}
		if _, ok := w.glance(tab, "no "+key, i%100); ok {
			t.Fatalf("%q: found", "no "+key)
		}
	}
	if found < entries*99/100 {
		t.Errorf("only %d of %d keys are found at a glance", found, entries)
	}
	w.remove(tab, number(7))
	if _, ok := w.glance(tab, number(7), 7); ok {
		t.Error("a removed key is found")
	}
	if _, ok := w.glance(tab, strings.Repeat("k", dict.MaxKey+1), 1); ok {
		t.Error("a key that is too long is found")
	}
}
