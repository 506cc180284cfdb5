//go:build faultpoints

package explore_test

import (
	"fmt"
	"sync/atomic"

	"github.com/shmkit/shmkit/internal/explore"
	"github.com/shmkit/shmkit/internal/fault"
	"github.com/shmkit/shmkit/internal/mem"
)

// account is a toy: two words that are equal but while somebody holds the lock. A
// process adds 1 to both. Its fields say what is wrong with it.
type account struct {
	lock, left, right atomic.Uint64 // lock: the owner's slot + 1; 0: free

	checkThenAct   bool // takes the lock with a store, if it was free before
	unlocksEarly   bool // before the second word
	leavesLock     bool // recovery does nothing
	freesLockFirst bool // recovery repairs after it has unlocked
	spins          bool // looks at the lock again and again
}

// A teller is a process at the account.
type teller struct {
	*explore.Actor
	m *account
}

func (m *account) look(w *atomic.Uint64) uint64 {
	fault.Look(w)
	return w.Load()
}

func (m *account) store(step string, w *atomic.Uint64, v uint64) {
	fault.Point(step)
	w.Store(v)
}

func (t *teller) acquire() {
	m, me := t.m, uint64(t.Slot+1)
	for {
		if m.checkThenAct {
			if m.look(&m.lock) == 0 {
				m.store("toy.take", &m.lock, me)
				return
			}
		} else {
			fault.Point("toy.lock")
			if m.lock.CompareAndSwap(0, me) {
				return
			}
		}
		if !m.spins {
			t.Await("the lock", func() bool { return m.lock.Load() == 0 })
		}
	}
}

func (t *teller) add() {
	m := t.m
	t.acquire()
	n := m.look(&m.left) + 1
	m.store("toy.left", &m.left, n)
	if m.unlocksEarly {
		m.store("toy.unlock", &m.lock, 0)
	}
	m.store("toy.right", &m.right, n)
	if !m.unlocksEarly {
		m.store("toy.unlock", &m.lock, 0)
	}
}

func (t *teller) recover() {
	m := t.m
	if m.leavesLock || m.look(&m.lock) != uint64(t.Dead.Slot+1) {
		return
	}
	if m.freesLockFirst {
		m.store("toy.free", &m.lock, 0)
	}
	m.store("toy.repair", &m.right, m.look(&m.left))
	if !m.freesLockFirst {
		m.store("toy.free", &m.lock, 0)
	}
}

// world describes the account to the explorer.
func (m *account) world() explore.World[*teller] {
	return explore.World[*teller]{
		Memory: []explore.Region{
			{Name: "lock", Bytes: mem.BytesOf(&m.lock)},
			{Name: "left", Bytes: mem.BytesOf(&m.left)},
			{Name: "right", Bytes: mem.BytesOf(&m.right)},
		},
		Start: func(a *explore.Actor) *teller { return &teller{Actor: a, m: m} },
		Do: func(t *teller, op string) func() {
			t.add()
			return nil
		},
		Recover: (*teller).recover,
		Changed: func(t *teller, cs []explore.Change) {
			for _, c := range cs {
				if c.Region == "lock" && c.Old != 0 && c.New != 0 {
					t.Failf("%s has taken the lock from slot %d", t.Name, c.Old-1)
				}
				if c.Region != "lock" && c.New != c.Old+1 {
					t.Failf("%s has made %s %d, then %d", t.Name, c.Region, c.Old, c.New)
				}
			}
		},
		Check: func(r *explore.Run) {
			if m.lock.Load() == 0 && m.left.Load() != m.right.Load() {
				r.Failf("the lock is free, and left is %d, right %d", m.left.Load(), m.right.Load())
			}
		},
		// Who has the lock doesn't care how often it has failed before, and who has
		// not, neither.
		Milestone: func(t *teller, step string, changed bool) uint64 {
			switch {
			case step != "toy.lock":
				return 0
			case changed:
				return 1
			default:
				return 2
			}
		},
		Format: func(_ string, v uint64) string { return fmt.Sprint(v) },
	}
}
