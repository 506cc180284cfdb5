//go:build faultpoints

package fault_test

import (
	"slices"
	"testing"

	"github.com/shmkit/shmkit/internal/fault"
)

func TestHook(t *testing.T) {
	var got []string
	fault.SetHook(func(step string) { got = append(got, step) })
	fault.Point("a")
	fault.Point("b")
	fault.SetHook(nil)
	fault.Point("c")
	if want := []string{"a", "b"}; !slices.Equal(got, want) {
		t.Fatalf("steps seen: %q, want %q", got, want)
	}
}
