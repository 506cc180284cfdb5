//go:build unix && faultpoints

package ringqueue_test

import (
	"math/rand/v2"
	"time"

	"github.com/shmkit/shmkit/internal/fault"
	"github.com/shmkit/shmkit/internal/fault/faulttest"
)

// breakAt kills this process at its n-th step from now on in shared memory, and
// dawdles between steps until then: so histories are dense with operations that
// overlap step by step. With an n of 0 it goes back to normal.
func breakAt(n int, seed uint64) {
	if n == 0 {
		fault.SetHook(nil)
		return
	}
	rng := rand.New(rand.NewPCG(seed, 0)) // one goroutine carries the operations out
	fault.SetHook(func(string) {
		if n--; n == 0 {
			faulttest.Die()
		}
		if rng.IntN(4) == 0 {
			time.Sleep(time.Duration(rng.IntN(20)) * time.Microsecond)
		}
	})
}
