package dict

import (
	"github.com/shmkit/shmkit/internal/fault"
	"github.com/shmkit/shmkit/internal/mem"
)

// A Reading tells whether entries that are looked up one after the other are those of
// one moment. A transaction's changes come one after the other: that each entry is
// still there does not mean that no two of them are from before and after it.
//
// It notes the versions of the stripes, each while the lock is free. As long as none
// has changed there was no change. The zero value is an empty one.
type Reading struct {
	locks []int
	vers  []uint64
}

// Add is called before an entry of that hash is looked up. It waits for a change in
// its stripe that is going on.
func (r *Reading) Add(t *Table, h uint64) {
	i := t.lockOf(t.stripeOf(h))
	for _, known := range r.locks {
		if known == i {
			return
		}
	}
	r.locks = append(r.locks, i)
	r.vers = append(r.vers, t.s.version(i))
}

// Holds tells whether nothing has changed in the stripes since they were noted.
func (r *Reading) Holds(s *Store) bool {
	mem.FenceLoads()
	for k, i := range r.locks {
		l := &s.stripes[i]
		fault.Look(&l.ver)
		if l.ver.Load() != r.vers[k] {
			return false
		}
	}
	return true
}

// Renew notes the stripes anew. Then the entries must be looked up again.
func (r *Reading) Renew(s *Store) {
	for k, i := range r.locks {
		r.vers[k] = s.version(i)
	}
}

// version returns the version of a stripe of which the lock was free afterwards. If
// it is held for long it waits in the line for it, which also repairs what a dead
// process has left.
func (s *Store) version(i int) uint64 {
	if v, ok := s.quiet(i); ok {
		return v
	}
	l := s.acquire(i)
	defer l.release()
	fault.Look(&l.ver)
	return l.ver.Load()
}

// quiet returns the version of a stripe, and whether its lock was free afterwards. The
// version comes first: a lock that is held may be in the middle of changes that the
// version has announced already.
func (s *Store) quiet(i int) (uint64, bool) {
	l := &s.stripes[i]
	fault.Look(&l.ver)
	v := l.ver.Load()
	for n := 0; ; n++ {
		fault.Look(&l.lock)
		switch {
		case l.lock.Load() == 0:
			return v, true
		case n == s.spins:
			return v, false
		}
		mem.Pause()
	}
}
