package manager_test

import (
	"errors"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/shmkit/shmkit/manager"
)

// TestCloseBesideReads closes managers while goroutines read from them, with and
// without a glance: what they get is the value, or that the manager is closed.
func TestCloseBesideReads(t *testing.T) {
	dir := tempDir(t)
	keep := open(t, &manager.Options{Dir: dir, Evict: true})
	numbers := newDict[string, int](t, keep, "numbers")
	texts := newDict[string, string](t, keep, "texts")
	long := strings.Repeat("long ", 1000)
	must(t, numbers.Set("k", 42))
	must(t, texts.Set("k", long))
	for range 50 {
		m, err := manager.OpenExisting("m", &manager.Options{Dir: dir})
		must(t, err)
		numbers := newDict[string, int](t, m, "numbers")
		texts := newDict[string, string](t, m, "texts")
		var reads atomic.Int64
		var all sync.WaitGroup
		reader := func(read func() (good bool, err error)) {
			all.Go(func() {
				for closed := false; ; reads.Add(1) {
					good, err := read()
					switch {
					case errors.Is(err, manager.ErrClosed):
						return
					case err != nil || !good:
						t.Errorf("%v, %v", good, err)
						return
					case closed:
						t.Error("a read of a closed manager")
						return
					}
					closed = m.Segment().Closed()
				}
			})
		}
		reader(func() (bool, error) {
			v, ok, err := numbers.Get("k")
			return ok && v == 42, err
		})
		reader(func() (bool, error) {
			v, ok, err := texts.Get("k")
			return ok && v == long, err
		})
		reader(func() (bool, error) {
			ok, err := numbers.Contains("absent")
			return !ok, err
		})
		reader(func() (bool, error) { return texts.Contains("k") })
		for reads.Load() < 100 {
			runtime.Gosched()
		}
		must(t, m.Close())
		all.Wait()
	}
}
