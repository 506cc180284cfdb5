package main

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/shmkit/shmkit/manager"
)

// Each own key goes through versions: what a version is follows from its key, its number
// and the seed: a value, or that there is none. So it is known of each key, at any
// moment, which version it has for sure at least, and which at most.

// An ownState is what a place knows of a key of its own.
type ownState struct {
	version uint64
	present bool
}

// absent tells whether a version is that there is no value. The first one is.
func (m *mint) absent(k ownKey, version uint64) bool {
	return version == 0 || mix(m.seed^uint64(k.Place)<<40^uint64(k.Key)<<20^version)%5 == 0
}

// recordOf returns the record that stands for a version.
func recordOf(k ownKey, version uint64) recordID {
	return recordID{seat: uint8(k.Place), life: k.Key + 1, seq: version}
}

// versionOf checks a value to the byte, and returns which version of the key it is.
func (m *mint) versionOf(k ownKey, b []byte) (uint64, error) {
	id, _, err := parse(b)
	if err == nil {
		err = m.check(b)
	}
	if err != nil {
		return 0, found(torn, "%v: %v", k, err)
	}
	if want := recordOf(k, id.seq); id != want {
		return 0, found(invented, "%v has the value of %v", k, id)
	}
	return id.seq, nil
}

// inherit finds out what the lives before have left of this place's keys: of what the last
// one was in the middle of, either it has happened or it has not.
func (m *dictMember) inherit() error {
	m.own = make([]ownState, m.Keys)
	for i := range m.own {
		k, line := m.key(m.Place, i), &m.board.keys[m.Place][i]
		s, err := m.settle(k, line)
		if err != nil {
			return err
		}
		line.acked.Store(s.version)
		line.tried.Store(s.version)
		m.own[i] = s
	}
	return nil
}

func (m *dictMember) key(place, i int) ownKey { return ownKey{uint32(place), uint32(i)} }

// settle tells which version a key has whose writer is gone.
func (m *dictMember) settle(k ownKey, line *keyLine) (ownState, error) {
	return settleKey(m.hoard, &m.mint, k, line)
}

func settleKey(h *hoard, m *mint, k ownKey, line *keyLine) (s ownState, err error) {
	acked, tried := line.acked.Load(), line.tried.Load()
	b, ok, err := h.values.Get(k)
	if err != nil {
		return s, err
	}
	if ok {
		v, err := m.versionOf(k, b)
		if err == nil && v != acked && v != tried || err == nil && m.absent(k, v) {
			err = found(stale, "%v has version %d, and its writer left it with %d or %d", k, v, acked, tried)
		}
		return ownState{v, true}, err
	}
	for _, v := range []uint64{tried, acked} {
		if m.absent(k, v) {
			return ownState{v, false}, nil
		}
	}
	return s, found(lost, "%v has no value, and its writer left it with version %d or %d", k, acked, tried)
}

// write makes the next version of one of this place's keys.
func (m *dictMember) write() error {
	i := m.rand.IntN(m.Keys)
	k, line, s := m.key(m.Place, i), &m.board.keys[m.Place][i], &m.own[i]
	next := ownState{version: s.version + 1}
	next.present = !m.mint.absent(k, next.version)
	line.tried.Store(next.version)
	if err := m.put(k, *s, next); err != nil {
		return err
	}
	line.acked.Store(next.version)
	*s = next
	m.changed()
	return nil
}

// value returns the value of a version, in the member's buffer.
func (m *dictMember) value(k ownKey, version uint64) []byte {
	id := recordOf(k, version)
	m.buf = slices.Grow(m.buf[:0], m.mint.sizeOf(id))[:m.mint.sizeOf(id)]
	m.mint.fill(m.buf, id, plainRecord)
	return m.buf
}

// put takes a key from one state to the next by one of the ways that there are, and
// looks whether what it returns fits.
func (m *dictMember) put(k ownKey, from, to ownState) error {
	d := m.values
	var ok bool
	var err error
	wants := true // of ok
	how := ""
	switch b := m.rand.IntN(8); {
	case !to.present && b < 4:
		how, wants = "Delete", from.present
		ok, err = d.Delete(k)
	case !to.present:
		how, wants = "Pop", from.present
		var old []byte
		old, ok, err = d.Pop(k)
		if err == nil && ok {
			err = m.is(k, old, from)
		}
	case b == 0 && from.present:
		how = "Replace"
		ok, err = d.Replace(k, m.value(k, to.version))
	case b == 0:
		how = "SetNX"
		ok, err = d.SetNX(k, m.value(k, to.version))
	case b == 1:
		how, ok = "SetMany", true
		err = d.SetMany(map[ownKey][]byte{k: m.value(k, to.version)})
	case b == 2:
		how, wants = "Update", from.present
		_, err = d.Update(k, func(old []byte, present bool) ([]byte, error) {
			if ok = present; ok {
				if err := m.is(k, old, from); err != nil {
					return nil, err
				}
			}
			return m.value(k, to.version), nil
		})
	case b == 3 && from.present:
		how = "CompareAndSwap"
		old := slices.Clone(m.value(k, from.version))
		ok, err = d.CompareAndSwap(k, old, m.value(k, to.version))
	case b == 4 && !from.present:
		how, wants = "SetDefault", false
		_, ok, err = d.SetDefault(k, m.value(k, to.version))
	case b == 5:
		how, ok = "Tx", true
		err = m.m.Tx(m.ctx, func(tx *manager.Tx) error { return d.In(tx).Set(k, m.value(k, to.version)) })
	default:
		how, ok = "Set", true
		err = d.Set(k, m.value(k, to.version), manager.TTL(time.Hour))
	}
	if err == nil && ok != wants {
		err = found(wrong, "%s of %v, version %d, which was there: %v, returned %v", how, k, to.version, from.present, ok)
	}
	return err
}

// is checks that a value is a state's.
func (m *dictMember) is(k ownKey, b []byte, s ownState) error {
	v, err := m.mint.versionOf(k, b)
	if err == nil && v != s.version {
		err = found(stale, "%v has version %d, and %d is the last one", k, v, s.version)
	}
	return err
}

// read reads some key by one of the ways that there are, and looks whether what it has is
// what it may have.
func (m *dictMember) read() error {
	k := m.key(m.rand.IntN(m.Places), m.rand.IntN(m.Keys))
	line := &m.board.keys[k.Place][k.Key]
	low := max(line.acked.Load(), m.versions[k])
	var b []byte
	var ok bool
	var err error
	switch m.rand.IntN(5) {
	case 0:
		b, ok, err = m.values.Get(k)
	case 1:
		ok, err = m.values.GetInto(k, &m.buf)
		b = m.buf
	case 2:
		var all map[ownKey][]byte
		all, err = m.values.GetMany(k, m.key(m.Place, 0))
		b, ok = all[k]
	case 3:
		err = m.m.Tx(m.ctx, func(tx *manager.Tx) (err error) {
			b, ok, err = m.values.In(tx).Get(k)
			return err
		})
		if bears(err) {
			return nil
		}
	case 4:
		b = nil
		ok, err = m.values.View(k, func(v []byte) error {
			b = append(m.buf[:0], v...) // it is whole, or the view has expired
			return nil
		})
	}
	if errors.Is(err, manager.ErrViewExpired) {
		return nil // this process was stopped for long
	}
	if err != nil {
		return fmt.Errorf("%v: %w", k, err)
	}
	high := line.tried.Load()
	if !ok {
		return m.missed(k, low, high)
	}
	v, err := m.mint.versionOf(k, b)
	switch {
	case err != nil:
		return err
	case v < low:
		return found(stale, "%v has version %d, and version %d was there before", k, v, low)
	case v > high || m.mint.absent(k, v):
		return found(invented, "%v has version %d, and nobody has gone beyond %d", k, v, high)
	}
	m.versions[k] = v
	return nil
}

// missed looks whether a key may have had no value: in one of the versions.
func (m *dictMember) missed(k ownKey, low, high uint64) error {
	for v := low; v <= high; v++ {
		if m.mint.absent(k, v) {
			m.versions[k] = v
			return nil
		}
	}
	return found(lost, "%v has no value, and had one in versions %d to %d", k, low, high)
}
