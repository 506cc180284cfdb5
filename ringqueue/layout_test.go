package ringqueue

import (
	"testing"
	"unsafe"
)

// TestLayout pins the places in the file that layout.go draws and that FORMAT.md
// states: processes of other versions, and other programs, rely on them.
func TestLayout(t *testing.T) {
	var h header
	for _, f := range []struct {
		name      string
		got, want uintptr
	}{
		{"capacity", unsafe.Offsetof(h.capacity), 0},
		{"maxItems", unsafe.Offsetof(h.maxItems), 8},
		{"maxRecord", unsafe.Offsetof(h.maxRecord), 16},
		{"poison", unsafe.Offsetof(h.poison), 24},
		{"modes", unsafe.Offsetof(h.modes), 32},
		{"lapBits", unsafe.Offsetof(h.lapBits), 40},
		{"chunks", unsafe.Offsetof(h.chunks), 48},
		{"tail", unsafe.Offsetof(h.tail), 128},
		{"consume", unsafe.Offsetof(h.consume), 256},
		{"reclaim", unsafe.Offsetof(h.reclaim), 384},
		{"redeliver", unsafe.Offsetof(h.redeliver), 512},
		{"dropped", unsafe.Offsetof(h.dropped), 520},
		{"shutdown", unsafe.Offsetof(h.shutdown), 528},
		{"producer", unsafe.Offsetof(h.producer), 532},
		{"consumer", unsafe.Offsetof(h.consumer), 536},
		{"large", unsafe.Offsetof(h.large), 540},
		{"returned", unsafe.Offsetof(h.returned), 544},
		{"notEmpty", unsafe.Offsetof(h.notEmpty), 640},
		{"notFull", unsafe.Offsetof(h.notFull), 768},
		{"idle", unsafe.Offsetof(h.idle), 896},
		{"the end", unsafe.Sizeof(h), 1024},
	} {
		if f.got != f.want {
			t.Errorf("%s is at %d, not %d", f.name, f.got, f.want)
		}
	}

	for _, c := range []struct {
		name      string
		got, want uint64
	}{
		{"layoutVersion", layoutVersion, 2},
		{"wordsOffset", wordsOffset, 4096},
		{"blockSize", blockSize, 64},
		{"modeSoleProducer", modeSoleProducer, 1},
		{"modeSoleConsumer", modeSoleConsumer, 2},
		{"shutdownDrain", shutdownDrain, 1},
		{"shutdownNow", shutdownNow, 2},
		{"dataOffset of 2 blocks", dataOffset(2, 0), 64 << 10},
		{"dataOffset of 7680 blocks", dataOffset(7680, 0), 64 << 10}, // up to its last byte
		{"dataOffset of 16384 blocks", dataOffset(16384, 0), 192 << 10},
		{"leases of 20 chunks", uint64(largeGeometry(2, 20).Base), 64<<10 + 256},
		{"dataOffset with 20 chunks", dataOffset(2, 20), 64<<10 + 64<<10 + 20<<16},
		{"referenceSize", referenceSize, 16},
		{"blockHead", blockHead, 64},
		{"byReference", byReference, 1 << 23},
		{"largeReady", largeReady, 1},
		{"largeClaimed", largeClaimed, 2},
		{"leased", uint64(leased), 1},
		{"returned", uint64(returned), 2},
		{"a lease word", uint64(makeLease(0x1234567812345678, 0xab, 0x3f, leased)), 0x123456780002aff1},
		{"bodySize of 1 MiB", uint64(bodySize(1 << 20)), 192<<10 + 1<<20},
	} {
		if c.got != c.want {
			t.Errorf("%s is %d, not %d", c.name, c.got, c.want)
		}
	}
}

// TestWordLayout pins the bits of words and cursors.
func TestWordLayout(t *testing.T) {
	for _, w := range []struct {
		name      string
		got, want word
	}{
		{"tag", makeWord(1<<22-1, 0, 0, 0, 0), 0xffff_fc00_0000_0000},
		{"length", makeWord(0, 1<<24-1, 0, 0, 0), 0x0000_03ff_fffc_0000},
		{"owner", makeWord(0, 0, 1<<8-1, 0, 0), 0x0000_0000_0003_fc00},
		{"attempt", makeWord(0, 0, 0, 1<<6-1, 0), 0x0000_0000_0000_03f0},
		{"state", makeWord(0, 0, 0, 0, 15), 0x0000_0000_0000_000f},
		{"batch", makeWord(0, batchLength(3, 5), 0, 0, 0), (3<<10 | 5) << 18},
	} {
		if w.got != w.want {
			t.Errorf("%s: %#x, not %#x", w.name, uint64(w.got), uint64(w.want))
		}
	}
	for want, s := range []state{0, reserved, reservedBatch, committed, borrowed, released, discarded, discardedBatch, pad, inner} {
		if int(s) != want {
			t.Errorf("state %d is to be %d", s, want)
		}
	}
	if c := makeCursor(3, 1<<24+5); c != 3<<24|5 {
		t.Errorf("cursor at 3 with 5 items: %#x", uint64(c))
	}
}
