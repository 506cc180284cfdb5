package clitest

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write golden files and pages of documentation anew")

// Compare compares a file with what it ought to contain, or, with -update, writes
// it. form, if not nil, leaves out what may differ.
func Compare(t testing.TB, path, want string, form func(string) string) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if form == nil {
		form = func(s string) string { return s }
	}
	is, should := strings.Split(form(string(b)), "\n"), strings.Split(form(want), "\n")
	for i := range max(len(is), len(should)) {
		if i >= len(is) || i >= len(should) || is[i] != should[i] {
			t.Errorf("%s differs from line %d on (go test -update writes it anew); the program says\n%s",
				path, i+1, strings.Join(should[min(i, len(should)):min(i+8, len(should))], "\n"))
			return
		}
	}
}
