package main

import (
	"fmt"
	"time"

	"github.com/shmkit/shmkit/manager"
	"github.com/shmkit/shmkit/shm"
)

// surveyManager reads a manager's objects. With an error, which says what is damaged, it
// returns the rest, if there is any.
func surveyManager(i *shm.Inspection) (*objectTable, error) {
	m, err := manager.Inspect(i)
	if err != nil {
		return nil, err
	}
	objects, err := m.Objects()
	t := &objectTable{MaxBytes: m.MaxBytes(), Evict: m.Evict(), Objects: []object{}}
	for i := range objects {
		o := objectOf(&objects[i])
		t.Objects = append(t.Objects, o)
		t.Entries += o.Entries
		t.Used += o.Bytes + o.Table
	}
	return t, err
}

// objectOf is what the inspection says in the words of the contract.
func objectOf(o *manager.ObjectInfo) object {
	return object{
		ID: o.ID, Name: o.Name, Kind: o.Kind, Type: o.Types, Entries: o.Entries, Bytes: o.Bytes,
		Table: o.Table, Evicted: o.Evicted, Expired: o.Expired, Handles: o.Handles,
	}
}

// label is how an object is named on the command line.
func (o *object) label() string {
	if o.Name == "" {
		return fmt.Sprintf("#%d", o.ID)
	}
	return o.Name
}

func (t *objectTable) facts() [][2]string {
	full := "new entries are refused"
	if t.Evict {
		full = "entries that were not used lately are given up"
	}
	return [][2]string{
		{"entries", count(t.Entries)},
		{"used", fmt.Sprintf("%s of %s, %d %%", size(t.Used), size(t.MaxBytes), t.Used/max(t.MaxBytes/100, 1))},
		{"when full", full},
	}
}

func (t *objectTable) grid() *grid {
	const most = 50
	g := &grid{columns: columns("OBJECT", "KIND", "ENTRIES>", "BYTES>", "TABLE>", "HANDLES>", "TYPE")}
	for i := range t.Objects {
		o := &t.Objects[i]
		if i == most {
			g.add(fmt.Sprintf("… %d more", len(t.Objects)-most))
			break
		}
		g.add(o.label(), o.Kind, count(o.Entries), size(o.Bytes), size(o.Table), count(o.Handles), o.Type)
	}
	return g
}

// facts are a dict's.
func (s *dictStat) facts() [][2]string {
	return [][2]string{
		{"dict", s.Manager + "/" + s.label()},
		{"id", fmt.Sprint(s.ID)},
		{"type", s.Type},
		{"entries", count(s.Entries)},
		{"bytes", exactSize(s.Bytes)},
		{"table", exactSize(s.Table)},
		{"evicted", count(s.Evicted)},
		{"expired", count(s.Expired)},
		{"handles", count(s.Handles)},
	}
}

// ttlText is how long an entry has to live.
func (e *entry) ttlText() string {
	if e.TTL == nil {
		return none
	}
	return span(time.Duration(*e.TTL * float64(time.Second)))
}

// sample is the manager at the end of an interval.
func (t *objectTable) sample() *managerSample {
	s := &managerSample{Objects: len(t.Objects), Entries: t.Entries, Used: t.Used}
	for i := range t.Objects {
		s.Evicted += t.Objects[i].Evicted
		s.Expired += t.Objects[i].Expired
	}
	return s
}
