package manager

import (
	"bytes"
	"errors"
	"runtime"
	"time"

	"github.com/shmkit/shmkit/internal/clock"
	"github.com/shmkit/shmkit/internal/dict"
	"github.com/shmkit/shmkit/internal/mem"
)

// within runs f with the manager's memory held.
func (d *Dict[K, V]) within(op string, f func() error) error {
	if err := d.m.seg.Acquire(); err != nil {
		return wrap(op, d.name, err)
	}
	defer d.m.seg.Release()
	return wrap(op, d.name, f())
}

// errStop ends an update without a change and without an error.
var errStop = errors.New("no change")

// amend replaces the entry of k by what f makes of it, again and again until nobody
// has changed it meanwhile. f is called without any lock: with the value and the expiry
// of the entry, which are zero values if there is none. It returns the new ones, or
// remove. If it returns an error, that is the result.
func (d *Dict[K, V]) amend(k *K, f func(v *V, expiry *uint64, ok bool) (remove bool, err error)) error {
	var buf []byte
	key, err := d.keys.key(k, &buf)
	if err != nil {
		return err
	}
	for n := 0; ; n++ {
		var e dict.Entry
		var v V
		var scratch []byte
		ok, err := d.read(k, &v, &e, &scratch)
		if err != nil {
			return err
		}
		c := dict.Change{If: dict.IfSame}
		expiry := uint64(0)
		if ok {
			c.Same, expiry = &e, e.Expiry
			if e.Flags&dict.FlagExpires == 0 {
				expiry = 0
			}
		}
		remove, err := f(&v, &expiry, ok)
		if err != nil {
			return err
		}
		done, err := d.replace(key, &v, expiry, remove, &c)
		if done || err != nil {
			return err
		}
		if n > 10 {
			runtime.Gosched() // others are faster
		}
	}
}

// replace is one try of amend.
func (d *Dict[K, V]) replace(key []byte, v *V, expiry uint64, remove bool, c *dict.Change) (done bool, err error) {
	if !remove {
		if d.values.refers {
			drop, err := keep(d.m, v)
			if err != nil {
				return false, err
			}
			defer drop()
		}
		if c.New, err = d.draft(key, v, expiry); err != nil {
			return false, err
		}
	}
	done, _, err = d.table.Change(d.m.hash(key), key, c)
	return done, err
}

// Update sets the value of k to what f makes of the old one, atomically: f is called
// again if somebody else has changed the value meanwhile, so it should do nothing
// but compute. It is called without any lock, on this goroutine, with ok false if there is no
// value. Update returns the new value. An error of f ends it without a change.
// The entry's time to live stays what it was.
func (d *Dict[K, V]) Update(k K, f func(old V, ok bool) (V, error)) (v V, err error) {
	err = d.within("update", func() error {
		return d.amend(&k, func(p *V, _ *uint64, ok bool) (bool, error) {
			var err error
			v, err = f(*p, ok)
			*p = v
			return false, err
		})
	})
	return v, err
}

// SetDefault returns the value of k, and true; or sets it to v if there is none, and
// returns v and false.
func (d *Dict[K, V]) SetDefault(k K, v V, opts ...Option) (actual V, loaded bool, err error) {
	err = d.within("set", func() error {
		for {
			var e dict.Entry
			var buf []byte
			var err error
			if loaded, err = d.read(&k, &actual, &e, &buf); loaded || err != nil {
				return err
			}
			actual = v
			done, err := d.change("set", &k, &v, dict.IfAbsent, nil, expiry(opts))
			if done || err != nil {
				return err
			}
		}
	})
	return actual, loaded, err
}

// Pop removes k and returns its value, and false if there is none.
func (d *Dict[K, V]) Pop(k K) (v V, ok bool, err error) {
	err = d.within("pop", func() error {
		return d.amend(&k, func(p *V, _ *uint64, present bool) (bool, error) {
			if v, ok = *p, present; !ok {
				return false, errStop
			}
			return true, nil
		})
	})
	if errors.Is(err, errStop) {
		err = nil
	}
	return v, ok, err
}

// PopItem removes some entry and returns it, and false if there is none. Unlike
// Python's it is not the last one set: the dict has no order.
func (d *Dict[K, V]) PopItem() (k K, v V, ok bool, err error) {
	err = d.within("pop", func() error {
		var c dict.Cursor
		var b dict.Batch
		for {
			more, err := d.table.Next(&c, &b, false)
			if !more || err != nil {
				return err
			}
			for i := range b.Len() {
				if err := d.keys.decode(b.Key(i), &k); err != nil {
					return err
				}
				if v, ok, err = d.Pop(k); ok || err != nil {
					return err
				}
			}
		}
	})
	return k, v, ok, err
}

// CompareAndSwap sets the value of k to new if it is old, and tells whether it did.
// Values are the same when their encodings are. The entry's time to live
// stays what it was.
func (d *Dict[K, V]) CompareAndSwap(k K, old, new V) (swapped bool, err error) {
	err = d.within("compare and swap", func() error {
		return d.amend(&k, func(p *V, _ *uint64, ok bool) (bool, error) {
			if swapped = ok; !ok {
				return false, errStop
			}
			same, err := d.values.equal(p, &old)
			if err != nil {
				return false, err
			}
			if swapped = same; !same {
				return false, errStop
			}
			*p = new
			return false, nil
		})
	})
	if errors.Is(err, errStop) {
		err = nil
	}
	return swapped && err == nil, err
}

// equal compares encodings.
func (f *form[T]) equal(a, b *T) (same bool, err error) {
	x, err := f.append(nil, a)
	if err != nil {
		return false, err
	}
	y, err := f.append(nil, b)
	return bytes.Equal(x, y), err
}

// A Number is a type that [Add] can add.
type Number interface {
	~int | ~int8 | ~int16 | ~int32 | ~int64 | ~uint | ~uint8 | ~uint16 | ~uint32 | ~uint64 | ~float32 | ~float64
}

// Add adds delta to the value of k, which counts as 0 if there is none, and returns the
// sum. It is atomic and exact, however many processes add at once: the addition is
// done under the key's lock. Integers wrap around. The entry's time to live
// stays what it was.
func Add[K comparable, N Number](d *Dict[K, N], k K, delta N) (sum N, err error) {
	if err := d.m.seg.Acquire(); err != nil {
		return 0, wrap("add", d.name, err)
	}
	defer d.m.seg.Release()
	var buf []byte
	key, err := d.keys.key(&k, &buf)
	if err != nil {
		return 0, wrap("add", d.name, err)
	}
	h := d.m.hash(key)
	for {
		var e dict.Entry
		expiry := uint64(0)
		if ok, err := d.table.Seek(h, key, &e); err != nil {
			return 0, wrap("add", d.name, err)
		} else if ok && e.Flags&dict.FlagExpires != 0 && !d.m.store.Expired(&e) {
			expiry = e.Expiry
		}
		draft, err := d.draft(key, &delta, expiry)
		if err != nil {
			return 0, wrap("add", d.name, err)
		}
		done, _, err := d.table.Change(h, key, &dict.Change{New: draft, Fill: func(old dict.Old, value []byte) bool {
			sum = delta
			if old.Present {
				if old.Expiry != expiry || len(old.Value) != len(value) {
					return false // try again with the other expiry
				}
				var n N
				mem.Get(old.Value, &n)
				sum += n
			}
			mem.Put(value, &sum)
			return true
		}})
		if err != nil {
			return 0, wrap("add", d.name, err)
		}
		if done {
			return sum, nil
		}
	}
}

// Touch gives the entry of k the time to live t from now on, or lets it stay for good if
// t is 0. It returns false if there is none.
func (d *Dict[K, V]) Touch(k K, t time.Duration) (ok bool, err error) {
	err = d.within("touch", func() error {
		return d.amend(&k, func(_ *V, expires *uint64, present bool) (bool, error) {
			if ok = present; !ok {
				return false, errStop
			}
			*expires = expiry([]Option{TTL(t)})
			return false, nil
		})
	})
	if errors.Is(err, errStop) {
		err = nil
	}
	return ok, err
}

// TTL returns how long the entry of k has to live, 0 if it stays for good, and false if
// there is none.
func (d *Dict[K, V]) TTL(k K) (t time.Duration, ok bool, err error) {
	err = d.within("get", func() error {
		var v V
		var e dict.Entry
		var buf []byte
		var err error
		if ok, err = d.read(&k, &v, &e, &buf); ok && e.Flags&dict.FlagExpires != 0 {
			t = max(1, time.Duration(int64(e.Expiry-clock.Now())))
		}
		return err
	})
	return t, ok, err
}

// SetMany sets entries, each by itself. It stops at the first error.
func (d *Dict[K, V]) SetMany(entries map[K]V, opts ...Option) error {
	for k, v := range entries {
		if err := d.Set(k, v, opts...); err != nil {
			return err
		}
	}
	return nil
}

// GetMany returns those of the keys that have values, each as of its own moment.
func (d *Dict[K, V]) GetMany(keys ...K) (map[K]V, error) {
	found := make(map[K]V, len(keys))
	for i := range keys {
		v, ok, err := d.Get(keys[i])
		if err != nil {
			return found, err
		}
		if ok {
			found[keys[i]] = v
		}
	}
	return found, nil
}

// Clear removes every entry that is there when it is called, each by itself.
func (d *Dict[K, V]) Clear() error {
	return d.within("clear", func() error {
		for i := range d.table.Stripes() {
			// One round of the hand: others may go on setting entries behind it.
			for range d.table.Rounds(i) {
				if _, err := d.table.Evict(i, 1<<30, dict.All); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// Equal tells whether the dict's entries, as of one moment, are those of the map.
func (d *Dict[K, V]) Equal(entries map[K]V) (bool, error) {
	got, err := d.Snapshot()
	if err != nil || len(got) != len(entries) {
		return false, err
	}
	for k, v := range entries {
		other, ok := got[k]
		if !ok {
			return false, nil
		}
		same, err := d.values.equal(&v, &other)
		if !same || err != nil {
			return false, wrap("compare", d.name, err)
		}
	}
	return true, nil
}

// Stats are a dict's figures. While others change it they don't fit together exactly.
type Stats struct {
	Entries int    // as Len
	Bytes   int64  // of the blocks in which the entries lie
	Table   int64  // of the hash table itself
	Evicted uint64 // entries given up for lack of memory
	Expired uint64 // entries removed because their time was over
}

// Stats returns the dict's figures.
func (d *Dict[K, V]) Stats() (st Stats, err error) {
	err = d.within("stat", func() error {
		st = statsOf(d.table)
		return nil
	})
	return st, err
}

func statsOf(t *dict.Table) Stats {
	s := t.Stats()
	return Stats{Entries: s.Entries, Bytes: s.Bytes, Table: int64(s.Segments) * dict.SegmentBytes, Evicted: s.Evicted, Expired: s.Expired}
}
