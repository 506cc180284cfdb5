package manager_test

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/shmkit/shmkit/manager"
)

// plate is an element that shows when it is not whole.
type plate [100]uint64

func plateOf(n uint64) (p plate) {
	for i := range p {
		p[i] = n
	}
	return p
}

func (p *plate) whole() bool { return *p == plateOf(p[0]) }

// TestListCallbacks has one goroutine replace elements, so that memory is given out again at once,
// while others have functions of theirs look at them: these see elements that are whole, and
// their error is the caller's only if they have seen one.
func TestListCallbacks(t *testing.T) {
	dir := tempDir(t)
	m, n := open(t, &manager.Options{Dir: dir}), open(t, &manager.Options{Dir: dir})
	mine, theirs := newList[plate](t, m, "l"), newList[plate](t, n, "l")
	for i := range 3 {
		must(t, mine.Append(plateOf(uint64(i))))
	}
	errTorn, errSeen := errors.New("torn"), errors.New("no change")
	look := func(p plate) (plate, error) {
		if !p.whole() {
			return p, errTorn
		}
		return p, errSeen
	}
	deadline := time.Now().Add(500 * time.Millisecond)
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := uint64(0); time.Now().Before(deadline); i++ {
			if err := theirs.Set(int(i%3), plateOf(i)); err != nil {
				t.Error(err)
				return
			}
		}
	})
	for range 2 {
		wg.Go(func() {
			for time.Now().Before(deadline) && !t.Failed() {
				if _, err := mine.Update(1, look); !errors.Is(err, errSeen) {
					t.Errorf("update: %v", err)
				}
				err := mine.Sort(func(a, b plate) int {
					if !a.whole() || !b.whole() {
						t.Error("sort: torn")
					}
					return 0
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	clean(t, m)
}
