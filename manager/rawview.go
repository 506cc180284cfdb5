package manager

import (
	"encoding/binary"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/shmkit/shmkit/internal/clock"
	"github.com/shmkit/shmkit/internal/dict"
)

// A RawView is a dict of an [Inspection]. Keys and values are encodings: see package
// codec.
type RawView struct {
	m      *space
	called string // in errors
	name   string // "": it was asked for by its id
	o      surveyed
}

// Dict returns the dict of that name, or of "#" and an id. Errors: [ErrNotExist],
// [ErrKind].
func (n *Inspection) Dict(name string) (*RawView, error) {
	v := &RawView{m: n.m, called: name}
	id, named, err := n.m.find(name)
	if err == nil {
		v.o.id = id
		v.o.record, v.o.table, err = n.m.tableOf(id)
	}
	if err != nil {
		return nil, wrap("open", name, err)
	}
	if named {
		v.name = name
	}
	return v, nil
}

// find returns the id of the object that is called so, or that "#" and a number stand
// for; then it is not named.
func (m *space) find(name string) (id uint64, named bool, err error) {
	var e dict.Entry
	b, ok, err := m.lookup(m.names, m.store, []byte(name), &e)
	switch {
	case err != nil:
		return 0, false, err
	case ok && len(b) != 8:
		return 0, false, fmt.Errorf("%w: an id of %d bytes", ErrCorrupt, len(b))
	case ok:
		return binary.LittleEndian.Uint64(b), true, nil
	}
	if number, cut := strings.CutPrefix(name, "#"); cut {
		if id, err := strconv.ParseUint(number, 10, 64); err == nil {
			return id, false, nil
		}
	}
	return 0, false, ErrNotExist
}

// tableOf returns the table of the dict with the id.
func (m *space) tableOf(id uint64) (record, *dict.Table, error) {
	var e dict.Entry
	b, ok, err := m.lookup(m.objects, m.store, idKey(id), &e)
	if err != nil {
		return record{}, nil, err
	}
	if !ok {
		return record{}, nil, ErrNotExist
	}
	r, err := parseRecord(b)
	if err == nil {
		err = r.is(kindDict)
	}
	if err != nil {
		return r, nil, err
	}
	t, err := m.store.Table(r.ref, false)
	return r, t, err
}

// Types returns what keys and values are, as "string to plain int (8 bytes)".
func (v *RawView) Types() string { return v.o.record.text }

// Refers tells whether values are references to objects.
func (v *RawView) Refers() bool { return v.o.record.flags&recordRefers != 0 }

// Object describes the dict.
func (v *RawView) Object() ObjectInfo { return v.m.describe(v.name, &v.o) }

// A RawEntry is an entry, copied out of the shared memory.
type RawEntry struct {
	Key, Value []byte
	TTL        time.Duration // that it has to live; 0: it stays
}

// Get returns the entry of a key, and false if there is none.
func (v *RawView) Get(key []byte) (RawEntry, bool, error) {
	m := v.m
	var e dict.Entry
	for {
		ok, err := v.o.table.Seek(m.hash(key), key, &e)
		if !ok || err != nil {
			return RawEntry{}, false, wrap("get", v.called, err)
		}
		r := RawEntry{Key: slices.Clone(e.Key), Value: slices.Clone(e.Value)}
		gone := m.store.Expired(&e)
		if e.Flags&dict.FlagExpires != 0 {
			r.TTL = max(1, time.Duration(int64(e.Expiry-clock.Now())))
		}
		if m.store.Still(&e) {
			return r, !gone, nil
		}
	}
}

// All returns an iterator over the entries, in no order, with the promises of
// [Dict.All]. An error is yielded with an empty entry, and ends it.
func (v *RawView) All() iter.Seq2[RawEntry, error] {
	return func(yield func(RawEntry, error) bool) {
		var c dict.Cursor
		var b dict.Batch
		for {
			more, err := v.o.table.Next(&c, &b, false)
			if err != nil {
				yield(RawEntry{}, wrap("iterate", v.called, err))
			}
			if !more || err != nil {
				return
			}
			for i := range b.Len() {
				e, ok, err := v.Get(b.Key(i))
				if !ok && err == nil {
					continue // it was removed since
				}
				if !yield(e, err) || err != nil {
					return
				}
			}
		}
	}
}
