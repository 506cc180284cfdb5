package manager

import (
	"fmt"
	"time"
)

// A RawDict is a dict whose types this program does not know: its keys and values are
// their encodings (see package codec), and it is the caller's business to make them such
// that those who know the types can decode them. Its methods may be called from several
// goroutines at once.
type RawDict struct {
	d      *Dict[string, string]
	record record
}

// OpenRaw opens the dict called name in m, or that of "#" and an id; it creates none.
// Errors: [ErrNotExist], [ErrKind].
func OpenRaw(m *Manager, name string) (*RawDict, error) {
	d, err := openRaw(m.space, name)
	return d, wrap("open", name, err)
}

func openRaw(m *space, name string) (*RawDict, error) {
	d := &Dict[string, string]{part: part{m: m, name: name}}
	if _, err := d.forms(); err != nil {
		return nil, err
	}
	if err := m.seg.Acquire(); err != nil {
		return nil, err
	}
	defer m.seg.Release()
	id, _, err := m.find(name)
	if err != nil {
		return nil, err
	}
	o, err := m.hold(id)
	if err != nil {
		return nil, err
	}
	if o == nil {
		return nil, ErrNotExist
	}
	if err := o.record.is(kindDict); err != nil {
		m.drop(o)
		return nil, err
	}
	if err := d.settle(o, d.attach); err != nil {
		return nil, err
	}
	endWith(d.use, d)
	return &RawDict{d, o.record}, nil
}

// Types returns what keys and values are, as "string to plain int (8 bytes)".
func (d *RawDict) Types() string { return d.record.text }

// Refers tells whether values are references to objects.
func (d *RawDict) Refers() bool { return d.record.flags&recordRefers != 0 }

// Get returns the encoding of the value of key, and false if there is none.
func (d *RawDict) Get(key []byte) ([]byte, bool, error) {
	v, ok, err := d.d.Get(string(key))
	return []byte(v), ok, err
}

// TTL returns how long the entry of key has to live, as [Dict.TTL].
func (d *RawDict) TTL(key []byte) (time.Duration, bool, error) { return d.d.TTL(string(key)) }

// Set sets the value of key, as [Dict.Set]. Where values refer to objects it is refused with
// [ErrType]: bytes keep nothing alive.
func (d *RawDict) Set(key, value []byte, opts ...Option) error {
	if err := d.writable(); err != nil {
		return wrap("set", d.d.name, err)
	}
	return d.d.Set(string(key), string(value), opts...)
}

// Update sets the value of key to what f makes of the old one, as [Dict.Update], and
// returns it. It is refused where Set is.
func (d *RawDict) Update(key []byte, f func(old []byte, ok bool) ([]byte, error)) ([]byte, error) {
	if err := d.writable(); err != nil {
		return nil, wrap("update", d.d.name, err)
	}
	v, err := d.d.Update(string(key), func(old string, ok bool) (string, error) {
		b, err := f([]byte(old), ok)
		return string(b), err
	})
	return []byte(v), err
}

func (d *RawDict) writable() error {
	if d.Refers() {
		return fmt.Errorf("%w: its values refer to objects", ErrType)
	}
	return nil
}

// Delete removes key, and tells whether it was there.
func (d *RawDict) Delete(key []byte) (bool, error) { return d.d.Delete(string(key)) }

// Close gives this handle of the dict up, as [Dict.Close].
func (d *RawDict) Close() error { return d.d.Close() }
