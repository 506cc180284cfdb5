package manager

import (
	"encoding/binary"
	"fmt"

	"github.com/shmkit/shmkit/internal/dict"
)

// A survey is what a manager's two tables say there is. It is made by those who look
// at the whole of it: Fsck and inspections. While others go on, an object may be in it
// without its name, or not be in it any more.
type survey struct {
	objects []surveyed // in no order
	named   []binding
}

// A binding is an entry of the table of names.
type binding struct {
	name string
	id   uint64
}

// A surveyed is an object.
type surveyed struct {
	id     uint64
	record record
	table  *dict.Table // if it is one; nil if err says why it has none
	err    error
}

// survey reads the two tables. With an error it returns what it could read.
func (m *space) survey() (*survey, error) {
	s := new(survey)
	err := m.eachIn(m.objects, func(key, value []byte) error {
		r, err := parseRecord(value)
		if err == nil && len(key) != 8 {
			err = fmt.Errorf("%w: an id of %d bytes", ErrCorrupt, len(key))
		}
		if err != nil {
			return err
		}
		o := surveyed{id: binary.LittleEndian.Uint64(key), record: r}
		if r.isTable() {
			o.table, o.err = m.store.Table(r.ref, false)
		}
		s.objects = append(s.objects, o)
		return nil
	})
	if err != nil {
		return s, fmt.Errorf("table of objects: %w", err)
	}
	err = m.eachIn(m.names, func(key, value []byte) error {
		if len(value) != 8 {
			return fmt.Errorf("%w: name %q has an id of %d bytes", ErrCorrupt, key, len(value))
		}
		s.named = append(s.named, binding{string(key), binary.LittleEndian.Uint64(value)})
		return nil
	})
	if err != nil {
		return s, fmt.Errorf("table of names: %w", err)
	}
	return s, nil
}

// names returns the names by id.
func (s *survey) names() map[uint64]string {
	names := make(map[uint64]string, len(s.named))
	for _, b := range s.named {
		names[b.id] = b.name
	}
	return names
}
