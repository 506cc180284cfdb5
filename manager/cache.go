package manager

import (
	"encoding/binary"
	"errors"

	"github.com/shmkit/shmkit/internal/arena"
	"github.com/shmkit/shmkit/internal/dict"
)

// evictBatch is how many entries go when there is no room for a new one.
const evictBatch = 32

// room makes room for an entry, in a cache if need be at the cost of others.
func (m *space) room(t *dict.Table, key []byte, size int, expiry uint64) (dict.Draft, error) {
	for {
		d, err := m.store.Draft(key, size, 0, expiry)
		if err == nil || !m.evict || !errors.Is(err, arena.ErrNoSpace) {
			return d, err
		}
		n, evictErr := m.giveUp(t)
		if evictErr != nil {
			return d, evictErr
		}
		if n == 0 {
			return d, err
		}
	}
}

// giveUp evicts some entries of a table, of one stripe after the other. It returns 0
// only if there are none left, also in other dicts.
func (m *space) giveUp(t *dict.Table) (int, error) {
	n, err := m.evictFrom(t)
	if n > 0 || err != nil {
		return n, err
	}
	err = m.eachDict(func(other *dict.Table) (bool, error) {
		var err error
		n, err = m.evictFrom(other)
		return n == 0, err
	})
	return n, err
}

// eachDict calls f with all dicts, of which this process has a handle meanwhile, until
// it is false or fails.
func (m *space) eachDict(f func(*dict.Table) (bool, error)) error {
	stop := errors.New("stop")
	err := m.eachIn(m.objects, func(key, value []byte) error {
		r, err := parseRecord(value)
		if err != nil || r.kind != kindDict || len(key) != 8 || r.flags&recordDying != 0 {
			return err
		}
		o, err := m.tryHold(binary.LittleEndian.Uint64(key))
		if o == nil || err == errDying {
			return nil
		}
		if err != nil {
			return err
		}
		defer m.drop(o)
		t, err := m.store.Table(o.record.ref, m.evict)
		if err != nil {
			return err
		}
		more, err := f(t)
		if err == nil && !more {
			err = stop
		}
		return err
	})
	if err == stop {
		err = nil
	}
	return err
}

// evictFrom evicts some entries of a table; 0 if it has none. Each stripe's hand comes
// round some times before a warm entry is cold.
func (m *space) evictFrom(t *dict.Table) (int, error) {
	const rounds = 5
	for range rounds {
		if t.Len() == 0 {
			return 0, nil
		}
		for range t.Stripes() {
			stripe := int(m.hand.Add(1) % uint64(t.Stripes()))
			for range t.Rounds(stripe) {
				n, err := t.Evict(stripe, evictBatch, dict.Cold)
				if n > 0 || err != nil {
					return n, err
				}
			}
		}
	}
	return 0, nil
}

// expire removes some of the entries whose time is over, in each stripe of each dict.
func (m *space) expire() error {
	return m.eachDict(func(t *dict.Table) (bool, error) {
		for stripe := range t.Stripes() {
			if _, err := t.Evict(stripe, evictBatch, dict.Expired); err != nil {
				return false, err
			}
		}
		return true, nil
	})
}
