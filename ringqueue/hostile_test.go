//go:build unix

package ringqueue_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/shmkit/shmkit/ringqueue"
)

// The hostile tests write nonsense into a queue's file, as any process that may
// open it can, before and while every operation runs on it. Each operation ends
// soon, with an error or without; none panics, faults or hands out memory
// outside of the ring's data.

// Places in a queue's file, as FORMAT.md has them.
const (
	offFlags    = 16
	offCRC      = 20
	offSlots    = 44
	offBody     = 48
	offMirror   = 72
	headerBytes = 512
	offTable    = 4096
	slotBytes   = 512
	offCounters = 128 // in a slot

	offMaxItems  = 8 // from here on in the body
	offMaxRecord = 16
	offPoison    = 24
	offModes     = 32
	offTail      = 128
	offConsume   = 256
	offReclaim   = 384
	offRedeliver = 512
	offDropped   = 520
	offShutdown  = 528
	offProducer  = 532
	offConsumer  = 536
	offNotEmpty  = 640
	offNotFull   = 768
	offIdle      = 896
	offWords     = 4096
	offLarge     = 540
	offReturned  = 544
	offLeases    = 64 << 10              // of a queue of at most 7680 blocks
	offTop       = offLeases + 256 + 128 // of its arena with at most 32 chunks
	offPages     = offLeases + 256 + 2688 + 256*128
	offChunks    = 128 << 10
	offData      = offChunks + hostileChunks*ringqueue.ChunkSize
)

const (
	hostileBlocks   = 64 // of the queues under attack
	hostileCapacity = hostileBlocks * 64
	hostileChunks   = 20 // for records of more than a quarter of that
	hostileRecord   = 70_000
)

func hostileOptions(dir string) *ringqueue.Options {
	return &ringqueue.Options{
		Dir: dir, Capacity: hostileCapacity, MaxRecord: hostileRecord, MaxLarge: hostileChunks * ringqueue.ChunkSize, Persistent: true,
	}
}

// A vandal writes to a segment's file behind its users' backs.
type vandal struct {
	t    testing.TB
	file *os.File
	body int64
}

func newVandal(t testing.TB, path string) *vandal {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	wantNil(t, "open", err)
	t.Cleanup(func() { f.Close() })
	v := &vandal{t: t, file: f}
	v.body = int64(v.get(offBody))
	return v
}

func (v *vandal) write(at int64, b []byte) {
	v.t.Helper()
	if _, err := v.file.WriteAt(b, at); err != nil {
		v.t.Fatal(err)
	}
}

func (v *vandal) get(at int64) uint64 {
	v.t.Helper()
	var b [8]byte
	if _, err := v.file.ReadAt(b[:], at); err != nil {
		v.t.Fatal(err)
	}
	return binary.NativeEndian.Uint64(b[:])
}

func (v *vandal) set(at int64, x uint64) { v.write(at, binary.NativeEndian.AppendUint64(nil, x)) }

func (v *vandal) set32(at int64, x uint32) { v.write(at, binary.NativeEndian.AppendUint32(nil, x)) }

// reseal makes the checksum of the segment's header right again.
func (v *vandal) reseal() {
	v.t.Helper()
	var b [headerBytes]byte
	if _, err := v.file.ReadAt(b[:], 0); err != nil {
		v.t.Fatal(err)
	}
	reseal(b[:])
	v.write(0, b[:])
}

// reseal makes the checksum of a file's first bytes right again.
func reseal(b []byte) {
	clear(b[offCRC : offCRC+4])
	binary.NativeEndian.PutUint32(b[offCRC:], crc32.Checksum(b[:headerBytes], crc32.MakeTable(crc32.Castagnoli)))
}

// A target is a queue under attack, with what is open on it.
type target[T any] struct {
	t     testing.TB
	q     *ringqueue.Queue[T]
	o     *ringqueue.Options
	path  string
	value func(n int) T

	reserved  []ringqueue.Reservation
	leases    []ringqueue.Lease
	delivered []ringqueue.Delivery[T]
}

func newTarget[T any](t testing.TB, q *ringqueue.Queue[T], o *ringqueue.Options, value func(n int) T) *target[T] {
	return &target[T]{t: t, q: q, o: o, path: q.Ring().Segment().Path(), value: value}
}

// longestOp is how long an operation may take that was not asked to wait: far
// more than it does, far less than one that walks in circles.
const longestOp = 30 * time.Second

// do carries out an operation and checks how it ended. What waits does so for no
// longer than ctx.
func (g *target[T]) do(ctx context.Context, op hostileOp[T], arg int) {
	g.t.Helper()
	// A panic, which the fuzzer keeps, and not a test that hangs.
	late := time.AfterFunc(longestOp, func() { panic(fmt.Sprintf("%s(%d) does not end", op.name, arg)) })
	err := op.do(g, ctx, arg)
	late.Stop()
	var e *ringqueue.Error
	if err != nil && !errors.As(err, &e) {
		g.t.Errorf("%s(%d): error %v (%T)", op.name, arg, err, err)
	}
}

// inside checks that what was handed out lies where records do.
func (g *target[T]) inside(b []byte) {
	g.t.Helper()
	if len(b) == 0 {
		return
	}
	body := g.q.Ring().Segment().Body()
	from := reflect.ValueOf(b).Pointer() - reflect.ValueOf(body).Pointer()
	if from < offChunks || from > uintptr(len(body)) || uintptr(cap(b)) > uintptr(len(body))-from {
		g.t.Fatalf("%d bytes (capacity %d) at %d of a body of %d", len(b), cap(b), from, len(body))
	}
	var sum byte
	for _, x := range b {
		sum += x
	}
	_ = sum
}

// end closes the handle and ends what is open, in either order.
func (g *target[T]) end(closeFirst bool) {
	g.t.Helper()
	if closeFirst {
		wantNil(g.t, "Close", g.q.Close())
	}
	g.endOpen()
	wantNil(g.t, "Close", g.q.Close())
}

// endOpen ends what is open.
func (g *target[T]) endOpen() {
	g.t.Helper()
	for i := range g.reserved {
		g.reserved[i].Abort()
	}
	for i := range g.leases {
		g.leases[i].Requeue()
	}
	for i := range g.delivered {
		if err := g.delivered[i].Nack(); err != nil {
			g.t.Errorf("Nack: %v", err)
		}
	}
}

// over is a context that is done: what would wait tries and gives up.
var over = func() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}()

// hostileSize is how large a record is for n: one in three goes by reference, and some
// are too large.
func hostileSize(n int) int {
	if n < 150 {
		return n * 4
	}
	return n * 310
}

// Values of the types that the attacked queues carry. The codec takes another
// way for each.
func bytesValue(n int) []byte      { return make([]byte, hostileSize(n)) }
func plainValue(n int) [3]uint64   { return [3]uint64{uint64(n), 2, 3} }
func blockValue(n int) [128]byte   { return [128]byte{byte(n)} }
func listValue(n int) []string     { return make([]string, n) }
func boolsValue(n int) (v boolean) { v.Yes = n%2 == 0; return v }

type boolean struct {
	Yes bool
	N   uint32
}

// unmirrored makes the queue of that name one whose data is mapped once, as
// on systems that can't do it twice.
func unmirrored(t testing.TB, dir, name string) {
	t.Helper()
	v := newVandal(t, filepath.Join(dir, name))
	v.set(offMirror, 0)
	v.reseal()
}
