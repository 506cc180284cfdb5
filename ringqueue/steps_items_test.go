//go:build unix && faultpoints

package ringqueue_test

import (
	"context"
	"encoding/binary"
	"fmt"

	"github.com/shmkit/shmkit/ringqueue"
)

// The items of the step killer are numbers with a payload that is made of the
// number, so that a torn or invented one is seen. They take five blocks: twelve
// fill a ring of a page, three make a batch, and the thirteenth wraps.
const (
	itemSize = 5 * 64 // fills its blocks: the way of flat items
	textSize = itemSize - 8
	ringSize = 4096
	inRing   = ringSize / itemSize

	// Those of a queue of large records take two chunks, and there is memory for three.
	largeItemSize = 70_000
	largeMemory   = 3 * 2 * ringqueue.ChunkSize
	inMemory      = 3
)

type item [itemSize]byte

// payload returns n bytes for an item of that number.
func payload(number uint64, n int) []byte {
	b := make([]byte, n)
	binary.LittleEndian.PutUint64(b, number)
	for i := 8; i < n; i++ {
		b[i] = byte(number) + byte(i)
	}
	return b
}

// numberOf returns the number of a payload, of any length that holds one.
func numberOf(b []byte) (uint64, error) {
	if len(b) < 8 {
		return 0, fmt.Errorf("an item of %d bytes", len(b))
	}
	number := binary.LittleEndian.Uint64(b)
	for i, got := range b[8:] {
		if want := byte(number) + byte(8+i); got != want {
			return number, fmt.Errorf("item %d is torn: byte %d of %d is %d, want %d", number, 8+i, len(b), got, want)
		}
	}
	return number, nil
}

// numbers is a queue of numbers, whatever type carries them.
type numbers interface {
	put(ctx context.Context, n uint64) error
	tryPut(n uint64) error
	putMany(ctx context.Context, ns ...uint64) error
	get(ctx context.Context) (uint64, error)
	tryGet() (uint64, error)
	getMany(ctx context.Context, most int) ([]uint64, error)
	receive(ctx context.Context) (delivery, uint64, error)

	Len() int
	Full() bool
	TaskDone() error
	Join(ctx context.Context) error
	Shutdown(now bool) error
	Ring() *ringqueue.Ring
	Handle() string
	Close() error
}

type delivery interface {
	Attempt() int
	Ack() error
	Nack() error
}

// numbered makes a queue of T one of numbers.
type numbered[T any] struct {
	*ringqueue.Queue[T]
	encode func(uint64) T
	decode func(T) (uint64, error)
}

// openNumbers opens a queue in some way: of items, or, with a size, of byte strings,
// which need not all have one size.
func openNumbers(size int, items func() (*ringqueue.Queue[item], error), texts func() (*ringqueue.Queue[[]byte], error)) (numbers, error) {
	if size > 0 {
		q, err := texts()
		return numbered[[]byte]{q, func(n uint64) []byte { return payload(n, size) }, numberOf}, err
	}
	q, err := items()
	return numbered[item]{
		q, func(n uint64) item { return item(payload(n, itemSize)) }, func(v item) (uint64, error) { return numberOf(v[:]) },
	}, err
}

func createNumbers(name string, text int, o *ringqueue.Options) (numbers, error) {
	return openNumbers(text,
		func() (*ringqueue.Queue[item], error) { return ringqueue.Create[item](name, o) },
		func() (*ringqueue.Queue[[]byte], error) { return ringqueue.Create[[]byte](name, o) })
}

func attachNumbers(handle string, text int, o *ringqueue.Options) (numbers, error) {
	return openNumbers(text,
		func() (*ringqueue.Queue[item], error) { return ringqueue.Attach[item](handle, o) },
		func() (*ringqueue.Queue[[]byte], error) { return ringqueue.Attach[[]byte](handle, o) })
}

func (q numbered[T]) put(ctx context.Context, n uint64) error { return q.Put(ctx, q.encode(n)) }

func (q numbered[T]) tryPut(n uint64) error { return q.TryPut(q.encode(n)) }

func (q numbered[T]) putMany(ctx context.Context, ns ...uint64) error {
	vs := make([]T, len(ns))
	for i, n := range ns {
		vs[i] = q.encode(n)
	}
	_, err := q.PutMany(ctx, vs)
	return err
}

func (q numbered[T]) get(ctx context.Context) (uint64, error) { return q.number(q.Get(ctx)) }

func (q numbered[T]) tryGet() (uint64, error) { return q.number(q.TryGet()) }

func (q numbered[T]) number(v T, err error) (uint64, error) {
	if err != nil {
		return 0, err
	}
	return q.decode(v)
}

func (q numbered[T]) getMany(ctx context.Context, most int) ([]uint64, error) {
	dst := make([]T, most)
	k, err := q.GetMany(ctx, dst)
	var ns []uint64
	for _, v := range dst[:k] {
		n, bad := q.decode(v)
		if bad != nil {
			return ns, bad
		}
		ns = append(ns, n)
	}
	return ns, err
}

func (q numbered[T]) receive(ctx context.Context) (delivery, uint64, error) {
	d, err := q.Receive(ctx)
	if err != nil {
		return nil, 0, err
	}
	n, err := q.decode(d.Value())
	return &d, n, err
}
