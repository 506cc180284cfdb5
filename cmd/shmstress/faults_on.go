//go:build faultpoints

package main

import (
	"math/rand/v2"
	"sync"
	"time"

	"github.com/shmkit/shmkit/internal/fault"
	"github.com/shmkit/shmkit/internal/futex"
)

// canFault tells whether the build has crash points.
const canFault = true

// arm makes this process lose wake-ups, and, after a random time, kill itself at
// a crash point. will is called before with the point's name, and may have it
// spared.
//
// To be killed at whatever point comes next would nearly always hit those of
// the commonest operation. So it first listens which points come by, and dies
// at one of them, all having equal chances; or, one time in four, within the
// first steps of its life.
func (f faults) arm(r *rand.Rand, will func(step string) bool) {
	if f.DropWakes > 0 {
		var mu sync.Mutex
		drop := rand.New(rand.NewPCG(r.Uint64(), 0))
		futex.DropWakes(func() bool {
			mu.Lock()
			defer mu.Unlock()
			return drop.Float64() < f.DropWakes
		})
	}
	if f.StepKills <= 0 {
		return
	}
	k := &stepKiller{rand: rand.New(rand.NewPCG(r.Uint64(), 1)), will: will, seen: map[string]bool{}}
	after := time.Duration(r.ExpFloat64() / f.StepKills * float64(time.Second))
	if r.IntN(4) == 0 && after < time.Second {
		soon := 1 + r.IntN(40)
		fault.SetHook(func(name string) {
			k.mu.Lock()
			defer k.mu.Unlock()
			if k.steps++; k.steps == soon {
				k.die(name)
			}
		})
		return
	}
	time.AfterFunc(after, func() { fault.SetHook(k.step) })
}

// listenFor is how many steps a process listens, and then waits for its point.
const listenFor = 1000

// A stepKiller chooses the crash point at which this process dies.
type stepKiller struct {
	mu    sync.Mutex
	rand  *rand.Rand
	will  func(step string) bool
	seen  map[string]bool
	names []string
	steps int
	at    string
}

func (k *stepKiller) step(name string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.steps++
	if k.steps < listenFor {
		if !k.seen[name] {
			k.seen[name] = true
			k.names = append(k.names, name)
		}
		return
	}
	if k.steps == listenFor {
		k.at = k.names[k.rand.IntN(len(k.names))]
	}
	if name == k.at || k.steps == 3*listenFor {
		k.die(name)
	}
}

func (k *stepKiller) die(name string) {
	if k.will(name) {
		killSelf()
	}
}
