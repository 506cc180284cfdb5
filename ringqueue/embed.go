package ringqueue

import (
	"fmt"
	"sync/atomic"

	"github.com/shmkit/shmkit/codec"
	"github.com/shmkit/shmkit/internal/mem"
	"github.com/shmkit/shmkit/internal/place"
	"github.com/shmkit/shmkit/shm"
)

// A queue may also lie in a part of another segment: a manager's. Then it has its counters, which in
// a file of its own stand beside the process slots, before itself, and its ring is not mapped twice, so
// that a record that would go over the end leaves the rest of the lap free. There are no records by
// reference. These functions are for package manager, and of no use to others, who can't make a
// Place.

// embeddedCounters are the counters of one process slot, in the order of package shm.
type embeddedCounters [32]atomic.Uint64

// embeddedAt returns where a queue begins behind the counters.
func embeddedAt(slots int) int { return slots * 32 * 8 }

// embeddedSettings are the options of creation of such a queue, with the size of its items, 0 if
// they have many.
func (o *Options) embeddedSettings(itemSize int) (settings, error) {
	e := *o
	if e.MaxLarge > 0 {
		return settings{}, fmt.Errorf("%w: MaxLarge %d in another segment, where there are no records by reference", ErrTooLarge, o.MaxLarge)
	}
	e.MaxLarge = -1
	return e.settings(itemSize)
}

// EmbeddedSize returns how many bytes of another segment a queue of T takes with these options.
func EmbeddedSize[T any](slots int, o *Options) (int, error) {
	c, err := codec.For[T]()
	if err != nil {
		return 0, err
	}
	size, _ := c.Fixed()
	s, err := o.embeddedSettings(size)
	return embeddedAt(slots) + int(bodySize(s.capacity)), err
}

// InitEmbedded makes zeroed memory of that size a queue.
func InitEmbedded[T any](memory []byte, slots int, o *Options) error {
	c, err := codec.For[T]()
	if err != nil {
		return err
	}
	size, _ := c.Fixed()
	s, err := o.embeddedSettings(size)
	if err != nil {
		return err
	}
	return s.init(memory[embeddedAt(slots):], false, 0)
}

// OpenEmbedded returns a handle of the queue at the place, whose owner has made sure that it is one of
// T. The caller closes it before the memory goes.
func OpenEmbedded[T any](p place.Place, o *Options) (*Queue[T], error) {
	c, err := codec.For[T]()
	if err != nil {
		return nil, &Error{Op: "open", Queue: p.Name, Err: err}
	}
	v, counter, err := embedded(&p)
	if err != nil {
		return nil, &Error{Op: "open", Queue: p.Name, Err: err}
	}
	r := makeRing(p.Segment, v, home{name: p.Name, counter: counter, handle: p.Handle}, o)
	r.home.close = func() error { r.onClose(); return nil }
	return queueOn(r, c), nil
}

// RecoverEmbedded repairs the queue at the place after the death of the process in the slot, whose
// liveness lock the caller holds, or when it leaves.
func RecoverEmbedded(p place.Place, slot int) error {
	v, counter, err := embedded(&p)
	if err != nil {
		return err
	}
	return v.recoverFor(max(v.me, 0), slot, counter)
}

// embedded returns views of what is at the place.
func embedded(p *place.Place) (*view, func(int, shm.Counter) *atomic.Uint64, error) {
	slots := p.Segment.Slots()
	table, err := mem.Slice[embeddedCounters](p.Memory, 0, slots)
	if err != nil || slots > maxOwners {
		return nil, nil, fmt.Errorf("%w: %d slots in %d bytes", ErrCorrupt, slots, len(p.Memory))
	}
	v, err := viewOf(p.Memory[embeddedAt(slots):], false, p.Segment.Slot())
	if err == nil && v.large != nil {
		err = fmt.Errorf("%w: records by reference in another segment", ErrCorrupt)
	}
	return v, func(slot int, c shm.Counter) *atomic.Uint64 { return &table[slot][c] }, err
}
