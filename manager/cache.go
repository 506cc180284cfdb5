package manager

import (
	"encoding/binary"
	"errors"
	"math/rand/v2"

	"github.com/shmkit/shmkit/internal/arena"
	"github.com/shmkit/shmkit/internal/dict"
)

// evictBatch is how many entries go when there is no room for a new one.
const evictBatch = 32

// relieve gives entries up so that there may be room for a block of n bytes. First
// they are some that are not in use; if that has not helped, it is those in some
// page of blocks of another size. It is false when there is nothing to give up.
func (m *space) relieve(n, try int) (bool, error) {
	if n > m.views.geo.chunks*arena.ChunkSize/2 {
		return false, nil // all of the cache would go, and it might still not fit
	}
	if try%4 == 0 {
		if ok, err := m.emptyPage(n); ok || err != nil {
			return ok, err
		}
	}
	gone, err := m.giveUp()
	if gone > 0 || err != nil {
		return err == nil, err
	}
	return m.emptyPage(n)
}

// emptyPage gives up the entries in some page of blocks that are not for n bytes, so
// that it can be used for others. It is false when there is no such page to be had.
func (m *space) emptyPage(n int) (bool, error) {
	for range 2 * m.views.geo.chunks {
		chunk, refs, ok := m.store.Arena.Victim(n)
		if !ok {
			return false, nil
		}
		if err := m.evictBlocks(refs); err != nil {
			return false, err
		}
		if m.store.Arena.Vacate(chunk) {
			return true, nil
		}
	}
	return false, nil
}

// evictBlocks evicts the entries in blocks, of whichever dict they are.
func (m *space) evictBlocks(refs []uint64) error {
	for _, ref := range refs {
		key, ok := m.store.KeyOf(ref)
		if !ok {
			continue
		}
		h := m.hash(key)
		err := m.eachDict(func(t *dict.Table) (bool, error) {
			gone, err := t.EvictBlock(h, ref)
			return !gone, err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// giveUp evicts some entries of a dict, which is chosen by chance, the more likely the
// more entries it has. It returns 0 only if there are none.
func (m *space) giveUp() (n int, err error) {
	total, chosen := 0, uint64(0)
	err = m.eachDict(func(t *dict.Table) (bool, error) {
		if n := t.Len(); n > 0 {
			if total += n; rand.IntN(total) < n {
				chosen = t.ID()
			}
		}
		return true, nil
	})
	if total == 0 || err != nil {
		return 0, err
	}
	o, err := m.hold(chosen)
	if o == nil || err != nil {
		return 0, err
	}
	defer m.drop(o)
	t, err := m.store.Table(o.record.ref, m.evict)
	if err != nil {
		return 0, err
	}
	return m.evictFrom(t)
}

// eachDict calls f with all dicts and sets, of which this process has a handle meanwhile, until
// it is false or fails.
func (m *space) eachDict(f func(*dict.Table) (bool, error)) error {
	stop := errors.New("stop")
	err := m.eachIn(m.objects, func(key, value []byte) error {
		r, err := parseRecord(value)
		if err != nil || r.kind != kindDict && r.kind != kindSet || len(key) != 8 {
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
