package manager

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/shmkit/shmkit/internal/dict"
)

// An edit is one try of a change of a list: a transaction on the list's table.
type edit struct {
	tx    *Tx
	table *dict.Table
	id    uint64 // of the list
	form  chunkForm
	refs  bool // elements are references

	index chunkIndex // as it was before: in shared memory

	copied map[string][]byte // the table's content, for reading; nil: it is read in its place
}

// newEdit returns an edit of the list as it is now.
func (l *List[T]) newEdit(tx *Tx) (*edit, error) {
	e := &edit{tx: tx, table: l.table, id: l.object.id, form: l.chunks, refs: l.form.refers}
	return e, e.readIndex()
}

// edit changes the list by f, which is called again as often as others were faster: it does nothing but
// compute. With an error of f nothing is changed.
//
// What f reads is in shared memory, and nonsense when others have changed it meanwhile: that
// keeps f's result from being committed, and its error from being believed. Where others
// than f are to see it, f calls settled first.
//
// After so many tries as a transaction has, the error is [ErrConflict]: the more chunks f concerns,
// the longer a try lasts, and the less often others must change the list to outrun it.
func (l *List[T]) edit(f func(e *edit) error) error {
	for n := range txTries {
		done, err := l.m.try(func(tx *Tx) error {
			e, err := l.newEdit(tx)
			if err == nil {
				err = f(e)
			}
			if err != nil && !tx.broken {
				if again := e.settled(); again != nil {
					return again
				}
			}
			return err
		})
		if done {
			return err
		}
		stepAside(context.Background(), n)
	}
	return ErrConflict
}

// lookTries is how often reading is tried before a copy is made for it: a try lasts, as what
// was read is looked at up to recheckTries times.
const lookTries = 3

// look has f read the list as it is at one moment. f is called again when it was changed meanwhile.
func (l *List[T]) look(f func(e *edit) error) error {
	for n := range lookTries {
		tx := &Tx{m: l.m, keys: make(map[txKey]int)}
		e, err := l.newEdit(tx)
		if err == nil {
			err = f(e)
		}
		// What has failed may have because of what others have changed since.
		if !tx.broken {
			again := tx.recheck()
			if again == nil {
				return err
			}
			if !tx.broken {
				return again
			}
		}
		stepAside(context.Background(), n)
	}
	err := l.lookAtCopy(f)
	for try := 0; l.form.refers && errors.Is(err, ErrNotExist) && try < snapshotTries; try++ {
		err = l.lookAtCopy(f) // what an element had referred to was gone by then
	}
	return err
}

// lookAtCopy has f read a copy of the list: where others change it faster than f reads, who would
// have f begin anew for ever.
func (l *List[T]) lookAtCopy(f func(e *edit) error) error {
	e := &edit{table: l.table, id: l.object.id, form: l.chunks, refs: l.form.refers, copied: make(map[string][]byte)}
	err := l.table.Snapshot(func() { clear(e.copied) }, func(key, value []byte) error {
		e.copied[string(key)] = slices.Clone(value)
		return nil
	})
	if err == nil {
		err = e.readIndex()
	}
	if err != nil {
		return err
	}
	return f(e)
}

// read returns what the table has for a key; false if nothing. It may change meanwhile; then what
// is made of it is not committed.
func (e *edit) read(key []byte) (value []byte, ok bool, err error) {
	if e.copied != nil {
		value, ok = e.copied[string(key)]
		return value, ok, nil
	}
	i, err := e.tx.step(e.id, e.table, key)
	if err != nil {
		return nil, false, err
	}
	if same := e.tx.steps[i].Same; same != nil {
		return same.Value, true, nil
	}
	return nil, false, nil
}

// write has the key's value be v when the edit is committed; nil is none.
func (e *edit) write(key, v []byte) error {
	i, err := e.tx.step(e.id, e.table, key)
	if err == nil {
		e.tx.steps[i].Write, e.tx.values[i] = true, v
	}
	return err
}

// settled tells whether all that was read until now was what the list had at one moment. If not
// the edit fails with its error, and is tried again.
func (e *edit) settled() error { return e.tx.recheck() }

func (e *edit) readIndex() error {
	v, ok, err := e.read(indexKey)
	if err != nil || !ok {
		e.index = makeIndex(1, nil)
		return err
	}
	e.index = v
	return e.index.check()
}

// chunk returns chunk c.
func (e *edit) chunk(c int) ([]byte, error) {
	v, ok, err := e.read(idKey(e.index.id(c)))
	if err == nil && !ok {
		err = fmt.Errorf("%w: there is no chunk %d of list %d", ErrCorrupt, e.index.id(c), e.id)
	}
	return v, err
}

// elements returns the elements of chunk c.
func (e *edit) elements(c int) ([][]byte, error) {
	b, err := e.chunk(c)
	if err != nil {
		return nil, err
	}
	return e.form.split(b)
}

// ends returns how many elements the first and the last chunk have. If there is but one it is
// the first.
func (e *edit) ends() (first, last int, err error) {
	k := e.index.chunks()
	if k == 0 {
		return 0, 0, nil
	}
	b, err := e.chunk(0)
	if err == nil {
		first, err = e.form.count(b)
	}
	if err == nil && k > 1 {
		if b, err = e.chunk(k - 1); err == nil {
			last, err = e.form.count(b)
		}
	}
	return first, last, err
}

// length returns how many elements there are.
func (e *edit) length() (int, error) {
	first, last, err := e.ends()
	inner := e.index.inner()
	if err == nil && (inner < 0 || inner > e.index.chunks()*chunkItems) {
		err = fmt.Errorf("%w: %d elements in %d chunks of list %d", ErrCorrupt, inner, e.index.chunks(), e.id)
	}
	return first + inner + last, err
}

// position returns i as the index of an element from the beginning.
func (e *edit) position(i int) (int, error) {
	n, err := e.length()
	if err != nil {
		return 0, err
	}
	return index(i, n)
}

// locate returns the chunk that has element i, and which it is of that chunk's. The element behind
// the last one is the last chunk's.
func (e *edit) locate(i int) (c, rest int, err error) {
	first, _, err := e.ends()
	if err != nil || i < first || e.index.chunks() == 1 {
		return 0, i, err
	}
	if inner := e.index.inner(); i-first < inner {
		c, rest = e.index.find(i - first)
	} else {
		c, rest = e.index.chunks()-1, i-first-inner
	}
	if rest < 0 || rest > chunkItems {
		err = fmt.Errorf("%w: element %d of chunk %d of list %d", ErrCorrupt, rest, c, e.id)
	}
	return c, rest, err
}

// get returns element i, which is there.
func (e *edit) get(i int) ([]byte, error) {
	c, rest, err := e.locate(i)
	if err != nil {
		return nil, err
	}
	b, err := e.chunk(c)
	if err != nil {
		return nil, err
	}
	return e.form.at(b, rest)
}

// all returns the elements from i up to j, which are there.
func (e *edit) all(i, j int) ([][]byte, error) {
	if i == j {
		return nil, nil
	}
	a, from, err := e.locate(i)
	if err != nil {
		return nil, err
	}
	var elems [][]byte
	for c := a; c < e.index.chunks() && len(elems) < from+j-i; c++ {
		more, err := e.elements(c)
		if err != nil {
			return nil, err
		}
		elems = append(elems, more...)
	}
	if len(elems) < from+j-i {
		return nil, fmt.Errorf("%w: list %d has fewer elements than its index says", ErrCorrupt, e.id)
	}
	return elems[from : from+j-i], nil
}

// splice replaces the elements from i up to j by others. That is what every change of a list comes
// to. It rewrites the chunks concerned, and the index if that is not what it was: if chunks
// come or go, or an inner one gets another length.
func (e *edit) splice(i, j int, elems [][]byte) error {
	k := e.index.chunks()
	if k == 0 {
		return e.replace(0, 0, elems, true)
	}
	a, from, err := e.locate(i)
	if err != nil {
		return err
	}
	b, to := a, from
	if j > i {
		if b, to, err = e.locate(j - 1); err != nil {
			return err
		}
		to++
	}
	head, err := e.elements(a)
	if err != nil {
		return err
	}
	tail := head
	if b > a {
		if tail, err = e.elements(b); err != nil {
			return err
		}
	}
	if b < a || from > len(head) || to > len(tail) {
		return fmt.Errorf("%w: list %d has fewer elements than its index says", ErrCorrupt, e.id)
	}
	atEnd := b == k-1 && to == len(tail)
	content := slices.Concat(head[:from], elems, tail[to:])
	// What has become small joins its neighbour.
	if j > i && len(content) < chunkItems/4 && b+1 < k {
		b++
		next, err := e.elements(b)
		if err != nil {
			return err
		}
		content = append(content, next...)
	}
	return e.replace(a, b+1, content, !atEnd)
}

// replace replaces the chunks from a up to b by those of the content.
func (e *edit) replace(a, b int, content [][]byte, even bool) error {
	pieces := e.form.cut(content, even)
	next := e.index.nextID()
	refs := make([]chunkRef, 0, len(pieces))
	for n, piece := range pieces {
		ref := chunkRef{next, len(piece)}
		if a+n < b {
			ref.id = e.index.id(a + n)
		} else {
			next++
		}
		refs = append(refs, ref)
		if err := e.write(idKey(ref.id), e.form.join(piece)); err != nil {
			return err
		}
	}
	for c := a + len(pieces); c < b; c++ {
		if err := e.write(idKey(e.index.id(c)), nil); err != nil {
			return err
		}
	}
	if len(pieces) == 1 && b == a+1 && e.knows(a, len(pieces[0])) {
		return nil
	}
	if e.refs {
		if err := e.hold(content); err != nil {
			return err
		}
	}
	return e.writeIndex(a, b, refs, next)
}

// knows tells whether the index needs no change for chunk c to have n elements.
func (e *edit) knows(c, n int) bool {
	return c == 0 || c == e.index.chunks()-1 || e.index.count(c) == n
}

// writeIndex has the chunks from a up to b be others.
func (e *edit) writeIndex(a, b int, refs []chunkRef, next uint64) error {
	first, last, err := e.ends()
	if err != nil {
		return err
	}
	var chunks []chunkRef
	for c := range e.index.chunks() {
		ref := chunkRef{id: e.index.id(c)}
		switch c {
		case 0:
			ref.count = first
		case e.index.chunks() - 1:
			ref.count = last
		default:
			ref.count = e.index.count(c)
		}
		chunks = append(chunks, ref)
	}
	return e.write(indexKey, makeIndex(next, slices.Replace(chunks, a, b, refs...)))
}

// hold has a handle of each object that elements refer to until the edit is over. They
// come to another key, and the collector may have looked there before: see collect.go.
func (e *edit) hold(elems [][]byte) error {
	for _, b := range elems {
		if len(b) < 8 {
			return fmt.Errorf("%w: a reference of %d bytes", ErrCorrupt, len(b))
		}
		o, err := e.tx.m.hold(binary.LittleEndian.Uint64(b))
		if err != nil {
			return err
		}
		if o == nil {
			return fmt.Errorf("%w: an element of list %d refers to no object", ErrCorrupt, e.id)
		}
		e.tx.kept = append(e.tx.kept, func() { e.tx.m.drop(o) })
	}
	return nil
}
