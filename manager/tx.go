package manager

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/shmkit/shmkit/internal/dict"
)

// A Tx is a transaction in the making: what [Dict.In] reads and changes in it happens
// at one moment, or not at all. It is for one goroutine.
type Tx struct {
	m       *space
	steps   []dict.Step
	keys    map[txKey]int // index in steps
	values  [][]byte      // of the steps that set one
	reading dict.Reading
	expires bool     // something that was read has a time to live
	broken  bool     // what was read is not true any more
	kept    []func() // each gives up an object that is to be a value
}

type txKey struct {
	object uint64
	key    string
}

// txTries is how often a transaction is tried.
const txTries = 1000

// recheckTries is how often what was read is looked up again because others have
// changed something in its stripes meanwhile.
const recheckTries = 100

// Tx calls f, which reads and changes entries of this manager's dicts by [Dict.In],
// and then makes its changes, all at one moment, if nothing that f has read was
// changed by others meanwhile. Else f is called again, so it should do nothing but
// compute, and not keep what it computed before Tx returns. When f returns an error, that is the result, and nothing
// is changed.
//
// What f reads fits together: a read that does not fit what was read before returns
// [ErrConflict], which f should return. A read waits for changes of the key, and of
// some others, that are just being made. Tx itself returns ErrConflict when others were
// faster 1,000 times, and the context's error when that is done.
//
// Whoever dies, of a transaction's changes all are made or none.
func (m *Manager) Tx(ctx context.Context, f func(tx *Tx) error) error {
	if err := m.seg.Acquire(); err != nil {
		return wrap("tx", m.Name(), err)
	}
	defer m.seg.Release()
	for n := range txTries {
		if err := ctx.Err(); err != nil {
			return wrap("tx", m.Name(), err)
		}
		done, err := m.try(f)
		if done {
			return err
		}
		stepAside(ctx, n)
	}
	return wrap("tx", m.Name(), ErrConflict)
}

// stepAside lets others get through, before the try after the n-th.
func stepAside(ctx context.Context, n int) {
	if n <= 2 {
		return
	}
	pause := time.NewTimer(rand.N(time.Microsecond << min(n, 12)))
	defer pause.Stop()
	select {
	case <-pause.C:
	case <-ctx.Done():
	}
}

// try is one try of a transaction. It is done unless others were faster.
func (m *space) try(f func(tx *Tx) error) (done bool, err error) {
	tx := &Tx{m: m, keys: make(map[txKey]int)}
	defer func() {
		for _, drop := range tx.kept {
			drop()
		}
	}()
	err = f(tx)
	if tx.broken {
		return false, nil
	}
	if err != nil {
		return true, err
	}
	ok, err := tx.commit()
	return ok || err != nil, wrap("tx", m.seg.Name(), err)
}

// commit makes the drafts, outside of all locks, and commits.
func (tx *Tx) commit() (bool, error) {
	discard := func() {
		for i := range tx.steps {
			tx.steps[i].New.Discard()
		}
	}
	for i := range tx.steps {
		st := &tx.steps[i]
		if v := tx.values[i]; v != nil {
			var expiry uint64
			if st.Same != nil && st.Same.Flags&dict.FlagExpires != 0 {
				expiry = st.Same.Expiry
			}
			var err error
			if st.New, err = tx.m.store.Draft(st.Key, len(v), 0, expiry); err != nil {
				discard()
				return false, err
			}
			copy(st.New.Value(), v)
		}
	}
	ok, err := tx.m.store.Commit(tx.steps)
	if !ok {
		discard()
	}
	return ok, err
}

// step returns the transaction's step for a key, having read its entry.
func (tx *Tx) step(object uint64, t *dict.Table, key []byte) (int, error) {
	k := txKey{object, string(key)}
	if i, ok := tx.keys[k]; ok {
		return i, nil
	}
	st := dict.Step{Table: t, Hash: tx.m.hash(key), Key: []byte(k.key)}
	tx.reading.Add(t, st.Hash)
	var e dict.Entry
	for {
		ok, err := t.Seek(st.Hash, st.Key, &e)
		if err != nil {
			return 0, err
		}
		expired := ok && tx.m.store.Expired(&e)
		if !ok || tx.m.store.Still(&e) {
			if ok && !expired {
				st.Same = &e
				tx.expires = tx.expires || e.Flags&dict.FlagExpires != 0
			}
			break
		}
	}
	tx.keys[k] = len(tx.steps)
	tx.steps = append(tx.steps, st)
	tx.values = append(tx.values, nil)
	return len(tx.steps) - 1, tx.recheck()
}

// recheck looks whether everything that was read is as it was, at one moment. Where
// something has changed since it was read, it may have been other keys.
func (tx *Tx) recheck() error {
	for n := 0; !tx.reading.Holds(tx.m.store); n++ {
		if n == recheckTries {
			tx.broken = true
			return ErrConflict
		}
		tx.reading.Renew(tx.m.store)
		if err := tx.compare(); err != nil {
			return err
		}
	}
	if !tx.expires {
		return nil
	}
	for i := range tx.steps {
		if st := &tx.steps[i]; st.Same != nil && tx.m.store.Expired(st.Same) {
			tx.broken = true
			return ErrConflict
		}
	}
	return nil
}

// compare looks whether each entry that was read still is there.
func (tx *Tx) compare() error {
	for i := range tx.steps {
		st := &tx.steps[i]
		var e dict.Entry
		ok, err := st.Table.Seek(st.Hash, st.Key, &e)
		if err != nil {
			return err
		}
		ok = ok && !tx.m.store.Expired(&e)
		if ok != (st.Same != nil) || ok && !e.Same(st.Same) {
			tx.broken = true
			return ErrConflict
		}
	}
	return nil
}

// A TxDict is a dict in a transaction.
type TxDict[K comparable, V any] struct {
	d  *Dict[K, V]
	tx *Tx
}

// In returns the dict as the transaction sees it. It must be of the transaction's
// manager.
func (d *Dict[K, V]) In(tx *Tx) TxDict[K, V] { return TxDict[K, V]{d, tx} }

// step returns the step for k.
func (t TxDict[K, V]) step(k *K) (int, error) {
	if t.d.m != t.tx.m {
		return 0, errors.New("dict of another manager's handle")
	}
	var buf []byte
	key, err := t.d.keys.key(k, &buf)
	if err != nil {
		return 0, err
	}
	return t.tx.step(t.d.object.id, t.d.table, key)
}

// Get returns the value of k, and false if there is none: as the transaction has left
// it, or else as it was read first.
func (t TxDict[K, V]) Get(k K) (v V, ok bool, err error) {
	i, err := t.step(&k)
	if err != nil {
		return v, false, wrap("get", t.d.name, err)
	}
	st := &t.tx.steps[i]
	switch {
	case st.Write && t.tx.values[i] == nil:
		return v, false, nil
	case st.Write:
		err = t.d.values.decode(t.tx.values[i], &v)
		return v, err == nil, wrap("get", t.d.name, err)
	case st.Same == nil:
		return v, false, nil
	}
	err = t.d.values.decode(st.Same.Value, &v)
	if !t.d.m.store.Still(st.Same) {
		t.tx.broken, err = true, ErrConflict
	}
	if err == nil || t.d.values.refers && errors.Is(err, ErrNotExist) { // gone, because it was replaced?
		if e := t.tx.recheck(); e != nil {
			err = e
		}
	}
	return v, err == nil, wrap("get", t.d.name, err)
}

// Set sets the value of k. Its time to live stays what it was.
func (t TxDict[K, V]) Set(k K, v V) error {
	i, err := t.step(&k)
	if err == nil && t.d.values.refers {
		var drop func()
		if drop, err = keep(t.d.m, &v); err == nil {
			t.tx.kept = append(t.tx.kept, drop)
		}
	}
	if err == nil {
		t.tx.values[i], err = t.d.values.append([]byte{}, &v) // never nil
	}
	if err != nil {
		return wrap("set", t.d.name, err)
	}
	t.tx.steps[i].Write = true
	return nil
}

// Delete removes k, and tells whether it was there.
func (t TxDict[K, V]) Delete(k K) (bool, error) {
	i, err := t.step(&k)
	if err != nil {
		return false, wrap("delete", t.d.name, err)
	}
	st := &t.tx.steps[i]
	present := st.Same != nil
	if st.Write {
		present = t.tx.values[i] != nil
	}
	st.Write, t.tx.values[i] = true, nil
	return present, nil
}
