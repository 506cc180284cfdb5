package manager

import (
	"errors"
	"fmt"
	"math/bits"
	"slices"
	"strings"

	"github.com/shmkit/shmkit/internal/arena"
	"github.com/shmkit/shmkit/internal/clock"
	"github.com/shmkit/shmkit/internal/dict"
	"github.com/shmkit/shmkit/shm"
)

// An Inspection is a manager as seen from outside, by reading its file and nothing
// else: it writes nothing and takes no slot and no lock, so that nobody notices. It is
// what shmctl shows. The manager goes on meanwhile: figures need not belong to the same
// moment; a single entry is always one that was there.
//
// Its methods may be called from several goroutines, until the [shm.Inspection] under it is
// closed. Memory that contradicts itself is an [ErrCorrupt].
type Inspection struct {
	m    *space // only what reading needs
	name string
}

// Inspect reads the manager in a file opened with [shm.Inspect]. The error is [ErrKind]
// for another kind of segment, [shm.ErrLayout] for another version's, [ErrCorrupt] for
// impossible values.
func Inspect(i *shm.Inspection) (*Inspection, error) {
	info := i.Info()
	m, err := inspect(i, &info)
	if err != nil {
		return nil, wrap("inspect", info.Name, err)
	}
	return &Inspection{m, info.Name}, nil
}

func inspect(i *shm.Inspection, info *shm.Info) (*space, error) {
	if info.Kind != Kind {
		return nil, fmt.Errorf("%w: a %s", ErrKind, info.Kind)
	}
	if info.Layout != layout {
		return nil, fmt.Errorf("%w: %d, want %d", shm.ErrLayout, info.Layout, layout)
	}
	v, err := viewsOf(i.Body())
	if err != nil {
		return nil, err
	}
	if err := v.check(info.Slots); err != nil {
		return nil, err
	}
	a, err := arena.Open(v.memory, v.geo.arena(), outsider{})
	if err != nil {
		return nil, err
	}
	store, err := dict.Open(a, v.memory, outsider{}, dict.Options{Base: storeBase, Now: clock.Now})
	if err != nil {
		return nil, err
	}
	m := &space{views: v, store: store, seed: v.head.seed.Load(), evict: v.head.evict.Load() == 1}
	if m.objects, err = store.Table(v.head.objects.Load(), false); err != nil {
		return nil, fmt.Errorf("table of objects: %w", err)
	}
	if m.names, err = store.Table(v.head.names.Load(), false); err != nil {
		return nil, fmt.Errorf("table of names: %w", err)
	}
	return m, nil
}

// An outsider is the host of a store that is only read. It has no slot.
type outsider struct{}

func (outsider) Slot() int                   { return -1 }
func (outsider) Allocate(off, n int64) error { return errors.ErrUnsupported }
func (outsider) Free(off, n int64) error     { return errors.ErrUnsupported }
func (outsider) Probe(slot int) bool         { return false }

// MaxBytes returns how much memory the manager has for objects.
func (n *Inspection) MaxBytes() int64 { return int64(n.m.views.geo.chunks) * arena.ChunkSize }

// Evict tells whether it is a cache.
func (n *Inspection) Evict() bool { return n.m.evict }

// Fsck is [Manager.Fsck].
func (n *Inspection) Fsck() *Report { return n.m.fsck() }

// An ObjectInfo describes one of a manager's objects, with the figures of a dict.
type ObjectInfo struct {
	ID      uint64
	Name    string // "": it has none; see [ObjectInfo.Label]
	Kind    string // "dict"
	Types   string // of its contents
	Handles int    // process slots that have one
	Stats
}

// Label returns the object's name, or, if it has none, "#" and its id.
func (o *ObjectInfo) Label() string {
	if o.Name == "" {
		return fmt.Sprintf("#%d", o.ID)
	}
	return o.Name
}

// Objects returns the objects, by name, then those without one, by id. With an error,
// which says what is damaged, it returns the rest.
func (n *Inspection) Objects() ([]ObjectInfo, error) {
	s, err := n.m.survey()
	names := s.names()
	objects := make([]ObjectInfo, 0, len(s.objects))
	for i := range s.objects {
		o := &s.objects[i]
		if o.err != nil && err == nil {
			err = fmt.Errorf("object %d: %w", o.id, o.err)
		}
		objects = append(objects, n.m.describe(names[o.id], o))
	}
	slices.SortFunc(objects, func(a, b ObjectInfo) int {
		switch {
		case (a.Name == "") != (b.Name == ""):
			return strings.Compare(b.Name, a.Name)
		case a.Name != b.Name:
			return strings.Compare(a.Name, b.Name)
		case a.ID < b.ID:
			return -1
		}
		return 1
	})
	return objects, wrap("inspect", n.name, err)
}

func (m *space) describe(name string, o *surveyed) ObjectInfo {
	d := ObjectInfo{ID: o.id, Name: name, Kind: o.record.kindName(), Types: o.record.text}
	if _, size, ok := m.store.Arena.Page(o.record.ref); ok && size >= objectSize {
		for i := range uint64(slots / 64) {
			d.Handles += bits.OnesCount64(m.store.Arena.Words()[o.record.ref/8+objectHandles+i].Load())
		}
	}
	if o.table != nil {
		d.Stats = statsOf(o.table)
	}
	return d
}

func (r *record) kindName() string {
	if name, ok := kindNames[r.kind]; ok {
		return name
	}
	return fmt.Sprintf("kind %d", r.kind)
}
