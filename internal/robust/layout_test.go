package robust

import (
	"testing"
	"unsafe"
)

// TestLayout pins the places that layout.go draws: processes of other versions
// rely on them.
func TestLayout(t *testing.T) {
	var (
		m mutexWords
		n countWords
		e eventWords
		c condWords
	)
	for _, f := range []struct {
		name      string
		got, want uintptr
	}{
		{"mutex.word", unsafe.Offsetof(m.word), 0},
		{"mutex.event", unsafe.Offsetof(m.event), 8},
		{"mutex.depth", unsafe.Offsetof(m.depth), 12},
		{"mutex.token", unsafe.Offsetof(m.token), 16},
		{"mutex.since", unsafe.Offsetof(m.since), 24},
		{"mutex", unsafe.Sizeof(m), 128},
		{"count.sum", unsafe.Offsetof(n.sum), 0},
		{"count.event", unsafe.Offsetof(n.event), 8},
		{"count.limit", unsafe.Offsetof(n.limit), 12},
		{"count.token", unsafe.Offsetof(n.token), 16},
		{"count.since", unsafe.Offsetof(n.since), 24},
		{"count.bounded", unsafe.Offsetof(n.bounded), 32},
		{"count", unsafe.Sizeof(n), 128},
		{"event.state", unsafe.Offsetof(e.state), 0},
		{"event.event", unsafe.Offsetof(e.event), 4},
		{"event", unsafe.Sizeof(e), 128},
		{"cond.event", unsafe.Offsetof(c.event), 0},
		{"cond.cursor", unsafe.Offsetof(c.cursor), 4},
		{"cond", unsafe.Sizeof(c), 128},
		{"Size of a Mutex", uintptr(Size(KindMutex, 256)), 128},
		{"Size of an Event", uintptr(Size(KindEvent, 256)), 128},
		{"Size of a RWLock", uintptr(Size(KindRWLock, 256)), 128 + 2048},
		{"Size of a Semaphore", uintptr(Size(KindSemaphore, 1)), 256},
		{"Size of a Cond", uintptr(Size(KindCond, 17)), 128 + 256},
		{"Size of a Barrier", uintptr(Size(KindBarrier, 16)), 128 + 128},
		{"Size of nothing", uintptr(Size(0, 16)), 0},
	} {
		if f.got != f.want {
			t.Errorf("%s is %d, not %d", f.name, f.got, f.want)
		}
	}
}

// TestWords pins the bits of the words.
func TestWords(t *testing.T) {
	for _, w := range []struct {
		name      string
		got, want uint64
	}{
		{"owner", uint64(ownedBy(255)), 0x100},
		{"next", uint64(lockWord(0).withNext(255)), 0x100_0000},
		{"died", diedFlag, 1 << 32},
		{"total", uint64(makeSum(maxTotal, 0, -1, 0)), 0xffff_fff0_0000_0000},
		{"op", uint64(makeSum(0, 7, -1, 0)), 0x0000_000e_0000_0000},
		{"last", uint64(makeSum(0, 0, MaxSlots-1, 0)), 0x0000_0001_0000_0000},
		{"change", uint64(makeSum(0, 0, -1, 1<<25-1)), 0xff_ffff},
		{"held", uint64(makeShare(maxHeld, 0)), 0xffff_ff00_0000_0000},
		{"share's change", uint64(makeShare(0, 1<<41-1)), 0xff_ffff_ffff},
		{"readers", readersMask, 0x7fff},
		{"writer", writerFlag, 0x8000},
		{"writer died", rwDied, 0x1_0000},
		{"next reader", uint64(rwTotal(0).withNext(255, false)), 0x200_0000},
		{"next writer", uint64(rwTotal(0).withNext(0, true)), 0x402_0000},
		{"one arrived", uint64(barrierTotal(0).arrive()), 0x2_0000},
		{"broken", brokenFlag, 0x800_0000},
		{"one reset", uint64(barrierTotal(0).ended(true)), 0x1001},
		{"one pass", uint64(barrierTotal(roundMask).ended(false)), 0},
		{"one waits", oneWaits, 1},
		{"one notified", oneNotified, 1 << 32},
	} {
		if w.got != w.want {
			t.Errorf("%s: %#x, not %#x", w.name, w.got, w.want)
		}
	}
	// Round trips, where the fields meet.
	s := makeSum(5, 3, 7, 9)
	if s.total() != 5 || s.op() != 3 || s.last() != 7 || s.change() != 9 {
		t.Errorf("sum %#x", uint64(s))
	}
	if h := makeShare(5, 9); h.held() != 5 || h.change() != 9 {
		t.Errorf("share %#x", uint64(h))
	}
}
