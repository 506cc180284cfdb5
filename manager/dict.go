package manager

import (
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"sync"
	"time"

	"github.com/shmkit/shmkit/codec"
	"github.com/shmkit/shmkit/internal/arena"
	"github.com/shmkit/shmkit/internal/clock"
	"github.com/shmkit/shmkit/internal/dict"
	"github.com/shmkit/shmkit/internal/mem"
)

// A Dict is a map shared by the processes that have its manager open: what
// multiprocessing.Manager().dict() is to Python, without a server. Its methods may be
// called from several goroutines at once.
//
// Reading takes no lock and never waits, whatever others do or left undone. Changing an
// entry locks 1/64 of the keys for a moment. Each change is one store: it
// has happened or it has not, for everybody, whoever dies.
type Dict[K comparable, V any] struct {
	part
	kind   uint64 // what it is for: a dict, or what is made of one
	table  *dict.Table
	keys   form[K]
	values form[V]

	lingers bool // reads need no use of the segment
	quick   bool // they may begin with a glance
}

// form is how values of a type are laid out.
type form[T any] struct {
	codec  *codec.Codec[T]
	text   bool // T is a string
	simple bool // T's codec runs no code of T's own: plain, string, []byte
	flat   bool // T's memory is its encoding
	direct bool // the memory of a T, or that of a string, is its encoding
	size   int  // of a flat T
	refers bool // T is a reference to an object, and travels as that
}

func formOf[T any]() (form[T], error) {
	c, err := codec.For[T]()
	if err != nil {
		return form[T]{}, err
	}
	f := form[T]{codec: c, flat: c.Flat()}
	_, f.simple = c.Size(new(T))
	f.text = f.simple && reflect.TypeFor[T]().Kind() == reflect.String
	f.size, _ = c.Fixed()
	f.direct = f.flat || f.text
	var v T
	_, f.refers = any(v).(reference)
	return f, nil
}

// dictStripes is the number of stripes of a dict.
const dictStripes = 64

// NewDict opens the dict called name in m, or creates it when there is none. The empty
// name makes a new dict without one, a small one, which lives as long as there are handles of it or
// entries whose value it is. A *Dict can be a value of another dict (a Dict[K, *Dict[K2, V2]]), by
// reference: who gets it has a handle of the same dict. It fails
// with [ErrKind] when the name is another kind of object's, and with [ErrType] when
// its keys or values are of other types. Keys are equal when their encodings are: 0 and -0
// are two keys.
func NewDict[K comparable, V any](m *Manager, name string) (*Dict[K, V], error) {
	stripes := dictStripes
	if name == "" {
		stripes = 1
	}
	d, err := newDict[K, V](m.space, name, kindDict, stripes)
	return d, wrap("open", name, err)
}

func newDict[K comparable, V any](m *space, name string, kind uint64, stripes int) (*Dict[K, V], error) {
	d := &Dict[K, V]{kind: kind}
	want, err := d.forms()
	if err != nil {
		return nil, err
	}
	err = d.obtain(m, name, want, func(id uint64) (arena.Block, error) {
		return m.store.NewTable(kind, id, stripes)
	}, d.attach)
	if err != nil {
		return nil, err
	}
	endWith(d.use, d)
	return d, nil
}

// forms finds out how keys and values are laid out, and what the dict's record must be.
func (d *Dict[K, V]) forms() (want record, err error) {
	if d.keys, err = formOf[K](); err != nil {
		return want, err
	}
	if d.values, err = formOf[V](); err != nil {
		return want, err
	}
	want = record{
		kind: d.kind,
		sum:  d.keys.codec.Sum()*31 + d.values.codec.Sum(),
		text: fmt.Sprintf("%s to %s", d.keys.codec.Type(), d.values.codec.Type()),
	}
	if d.values.refers {
		want.flags = recordRefers
	}
	return want, nil
}

// attach makes d a handle of the object.
func (d *Dict[K, V]) attach(o *object) (err error) {
	d.table, err = d.m.store.Table(o.record.ref, d.m.evict)
	d.lingers = d.m.seg.Lingers() && !d.values.refers // taking a handle is more than reading
	d.quick = d.lingers && d.keys.direct && d.values.flat
	return err
}

// Close gives this handle of the dict up. It is not needed for the sake of memory: a
// handle that nothing refers to any more is given up by the garbage collector. Other handles of the
// dict, in this process too, go on. The handle must not be in use, nor be used afterwards.
func (d *Dict[K, V]) Close() error {
	d.use.end()
	return nil
}

// buffers are for encodings.
var buffers = sync.Pool{New: func() any { return new([]byte) }}

// append appends the encoding of v.
func (f *form[T]) append(b []byte, v *T) ([]byte, error) {
	if f.refers {
		r := referenceIn(v)
		if r == nil {
			return b, fmt.Errorf("%w: a value that is no object", ErrNotExist)
		}
		return r.AppendBinary(b)
	}
	return f.codec.Append(b, v)
}

// decode reads a value from memory that may change meanwhile.
func (f *form[T]) decode(b []byte, v *T) error {
	if f.flat && len(b) == f.size {
		mem.Get(b, v)
		return nil
	}
	if f.refers {
		p := reflect.New(reflect.TypeFor[T]().Elem()).Interface()
		if err := p.(reference).UnmarshalBinary(b); err != nil {
			return err
		}
		*v = p.(T)
		return nil
	}
	return f.codec.Decode(b, v)
}

// memory returns the encoding of k, if it is direct.
func (f *form[T]) memory(k *T) []byte {
	if f.text {
		return mem.BytesOfString(*mem.As[string](k))
	}
	return mem.BytesOf(k)
}

// key returns the encoding of k, in *buf if it can't be k's own memory.
func (f *form[T]) key(k *T, buf *[]byte) ([]byte, error) {
	if f.direct {
		return f.memory(k), nil
	}
	var err error
	*buf, err = f.codec.Append((*buf)[:0], k)
	return *buf, err
}

// An Option is an option of a change.
type Option struct {
	ttl time.Duration
}

// TTL makes the entry that is set expire: it is gone after t, which is more than 0.
// Setting it again without this option makes it stay.
func TTL(t time.Duration) Option { return Option{ttl: t} }

// expiry returns the time at which an entry set now expires; 0: never.
func expiry(opts []Option) uint64 {
	for _, o := range opts {
		if o.ttl != 0 {
			return clock.Now() + uint64(max(o.ttl, 1))
		}
	}
	return 0
}

// Get returns the value of k, and false if there is none.
func (d *Dict[K, V]) Get(k K) (v V, ok bool, err error) {
	ok, err = d.get(&k, &v)
	return v, ok, err
}

// GetInto sets *v to the value of k, and returns false, with *v as it was, if there
// is none. For plain types it allocates nothing.
func (d *Dict[K, V]) GetInto(k K, v *V) (ok bool, err error) { return d.get(&k, v) }

func (d *Dict[K, V]) get(k *K, v *V) (bool, error) {
	if d.quick && !d.m.seg.Closed() {
		key := d.keys.memory(k)
		if s, ok := d.table.Glance(d.m.hash(key), key, d.values.size); ok {
			mem.Get(s.Value, v)
			if s.Still() {
				runtime.KeepAlive(d)
				return true, nil
			}
		}
	}
	return d.search(k, v)
}

// search is get for where a glance is not enough.
func (d *Dict[K, V]) search(k *K, v *V) (bool, error) {
	if err := d.look(); err != nil {
		return false, wrap("get", d.name, err)
	}
	var e dict.Entry
	var buf []byte
	ok, err := d.read(k, v, &e, &buf)
	if err = d.looked(err); err != nil {
		return false, wrap("get", d.name, err)
	}
	return ok, nil
}

// look begins reading the memory. It needs no use of the segment, and so does not write to
// it, where what is read after its end is no worse than zeros.
func (d *Dict[K, V]) look() error {
	if !d.lingers {
		return d.m.seg.Acquire()
	}
	if d.m.seg.Closed() {
		return ErrClosed
	}
	return nil
}

// looked ends it. What was found, with or without an error, counts unless looked
// returns one: it may be what zeros look like.
func (d *Dict[K, V]) looked(err error) error {
	if !d.lingers {
		d.m.seg.Release()
		return err
	}
	if d.m.seg.Closed() {
		err = ErrClosed
	}
	runtime.KeepAlive(d)
	return err
}

// read looks k up and decodes its value, which e tells apart from others.
func (d *Dict[K, V]) read(k *K, v *V, e *dict.Entry, buf *[]byte) (bool, error) {
	key, err := d.keys.key(k, buf)
	if err != nil {
		return false, err
	}
	h := d.m.hash(key)
	for {
		ok, err := d.table.Seek(h, key, e)
		if !ok || err != nil {
			return false, err
		}
		if e.Flags&dict.FlagExpires != 0 && d.m.store.Expired(e) && d.m.store.Still(e) {
			return false, nil
		}
		err = d.values.decode(e.Value, v)
		if d.m.store.Still(e) && !d.outrun(h, key, e, err) {
			return err == nil, err
		}
	}
}

// outrun tells whether err only means that the entry referred to an object that is gone
// because others have replaced the entry meanwhile.
func (d *Dict[K, V]) outrun(h uint64, key []byte, e *dict.Entry, err error) bool {
	if !d.values.refers || !errors.Is(err, ErrNotExist) {
		return false
	}
	var now dict.Entry
	ok, err := d.table.Seek(h, key, &now)
	return err == nil && (!ok || !now.Same(e))
}

// Set sets the value of k. It is visible to every process when Set returns. Errors:
// [ErrNoSpace], [ErrTooLarge], [ErrClosed], and what the encoding of k or v says.
func (d *Dict[K, V]) Set(k K, v V, opts ...Option) error {
	_, err := d.change("set", &k, &v, dict.Always, nil, expiry(opts))
	return err
}

// SetNX sets the value of k if there is none, and tells whether it did.
func (d *Dict[K, V]) SetNX(k K, v V, opts ...Option) (bool, error) {
	return d.change("set", &k, &v, dict.IfAbsent, nil, expiry(opts))
}

// Replace sets the value of k if there is one, and tells whether it did.
func (d *Dict[K, V]) Replace(k K, v V, opts ...Option) (bool, error) {
	return d.change("replace", &k, &v, dict.IfPresent, nil, expiry(opts))
}

// Delete removes k, and tells whether it was there.
func (d *Dict[K, V]) Delete(k K) (bool, error) {
	return d.change("delete", &k, nil, dict.IfPresent, nil, 0)
}

// change makes a change; a nil v removes the entry.
func (d *Dict[K, V]) change(op string, k *K, v *V, cond dict.Condition, same *dict.Entry, expiry uint64) (bool, error) {
	if err := d.m.seg.Acquire(); err != nil {
		return false, wrap(op, d.name, err)
	}
	defer d.m.seg.Release()
	var buf []byte
	key, err := d.keys.key(k, &buf)
	if err != nil {
		return false, wrap(op, d.name, err)
	}
	c := dict.Change{If: cond, Same: same}
	if v != nil {
		if d.values.refers {
			drop, err := keep(d.m, v)
			if err != nil {
				return false, wrap(op, d.name, err)
			}
			defer drop()
		}
		if c.New, err = d.draft(key, v, expiry); err != nil {
			return false, wrap(op, d.name, err)
		}
	}
	done, _, err := d.table.Change(d.m.hash(key), key, &c)
	if err != nil {
		return false, wrap(op, d.name, err)
	}
	return done, nil
}

// draft fills an entry, outside of all locks. If its value refers to an object, the caller
// keeps that until the entry is there or given up.
func (d *Dict[K, V]) draft(key []byte, v *V, expiry uint64) (dict.Draft, error) {
	if !d.values.simple {
		return d.draftEncoded(key, v, expiry)
	}
	size, _ := d.values.codec.Size(v)
	n, err := d.m.store.Draft(key, size, 0, expiry)
	if err != nil {
		return n, err
	}
	switch {
	case d.values.flat:
		mem.Put(n.Value(), v)
	default:
		d.values.codec.Append(n.Value()[:0], v) // fits, and can't fail
	}
	return n, nil
}

// draftEncoded is draft for values of which the size is known when they are encoded.
func (d *Dict[K, V]) draftEncoded(key []byte, v *V, expiry uint64) (dict.Draft, error) {
	buf := buffers.Get().(*[]byte)
	defer buffers.Put(buf)
	b, err := d.values.append((*buf)[:0], v)
	if err != nil {
		return dict.Draft{}, err
	}
	const keep = 1 << 20
	if cap(b) <= keep {
		*buf = b[:0]
	}
	n, err := d.m.store.Draft(key, len(b), 0, expiry)
	if err == nil {
		copy(n.Value(), b)
	}
	return n, err
}

// Contains tells whether there is a value of k.
func (d *Dict[K, V]) Contains(k K) (bool, error) {
	if err := d.look(); err != nil {
		return false, wrap("get", d.name, err)
	}
	ok, err := d.contains(&k)
	if err = d.looked(err); err != nil {
		return false, wrap("get", d.name, err)
	}
	return ok, nil
}

func (d *Dict[K, V]) contains(k *K) (bool, error) {
	var buf []byte
	key, err := d.keys.key(k, &buf)
	if err != nil {
		return false, err
	}
	var e dict.Entry
	for {
		ok, err := d.table.Seek(d.m.hash(key), key, &e)
		if !ok || err != nil {
			return false, err
		}
		if gone := d.m.store.Expired(&e); d.m.store.Still(&e) {
			return !gone, nil
		}
	}
}

// Len returns the number of entries. While others change the dict it is one that may
// never have been; entries that expired count until they are removed.
func (d *Dict[K, V]) Len() int {
	if d.m.seg.Acquire() != nil {
		return 0
	}
	defer d.m.seg.Release()
	return d.table.Len()
}
