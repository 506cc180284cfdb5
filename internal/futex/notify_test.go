package futex_test

import (
	"os/exec"
	"regexp"
	"sync/atomic"
	"testing"

	"github.com/shmkit/shmkit/internal/futex"
)

func TestNotify(t *testing.T) {
	for _, c := range []struct {
		name       string
		word, want uint32
		woke       bool
	}{
		{"nobody waits", 6, 6, false},
		{"somebody waits", 7, 8, true},
		{"the sequence wraps", 0xffffffff, 0, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			var w atomic.Uint32
			w.Store(c.word)
			if woke := futex.Notify(&w); woke != c.woke {
				t.Errorf("woke = %v, want %v", woke, c.woke)
			}
			if got := w.Load(); got != c.want {
				t.Errorf("the word is %d, want %d", got, c.want)
			}
		})
	}
}

// Notify stands behind every put and get: it must be inlined and cost one load.
func TestNotifyIsInlined(t *testing.T) {
	out, err := exec.Command("go", "build", "-gcflags=-m", ".").CombinedOutput()
	if err != nil {
		t.Skipf("no compiler here: %v: %s", err, out)
	}
	if !regexp.MustCompile(`can inline Notify\b`).Match(out) {
		t.Errorf("Notify is not inlined")
	}
	if regexp.MustCompile(`can inline notify\b`).Match(out) {
		t.Errorf("notify, the slow path, is inlined into Notify")
	}
}

func TestNotifyAllocatesNothing(t *testing.T) {
	var w atomic.Uint32
	if n := testing.AllocsPerRun(100, func() {
		w.Or(1)
		futex.Notify(&w)
		futex.Notify(&w)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkNotifyNobody(b *testing.B) {
	var w atomic.Uint32
	for b.Loop() {
		futex.Notify(&w)
	}
}
