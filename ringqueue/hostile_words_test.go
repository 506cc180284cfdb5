//go:build unix

package ringqueue_test

import (
	"context"
	"encoding/binary"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"github.com/shmkit/shmkit/ringqueue"
)

// A script is what the fuzzer chooses: bytes that are taken one by one, and
// zero when they have run out.
type script []byte

func (s *script) more() bool { return len(*s) > 0 }

func (s *script) byte() byte {
	if len(*s) == 0 {
		return 0
	}
	b := (*s)[0]
	*s = (*s)[1:]
	return b
}

func (s *script) int() int { return int(s.byte()) }

func (s *script) uint64() uint64 {
	var b [8]byte
	*s = (*s)[copy(b[:], *s):]
	return binary.LittleEndian.Uint64(b[:])
}

// FuzzWords damages the words, cursors, flags, roles and slots of a queue with
// values that are nearly right, or not at all, between the operations on it.
func FuzzWords(f *testing.F) {
	rng := rand.New(rand.NewPCG(3, 5))
	for range 64 {
		b := make([]byte, 20+rng.IntN(120))
		for i := range b {
			b[i] = byte(rng.Uint32())
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) { attackWords(t, b) })
}

func attackWords(t *testing.T, b []byte) {
	s := script(b)
	o := hostileOptions(tempDir(t))
	modes := s.byte()
	o.SingleProducer = modes&1 != 0
	o.SingleConsumer = modes&2 != 0
	if modes&4 != 0 {
		o.MaxItems = 1 + s.int()%40
	}
	mirror := modes&8 == 0
	switch modes >> 4 % 5 {
	case 0:
		attack(t, s, o, mirror, bytesValue)
	case 1:
		attack(t, s, o, mirror, plainValue)
	case 2:
		attack(t, s, o, mirror, blockValue)
	case 3:
		attack(t, s, o, mirror, listValue)
	case 4:
		attack(t, s, o, mirror, boolsValue)
	}
}

// attack carries out a script: each step is an operation or a damage.
func attack[T any](t *testing.T, s script, o *ringqueue.Options, mirror bool, value func(int) T) {
	q, err := ringqueue.Create[T]("q", o)
	wantNil(t, "Create", err)
	path := q.Ring().Segment().Path()
	if !mirror {
		wantNil(t, "Close", q.Close())
		unmirrored(t, o.Dir, "q")
		q, err = ringqueue.Open[T]("q", o)
		wantNil(t, "Open", err)
	}
	g := newTarget(t, q, o, value)
	v := newVandal(t, path)
	ops := hostileOps[T]()
	const mostSteps, mostWaits = 200, 5
	waits := 0
	for step := 0; s.more() && step < mostSteps; step++ {
		n := s.int()
		if n >= 0x80 {
			v.damage(&s, n)
			continue
		}
		ctx, cancel := over, context.CancelFunc(func() {})
		arg := s.int()
		if n >= 0x70 && waits < mostWaits {
			waits++
			ctx, cancel = context.WithTimeout(bg, time.Millisecond)
		}
		g.do(ctx, ops[n%len(ops)], arg)
		cancel()
	}
	g.end(s.int()%2 == 0)
}

// damage changes one thing in the queue's file.
func (v *vandal) damage(s *script, how int) {
	v.t.Helper()
	switch how % 21 {
	case 0, 1, 2, 3, 4: // the word of a position near a cursor's
		at := s.int()
		pos := v.get(v.body+[]int64{offTail, offConsume, offReclaim}[at%3]) >> []uint{24, 24, 0}[at%3]
		pos += uint64(int8(s.byte()) / 32)
		lap := pos/hostileBlocks + uint64(int8(s.byte())/48)
		length := uint64(s.byte()) << (s.byte() % 4 * 6)
		owner, attempt, state := uint64(s.byte()), uint64(s.byte())%64, uint64(s.byte())%16
		if how%21 < 3 {
			owner, attempt, state = owner%4, 0, 1+state%9
		}
		if how%21 == 1 {
			length = 1<<23 | 16 // by reference
		}
		v.set(v.body+offWords+int64(pos%hostileBlocks)*8, lap<<42|length&(1<<24-1)<<18|owner<<10|attempt<<4|state)
	case 5, 6: // a cursor, near where it was
		at := v.body + []int64{offTail, offConsume, offReclaim}[s.int()%3]
		old := v.get(at)
		blocks, items := uint64(int8(s.byte())), uint64(int8(s.byte()))
		if at == v.body+offReclaim {
			v.set(at, old+blocks)
		} else {
			v.set(at, (old>>24+blocks)<<24|(old+items)&(1<<24-1))
		}
	case 7: // a cursor, anywhere
		v.set(v.body+[]int64{offTail, offConsume, offReclaim}[s.int()%3], s.uint64())
	case 8: // whether somebody should look for records
		v.set(v.body+[]int64{offRedeliver, offDropped, offReturned}[s.int()%3], s.uint64())
	case 9: // a role, or shutdown, which is taken back more often because it ends the rest
		at, x := []int64{offProducer, offConsumer, offShutdown}[s.int()%3], uint32(s.byte())
		if at == offShutdown && x%8 != 0 {
			x = 0
		}
		v.set32(v.body+at, x)
	case 10: // a wait word
		v.set32(v.body+[]int64{offNotEmpty, offNotFull, offIdle}[s.int()%3], uint32(s.uint64()))
	case 11: // a dead process's slot, or a living one's taken for free
		v.set(offTable+int64(s.int()%8)*slotBytes, uint64(s.byte()))
	case 12: // a slot's counter
		v.set(offTable+int64(s.int()%4)*slotBytes+offCounters+int64(s.int()%32)*8, s.uint64())
	case 13: // the geometry, which only those read who open
		v.set(v.body+int64(s.int()%7)*8, s.uint64()>>(s.int()%64))
	case 14: // data
		v.write(v.body+offData+int64(s.int()*16), []byte{s.byte(), s.byte(), s.byte()})
	case 16: // a lease word, of the chunk's present use or not
		i := int64(s.int() % hostileChunks)
		gen := v.get(v.body+offPages+i*16)>>32 + uint64(int8(s.byte())/100)
		v.set(v.body+offLeases+i*8, gen<<32|uint64(s.byte()%4)<<10|uint64(s.byte()%64)<<4|uint64(s.byte()%4))
	case 17: // whether there is memory for large records
		v.set32(v.body+offLarge, uint32(s.byte()%8))
	case 18: // what a chunk is used for, and who has it
		i := int64(s.int() % hostileChunks)
		gen := v.get(v.body+offPages+i*16)>>32 + uint64(int8(s.byte())/100)
		v.set(v.body+offPages+i*16, gen<<32|uint64(s.byte()%32)<<16|uint64(s.byte()%6))
		v.set32(v.body+offPages+i*16+8, uint32(s.byte()%4))
		v.set(v.body+offTop, uint64(s.byte()))
	case 19: // the start of a block, and how long its record is
		at := v.body + offChunks + int64(s.int()%hostileChunks)*ringqueue.ChunkSize
		v.set(at, s.uint64()>>(s.byte()%64))
		v.set(at+8, s.uint64()>>(s.byte()%64))
	case 20: // a reference
		i := int64(s.int() % hostileChunks)
		ref := uint64(offChunks+i*ringqueue.ChunkSize) + uint64(s.byte()%4)*16
		page := v.get(v.body + offPages + i*16)
		if s.byte()%4 == 0 {
			ref, page = s.uint64(), s.uint64()
		}
		at := v.body + offData + int64(s.int()%hostileBlocks)*64
		v.set(at, ref)
		v.set(at+8, page)
	default: // anything
		v.set(v.body+int64(s.uint64()%((offWords+hostileBlocks*8)/8))*8, s.uint64())
	}
}

// TestHostileWords is FuzzWords with scripts of a generator's choice, for every
// kind of queue.
func TestHostileWords(t *testing.T) {
	rounds := 300
	if testing.Short() {
		rounds = 100
	}
	rng := rand.New(rand.NewPCG(7, 7))
	for round := range rounds {
		b := make([]byte, 40+rng.IntN(400))
		for i := range b {
			b[i] = byte(rng.Uint32())
		}
		b[0] = byte(round)
		if !t.Run(strconv.Itoa(round), func(t *testing.T) { attackWords(t, b) }) {
			t.Fatalf("script %q", b)
		}
	}
}
