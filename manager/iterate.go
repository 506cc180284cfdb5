package manager

import (
	"errors"
	"iter"

	"github.com/shmkit/shmkit/internal/dict"
)

// An Entry is a key with its value.
type Entry[K comparable, V any] struct {
	Key   K
	Value V
}

// All returns an iterator over the entries, in no order. Every key that is there from
// the start to the end is returned exactly once, with a value that it had
// meanwhile; others may or may not be. The dict may be changed during the iteration,
// also by its user. An error is returned with a zero entry, and ends it.
func (d *Dict[K, V]) All() iter.Seq2[Entry[K, V], error] {
	return func(yield func(Entry[K, V], error) bool) {
		d.each("iterate", true, func(key, value []byte, copied bool) (bool, error) {
			var e Entry[K, V]
			if err := d.keys.decode(key, &e.Key); err != nil {
				return false, err
			}
			if !copied || d.values.refers { // what was copied may refer to what is gone by now
				v, ok, err := d.Get(e.Key)
				if !ok || err != nil {
					return true, err
				}
				e.Value = v
			} else if err := d.values.decode(value, &e.Value); err != nil {
				return false, err
			}
			return yield(e, nil), nil
		}, func(err error) { yield(Entry[K, V]{}, err) })
	}
}

// Keys returns an iterator over the keys: see [Dict.All].
func (d *Dict[K, V]) Keys() iter.Seq2[K, error] {
	return func(yield func(K, error) bool) {
		d.each("iterate", false, func(key, _ []byte, _ bool) (bool, error) {
			var k K
			if err := d.keys.decode(key, &k); err != nil {
				return false, err
			}
			return yield(k, nil), nil
		}, func(err error) {
			var zero K
			yield(zero, err)
		})
	}
}

// Values returns an iterator over the values: see [Dict.All].
func (d *Dict[K, V]) Values() iter.Seq2[V, error] {
	return func(yield func(V, error) bool) {
		for e, err := range d.All() {
			if !yield(e.Value, err) {
				return
			}
		}
	}
}

// each calls use with the entries, until it is false or fails, and fail with an error.
// The manager's memory is held only while entries are copied out of it.
func (d *Dict[K, V]) each(op string, values bool, use func(key, value []byte, copied bool) (bool, error), fail func(error)) {
	var c dict.Cursor
	var b dict.Batch
	for {
		more := false
		err := d.within(op, func() (err error) {
			more, err = d.table.Next(&c, &b, values)
			return err
		})
		for i := 0; err == nil && more && i < b.Len(); i++ {
			value, copied := b.Value(i)
			var ok bool
			if ok, err = use(b.Key(i), value, copied); !ok && err == nil {
				return
			}
			err = wrap(op, d.name, err)
		}
		if err != nil {
			fail(err)
			return
		}
		if !more {
			return
		}
	}
}

// snapshotTries is how often a snapshot of references is begun anew.
const snapshotTries = 100

// Snapshot returns a copy of the dict as it was at one moment. It waits for changes
// that are going on, and, when there are too many, holds new ones up while it
// notes down where the entries are: some microseconds for a thousand.
// [ErrViewExpired] means that the copying took so long that the memory was needed.
func (d *Dict[K, V]) Snapshot() (map[K]V, error) {
	entries := make(map[K]V)
	snapshot := func() error {
		return d.table.Snapshot(func() { clear(entries) }, func(key, value []byte) error {
			var k K
			var v V
			if err := d.keys.decode(key, &k); err != nil {
				return err
			}
			if err := d.values.decode(value, &v); err != nil {
				return err
			}
			entries[k] = v
			return nil
		})
	}
	err := d.within("snapshot", snapshot)
	for try := 0; d.values.refers && errors.Is(err, ErrNotExist) && try < snapshotTries; try++ {
		err = d.within("snapshot", snapshot) // what an entry had referred to was gone by then
	}
	return entries, err
}
