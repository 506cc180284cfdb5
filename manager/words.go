package manager

import (
	"errors"
	"fmt"

	"github.com/shmkit/shmkit/internal/arena"
	"github.com/shmkit/shmkit/internal/cells"
	"github.com/shmkit/shmkit/internal/dict"
	"github.com/shmkit/shmkit/internal/robust"
	"github.com/shmkit/shmkit/shm"
)

// An object that is no table has its words in its own block: behind those that every object
// has, from the next multiple of 128 bytes on, so that what is written often shares no line of
// the cache with anything else.

const lineSize = 128

// wordsAt returns where the words of the object at ref begin.
func wordsAt(ref uint64) uint64 { return (ref + objectSize + lineSize - 1) &^ (lineSize - 1) }

// newWords fills a block with an object of size bytes, which init, if not nil, changes from
// zeros to what they are at first.
func (m *space) newWords(kind, id uint64, size int, init func([]byte) error) (arena.Block, error) {
	b, err := m.store.NewBlock(kind, id, objectSize+lineSize+size)
	if err != nil || init == nil {
		return b, err
	}
	if err = init(m.store.Arena.Bytes(wordsAt(b.Ref), size)); err != nil {
		m.store.Arena.Abandon(b)
	}
	return b, err
}

// words returns all words of an object, which are at least size bytes.
func words(store *dict.Store, r *record, size int) ([]byte, error) {
	_, block, ok := store.Arena.Page(r.ref)
	at := wordsAt(r.ref)
	n := int(r.ref) + block - int(at)
	if !ok || n < size {
		return nil, fmt.Errorf("%w: no %s at %#x", ErrCorrupt, r.kindName(), r.ref)
	}
	return store.Arena.Bytes(at, n), nil
}

// obtainWords is obtain for an object of size bytes. Attach gets them.
func (p *part) obtainWords(m *Manager, name string, want record, size int, init, attach func([]byte) error) error {
	return p.obtain(m.space, name, want, func(id uint64) (arena.Block, error) {
		return m.newWords(want.kind, id, size, init)
	}, p.attachWords(attach))
}

// resolveWords is resolve for such an object, of the kind.
func (p *part) resolveWords(b []byte, kind uint64, attach func([]byte) error) error {
	return p.resolve(b, func(r *record) error { return r.is(kind) }, p.attachWords(attach))
}

// attachWords returns an attach of an object from one of its words, which finds out whether they
// are enough: there may be more than it needs, and at least a line.
func (p *part) attachWords(attach func([]byte) error) func(*object) error {
	return func(o *object) error {
		b, err := words(p.m.store, &o.record, lineSize)
		if err != nil {
			return err
		}
		return attach(b)
	}
}

// A piece is one of the objects of package robust that an object consists of.
type piece struct {
	kind robust.Kind
	at   int // in the object's words
}

// pieces returns what of an object processes hold and wait for.
func (r *record) pieces() []piece {
	switch r.kind {
	case kindLock, kindRLock, kindValue, kindArray, kindObject: // of the latter the users' lock
		return []piece{{robust.KindMutex, 0}}
	case kindRWLock:
		return []piece{{robust.KindRWLock, 0}}
	case kindSemaphore:
		return []piece{{robust.KindSemaphore, 0}}
	case kindEvent:
		return []piece{{robust.KindEvent, 0}}
	case kindCond:
		return []piece{{robust.KindMutex, 0}, {robust.KindCond, lineSize}}
	case kindBarrier:
		return []piece{{robust.KindBarrier, 0}}
	}
	return nil
}

// sizeOf returns how many bytes a piece has.
func sizeOf(k robust.Kind) int { return robust.Size(k, slots) }

// eachPiece calls f with the memory of each piece of an object.
func (r *record) eachPiece(store *dict.Store, f func(k robust.Kind, b []byte) error) error {
	var errs []error
	for _, p := range r.pieces() {
		b, err := words(store, r, p.at+sizeOf(p.kind))
		if err == nil {
			err = f(p.kind, b[p.at:])
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// takeOut ends what a slot's process, which is dead or leaves, has of an object, of which it
// has a handle still: so that the block is the object's.
func (r *record) takeOut(s *shm.Segment, store *dict.Store, slot int, dead bool) error {
	var b []byte
	var err error
	switch r.kind {
	case kindValue, kindArray, kindObject:
		if b, err = words(store, r, cellsBase); err == nil {
			err = cells.Recover(b[cellsBase:], slots, slot)
		}
	case kindQueue:
		if b, err = words(store, r, 0); err == nil {
			err = recoverQueue(s, b, slot)
		}
	}
	return errors.Join(err, r.eachPiece(store, func(k robust.Kind, b []byte) error {
		if dead {
			return robust.Recover(k, b, slots, slot)
		}
		return robust.Leave(k, b, slots, slot)
	}))
}

// holds tells whether this process has something of an object that it is to give back, and
// others may wait for.
func (m *space) holds(r *record) bool {
	held := false
	r.eachPiece(m.store, func(k robust.Kind, b []byte) error { // what is corrupt is not held
		held = held || robust.Holds(k, b, slots, m.seg.Slot())
		return nil
	})
	return held
}
