package manager

import (
	"bytes"
	"fmt"
	"strconv"
	"weak"

	"github.com/shmkit/shmkit/codec"
	"github.com/shmkit/shmkit/internal/place"
	"github.com/shmkit/shmkit/ringqueue"
	"github.com/shmkit/shmkit/shm"
)

// A Queue is a [ringqueue.Queue] in the manager's segment, with all of its methods: so one name opens
// everything that a program shares. It lives as long as something leads to it, as any object does. Its
// records lie in its ring: none is larger than a quarter of that.
//
// Its methods may be called from several goroutines.
type Queue[T any] struct {
	*ringqueue.Queue[T]
	part
}

// NewQueue opens the queue called name in m, or creates it when there is none. Of the options, Capacity,
// MaxItems, MaxRecord, MaxAttempts, SingleProducer and SingleConsumer count at creation, and Wait for
// this handle; the others are the manager's. The memory of the whole ring is taken at creation. The
// empty name makes a new one without a name. It fails with [ErrKind] when the name is another kind
// of object's, with [ErrType] when its items are of another type, and with [ErrNoSpace].
func NewQueue[T any](m *Manager, name string, o *ringqueue.Options) (*Queue[T], error) {
	if o == nil {
		o = new(ringqueue.Options)
	}
	q := new(Queue[T])
	r, err := q.record()
	if err != nil {
		return nil, wrap("open", name, err)
	}
	size, err := ringqueue.EmbeddedSize[T](slots, o)
	if err != nil {
		return nil, wrap("open", name, err)
	}
	init := func(b []byte) error { return ringqueue.InitEmbedded[T](b, slots, o) }
	if err := q.obtainWords(m, name, r, size, init, q.attach(o)); err != nil {
		return nil, wrap("open", name, err)
	}
	return q, nil
}

// record returns what the queue's record must be.
func (q *Queue[T]) record() (record, error) {
	c, err := codec.For[T]()
	if err != nil {
		return record{}, err
	}
	return record{kind: kindQueue, sum: c.Sum(), text: c.Type()}, nil
}

// attach makes the queue's ring. The object is in use for as long as the ring is not garbage: what was
// taken from it, and who waits for it, keeps it, but not its handle.
func (q *Queue[T]) attach(o *ringqueue.Options) func(b []byte) error {
	return func(b []byte) (err error) {
		p := place.Place{Segment: q.m.seg, Memory: b, Name: q.name, Handle: q.handle()}
		if q.Queue, err = ringqueue.OpenEmbedded[T](p, o); err != nil {
			return err
		}
		ring, m, obj := q.Queue.Ring(), q.m, q.object
		s := ringSide{weak.Make(ring)}
		m.mu.Lock()
		_, err = addSide(m, obj, func() (ringSide, error) { return s, nil })
		m.mu.Unlock()
		if err != nil {
			return err
		}
		q.use.last = func() { m.removeSide(obj, s) }
		endWith(q.use, ring)
		return nil
	}
}

// A ringSide is a ring as a side of its object, which does not keep it from becoming garbage.
type ringSide struct{ ring weak.Pointer[ringqueue.Ring] }

func (s ringSide) Close() {
	if r := s.ring.Value(); r != nil {
		r.Close()
	}
}

// recoverQueue takes what a slot's process had of a queue out of it.
func recoverQueue(s *shm.Segment, b []byte, slot int) error {
	return ringqueue.RecoverEmbedded(place.Place{Segment: s, Memory: b}, slot)
}

// Name returns the queue's name in the manager.
func (q *Queue[T]) Name() string { return q.part.Name() }

// Close gives this handle up: see [ringqueue.Ring.Close]. Other handles of the queue, in this process
// too, go on.
func (q *Queue[T]) Close() error { return q.Queue.Close() }

// handle returns what Handle does, without the queue.
func (q *Queue[T]) handle() func() string {
	m, id := q.m, q.object.id
	return func() string { return fmt.Sprintf("%d@%s", id, m.seg.Handle()) }
}

// Handle returns the queue's address as text, for [Queue.UnmarshalText] in another process.
func (q *Queue[T]) Handle() string { return q.handle()() }

// MarshalText returns the queue's handle.
func (q *Queue[T]) MarshalText() ([]byte, error) { return []byte(q.Handle()), nil }

// UnmarshalText makes q a handle of the queue with that handle.
func (q *Queue[T]) UnmarshalText(text []byte) error {
	number, manager, ok := bytes.Cut(text, []byte("@"))
	id, err := strconv.ParseUint(string(number), 10, 64)
	if !ok || err != nil {
		return fmt.Errorf("%w: %.80q is not the handle of a queue", ErrName, text)
	}
	return q.UnmarshalBinary(append(idKey(id), manager...))
}

// AppendBinary appends a reference to the queue: see [Dict.AppendBinary].
func (q *Queue[T]) AppendBinary(b []byte) ([]byte, error) { return q.part.AppendBinary(b) }

// MarshalBinary returns a reference to the queue.
func (q *Queue[T]) MarshalBinary() ([]byte, error) { return q.part.AppendBinary(nil) }

// UnmarshalBinary makes q a handle of the queue of the reference. It fails with [ErrNotExist]
// when that is gone.
func (q *Queue[T]) UnmarshalBinary(b []byte) error {
	n := new(Queue[T])
	want, err := n.record()
	if err != nil {
		return err
	}
	fits := func(r *record) error { return r.match(&want) }
	if err := n.resolve(b, fits, n.attachWords(n.attach(new(ringqueue.Options)))); err != nil {
		return err
	}
	*q = *n
	return nil
}
