package manager

import (
	"fmt"

	"github.com/shmkit/shmkit/internal/dict"
)

// A Report is what [Manager.Fsck] or [Inspection.Fsck] has found.
type Report struct {
	Objects  int      // named and nested ones
	Entries  int      // of all dicts
	Chunks   int      // of 64 KiB, that have ever been used
	Unused   int      // of them, that hold nothing now
	Live     int      // blocks that something refers to
	Free     int      // blocks that can be given out
	Retired  int      // blocks that can be when nobody reads them any more
	Bytes    int64    // of the live blocks
	Problems []string // what should not be; while others work, also what they are in the middle of; some hundred at most
}

// OK tells whether there was no problem.
func (r *Report) OK() bool { return len(r.Problems) == 0 }

func (r *Report) problem(format string, args ...any) {
	const most = 100
	if len(r.Problems) < most {
		r.Problems = append(r.Problems, fmt.Sprintf(format, args...))
	}
}

// Fsck looks at all of the manager's memory: whether every block is exactly one of
// free, live and reachable, or retired, every key where it is looked for, every count
// right, and every name and reference that of an object. It takes no lock and changes
// nothing. It blocks for about a second for 10 million entries.
func (m *Manager) Fsck() (*Report, error) {
	if err := m.seg.Acquire(); err != nil {
		return nil, wrap("fsck", m.Name(), err)
	}
	defer m.seg.Release()
	return m.fsck(), nil
}

// fsck needs nothing but the tables and the store: so it also serves those who only
// look.
func (m *space) fsck() *Report {
	r := new(Report)
	s, err := m.survey()
	if err != nil {
		r.problem("%v", err)
	}
	tables := []*dict.Table{m.objects, m.names}
	owner := map[uint64]string{m.objects.Ref(): "the table of objects", m.names.Ref(): "the table of names"}
	var others []surveyed // what has no table
	for _, o := range s.objects {
		r.Objects++
		if before := owner[o.record.ref]; before != "" {
			r.problem("object %d: its block %#x is that of %s", o.id, o.record.ref, before)
			continue
		}
		owner[o.record.ref] = fmt.Sprintf("object %d", o.id)
		switch {
		case o.err != nil:
			r.problem("object %d: %v", o.id, o.err)
		case o.table == nil:
			others = append(others, o)
		default:
			r.Entries += o.table.Len()
			tables = append(tables, o.table)
			m.checkReferences(r, &o)
		}
		if o.table != nil && m.dying(o.record.ref).Load() == 0 { // else it is half taken apart
			for _, p := range o.table.Check() {
				r.problem("object %d: %s", o.id, p)
			}
		}
	}
	for i, t := range tables[:2] {
		for _, p := range t.Check() {
			r.problem("%s: %s", [...]string{"table of objects", "table of names"}[i], p)
		}
	}
	m.checkNames(r, s)
	a := m.store.Arena.Fsck(func(visit func(ref uint64, what string) bool) {
		for _, t := range tables {
			t.Reach(visit, nil)
		}
		for _, o := range others {
			visit(o.record.ref, o.record.kindName())
		}
	})
	r.Chunks, r.Unused, r.Live, r.Free, r.Retired, r.Bytes = a.Chunks, a.Holes+a.Unused, a.Live, a.Free, a.Retired, a.Bytes
	r.Problems = append(r.Problems, a.Problems...)
	return r
}

// checkNames reports names of no object. What was not there when the objects were read
// may have come since: the tables are asked once more.
func (m *space) checkNames(r *Report, s *survey) {
	known := make(map[uint64]bool, len(s.objects))
	for _, o := range s.objects {
		known[o.id] = true
	}
	for _, b := range s.named {
		if !known[b.id] && !m.hasObject(b.id) {
			r.problem("name %q: there is no object %d", b.name, b.id)
		}
	}
}

// checkReferences reports entries that refer to no object.
func (m *space) checkReferences(r *Report, o *surveyed) {
	if o.record.flags&recordRefers == 0 {
		return
	}
	err := m.eachIn(o.table, func(key, value []byte) error {
		err := o.record.eachReference(key, value, func(id uint64) error {
			if id != 0 && !m.hasObject(id) {
				r.problem("object %d: entry %.40q refers to object %d, which there is not", o.id, key, id)
			}
			return nil
		})
		if err != nil {
			r.problem("object %d: entry %.40q: %v", o.id, key, err)
		}
		return nil
	})
	if err != nil {
		r.problem("object %d: %v", o.id, err)
	}
}

// hasObject tells whether the table of objects has the id. An error is one that
// reading the table has met before.
func (m *space) hasObject(id uint64) bool {
	var e dict.Entry
	ok, err := m.objects.Seek(m.hash(idKey(id)), idKey(id), &e)
	return ok || err != nil
}
