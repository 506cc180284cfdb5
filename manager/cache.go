package manager

import (
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
	if n, err := m.evictFrom(t); n > 0 || err != nil {
		return n, err
	}
	var c dict.Cursor
	var b dict.Batch
	for {
		ok, err := m.objects.Next(&c, &b, true)
		if !ok || err != nil {
			return 0, err
		}
		for i := range b.Len() {
			v, _ := b.Value(i)
			r, err := parseRecord(v)
			if err != nil {
				return 0, err
			}
			if r.kind != kindDict || r.ref == t.Ref() {
				continue
			}
			other, err := m.store.Table(r.ref, m.evict)
			if err != nil {
				return 0, err
			}
			if n, err := m.evictFrom(other); n > 0 || err != nil {
				return n, err
			}
		}
	}
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

// expire removes some of the entries whose time is over, of one stripe of each dict
// at a time.
func (m *space) expire() error {
	var c dict.Cursor
	var b dict.Batch
	for {
		ok, err := m.objects.Next(&c, &b, true)
		if !ok || err != nil {
			return err
		}
		for i := range b.Len() {
			v, _ := b.Value(i)
			r, err := parseRecord(v)
			if err != nil {
				return err
			}
			if r.kind != kindDict {
				continue
			}
			t, err := m.store.Table(r.ref, m.evict)
			if err != nil {
				return err
			}
			for stripe := range t.Stripes() {
				if _, err := t.Evict(stripe, evictBatch, dict.Expired); err != nil {
					return err
				}
			}
		}
	}
}
