//go:build unix

package ringqueue_test

import (
	"encoding/binary"
	"math"
	"testing"
	"time"

	"github.com/shmkit/shmkit/ringqueue"
)

// TestImpossibleGeometryIsRefused opens queues whose header says what creation
// never writes. MaxItems of 2⁶³ used to be a negative number to PutMany, which
// panicked; slot numbers above 255 overflow a word's owner into its length.
func TestImpossibleGeometryIsRefused(t *testing.T) {
	for _, tt := range []struct {
		name   string
		damage func(v *vandal)
	}{
		{"MaxItems of 2^63", func(v *vandal) { v.set(v.body+offMaxItems, 1<<63) }},
		{"MaxItems of 2^23+1", func(v *vandal) { v.set(v.body+offMaxItems, 1<<23+1) }},
		{"MaxRecord of more than a quarter", func(v *vandal) { v.set(v.body+offMaxRecord, hostileCapacity/4+1) }},
		{"64 attempts", func(v *vandal) { v.set(v.body+offPoison, 64) }},
		{"capacity of 2^63", func(v *vandal) { v.set(v.body, 1<<63) }},
		{"capacity of 0", func(v *vandal) { v.set(v.body, 0) }},
		{"an unknown mode", func(v *vandal) { v.set(v.body+offModes, 4) }},
		{"257 slots", func(v *vandal) {
			// The slots end where the body begins: move that by two pages.
			const page = 4096
			size := v.get(offBody + 8)
			v.set32(offSlots, 257)
			v.set(offBody, uint64(v.body)+2*page)
			v.set(offBody+8, size-2*page)
			v.set(offBody+16, size-2*page)
			var geometry [128]byte
			if _, err := v.file.ReadAt(geometry[:], v.body); err != nil {
				t.Fatal(err)
			}
			v.body += 2 * page
			v.write(v.body, geometry[:])
			v.set(offMirror, 0)
			v.set(v.body, page) // a ring that fits what is left
			v.set(v.body+offMaxRecord, page/4)
			v.reseal()
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := &ringqueue.Options{Dir: tempDir(t), Capacity: hostileCapacity, MaxLarge: -1, Persistent: true}
			if tt.name == "257 slots" {
				o.Capacity = 8 * hostileCapacity
			}
			q, err := ringqueue.Create[[]byte]("q", o)
			wantNil(t, "Create", err)
			path := q.Ring().Segment().Path()
			wantNil(t, "Close", q.Close())
			tt.damage(newVandal(t, path))
			q, err = ringqueue.Open[[]byte]("q", o)
			if err == nil {
				n, err := q.PutMany(over, [][]byte{{1}, {2}, {3}})
				t.Errorf("opened; PutMany: %d, %v", n, err)
				q.Close()
				return
			}
			wantErr(t, "Open", err, ringqueue.ErrCorrupt)
		})
	}
}

// TestLimitsAreCheckedCopies: an open queue keeps to the limits that were
// checked, whatever somebody has written there since.
func TestLimitsAreCheckedCopies(t *testing.T) {
	o := &ringqueue.Options{Dir: tempDir(t), Capacity: hostileCapacity, MaxItems: 5, MaxLarge: -1}
	q, err := ringqueue.Create[[]byte]("q", o)
	wantNil(t, "Create", err)
	defer q.Close()
	v := newVandal(t, q.Ring().Segment().Path())
	v.set(v.body, math.MaxUint64)
	v.set(v.body+offMaxItems, math.MaxUint64)
	v.set(v.body+offMaxRecord, math.MaxUint64)
	v.set(v.body+offModes, math.MaxUint64)
	if q.MaxItems() != 5 || q.Ring().Capacity() != hostileCapacity || q.Ring().MaxRecord() != hostileCapacity/4 {
		t.Errorf("limits of an open queue changed: %d items, %d bytes, records of %d", q.MaxItems(), q.Ring().Capacity(), q.Ring().MaxRecord())
	}
	n, err := q.PutMany(over, make([][]byte, 9))
	wantErr(t, "PutMany", err, ringqueue.ErrFull)
	if n != 5 {
		t.Errorf("PutMany put %d", n)
	}
	if _, err := q.TryGet(); err != nil {
		t.Errorf("TryGet: %v", err)
	}
}

// TestRecoveryGivesNonsenseUpAtOnce opens a queue in which every slot seems dead
// and each walk over the ring ends at a word that can't be there. A walk that
// failed was tried a hundred times for each slot, though the ring stood still:
// opening took a minute.
func TestRecoveryGivesNonsenseUpAtOnce(t *testing.T) {
	const blocks = 1 << 18
	o := &ringqueue.Options{Dir: tempDir(t), Capacity: blocks * 64, Persistent: true}
	q, err := ringqueue.Create[int]("q", o)
	wantNil(t, "Create", err)
	path := q.Ring().Segment().Path()
	wantNil(t, "Close", q.Close())
	v := newVandal(t, path)
	committed := uint64(1<<42 | 8<<18 | 3)
	words := make([]byte, 0, blocks*8)
	for range blocks - 1 {
		words = binary.NativeEndian.AppendUint64(words, committed)
	}
	v.write(v.body+offWords, binary.NativeEndian.AppendUint64(words, committed+1<<42))
	for slot := range int64(256) {
		v.set(offTable+slot*slotBytes, 1)
	}
	start := time.Now()
	q, err = ringqueue.Open[int]("q", o)
	if d := time.Since(start); d > 10*time.Second {
		t.Errorf("Open took %v", d)
	}
	if err == nil { // a slot that nobody had used was free
		t.Error("Open joined in a slot that can't be recovered")
		q.Close()
		return
	}
	wantErr(t, "Open", err, ringqueue.ErrCorrupt)
}
