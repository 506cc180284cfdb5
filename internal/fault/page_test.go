package fault_test

import (
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"github.com/shmkit/shmkit/internal/fault/faulttest"
)

// TestPageNamesEachCrashPoint sees to it that docs/crash-safety.md says of every
// crash point what is left behind there, by its name or by a pattern.
func TestPageNamesEachCrashPoint(t *testing.T) {
	page, err := os.ReadFile(filepath.Join(root, "docs", "crash-safety.md"))
	if err != nil {
		t.Fatal(err)
	}
	var named []string
	for _, m := range regexp.MustCompile("`([a-z._*]+)`").FindAllSubmatch(page, -1) {
		named = append(named, string(m[1]))
	}
	for dir, prefix := range marked {
		steps, err := faulttest.Steps(filepath.Join(root, dir), prefix)
		if err != nil {
			t.Fatal(err)
		}
		for step, pos := range steps {
			if !slices.ContainsFunc(named, func(pattern string) bool {
				ok, _ := path.Match(pattern, step)
				return ok
			}) {
				t.Errorf("%v: %s is not on the page", pos, step)
			}
		}
	}
}
