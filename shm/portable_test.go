//go:build portable || !linux

package shm_test

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/shmkit/shmkit/shm"
)

// Lock files come and go, and yet only one at a time holds one.
func TestLockFileExclusion(t *testing.T) {
	path := pathOf(testDir(t), "lock")
	var holders, turns atomic.Int64
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for turns.Load() < 1000 {
				drop, err := shm.LockFile(path)
				if err != nil {
					t.Error(err)
					return
				}
				if drop == nil {
					continue
				}
				n := holders.Add(1)
				for range 20 {
					runtime.Gosched() // let the others try
				}
				if n != 1 || holders.Add(-1) != 0 {
					t.Error("two holders")
					turns.Store(1000)
				}
				turns.Add(1)
				drop()
			}
		})
	}
	wg.Wait()
}

// A join must not come between a look for abandoned segments and its end.
func TestJoinWaitsForDirectory(t *testing.T) {
	o := shm.Impatient(shm.Options{Dir: testDir(t), Persistent: true})
	s := create(t, "x", 8, o)
	unlock := must(shm.LockDir(o.Dir))(t)
	_, err := shm.Open("x", o)
	wantError(t, "open", err, shm.ErrBusy)
	unlock()
	open(t, "x", o)
	s.Close()
}
