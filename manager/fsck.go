package manager

import (
	"fmt"

	"github.com/shmkit/shmkit/internal/dict"
)

// A Report is what [Manager.Fsck] has found.
type Report struct {
	Objects  int      // named and nested ones
	Entries  int      // of all dicts
	Chunks   int      // of 64 KiB, that have ever been used
	Unused   int      // of them, that hold nothing now
	Live     int      // blocks that something refers to
	Free     int      // blocks that can be given out
	Retired  int      // blocks that can be when nobody reads them any more
	Bytes    int64    // of the live blocks
	Problems []string // what should not be; while others work, also what they are in the middle of
}

// OK tells whether there was no problem.
func (r *Report) OK() bool { return len(r.Problems) == 0 }

// Fsck looks at all of the manager's memory: whether every block is exactly one of
// free, live and reachable, or retired, every key where it is looked for, and every count
// right. It takes no lock and changes nothing. It blocks for about a second for 10
// million entries.
func (m *Manager) Fsck() (*Report, error) {
	if err := m.seg.Acquire(); err != nil {
		return nil, wrap("fsck", m.Name(), err)
	}
	defer m.seg.Release()
	r, err := m.fsck()
	return r, wrap("fsck", m.Name(), err)
}

func (m *space) fsck() (*Report, error) {
	r := new(Report)
	var tables []*dict.Table
	err := m.eachIn(m.objects, func(key, value []byte) error {
		rec, err := parseRecord(value)
		if err != nil {
			return err
		}
		r.Objects++
		if rec.kind == kindDict {
			t, err := m.store.Table(rec.ref, false)
			if err != nil {
				r.Problems = append(r.Problems, fmt.Sprintf("object %x: %v", key, err))
				return nil
			}
			r.Entries += t.Len()
			tables = append(tables, t)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	tables = append(tables, m.objects, m.names)
	for _, t := range tables {
		for _, p := range t.Check() {
			r.Problems = append(r.Problems, fmt.Sprintf("object %d: %s", t.ID(), p))
		}
	}
	a := m.store.Arena.Fsck(func(visit func(ref uint64, what string) bool) {
		for _, t := range tables {
			t.Reach(visit, nil)
		}
	})
	r.Chunks, r.Unused, r.Live, r.Free, r.Retired, r.Bytes = a.Chunks, a.Holes+a.Unused, a.Live, a.Free, a.Retired, a.Bytes
	r.Problems = append(r.Problems, a.Problems...)
	return r, nil
}
