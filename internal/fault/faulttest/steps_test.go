package faulttest_test

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/shmkit/shmkit/internal/fault/faulttest"
)

func TestSteps(t *testing.T) {
	dir := t.TempDir()
	for name, src := range map[string]string{
		"a.go": `package p
			func a() { fault.Point("x.a"); store(1, "x.b"); c.give("x.give") }
			func give(step string) { store(2, step+".twice"); store(3, step) }
			var other = "y.a" + "x.A" + "x" + "x.é"`,
		"a_test.go": `package p; var inTest = "x.test"`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(src), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	steps, err := faulttest.Steps(dir, "x")
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"x.a", "x.b", "x.give", "x.give.twice"}
	if got := slices.Sorted(maps.Keys(steps)); !slices.Equal(got, want) {
		t.Errorf("steps %q, want %q", got, want)
	}
	if pos := steps["x.b"]; pos.Line != 2 || filepath.Base(pos.Filename) != "a.go" {
		t.Errorf("x.b is at %v", pos)
	}
}
