package arena

import (
	"math"
	"math/bits"
	"sync"
	"sync/atomic"

	"github.com/shmkit/shmkit/internal/fault"
)

// A pin word is 0, epoch<<2 | 1, or ousted.
const ousted = 2

// shared is the pin word that goroutines have in common when all others are taken.
const shared = len(pinLine{}) - 1

// pinSet is the process's account of its pin words.
type pinSet struct {
	taken atomic.Uint32 // a bit for each word

	mu      sync.Mutex // guards the shared word
	sharers int
	value   uint64
}

// A Pin keeps every block that was referred to when it was set from being given out
// again, until Unpin; or until memory is short, and it is ousted.
type Pin struct {
	word  int
	value uint64
}

// Pin sets a pin. It never waits.
func (a *Arena) Pin() Pin {
	slot := int(a.me) - 1
	if bit := uint64(1) << (slot % 64); a.head.pinned[slot/64].Load()&bit == 0 {
		fault.Point("arena.pinned")
		a.head.pinned[slot/64].Or(bit)
	}
	for {
		taken := a.mine.taken.Load()
		i := bits.TrailingZeros32(^taken)
		if i >= shared {
			return a.pinShared()
		}
		if a.mine.taken.CompareAndSwap(taken, taken|1<<i) {
			return Pin{i, a.setPin(i)}
		}
	}
}

// setPin sets a pin word. It is a swap, which is a full fence: what is loaded later
// is later for everybody.
func (a *Arena) setPin(i int) uint64 {
	v := a.head.epoch.Load()<<2 | 1
	fault.Point("arena.pin.set")
	a.pins[a.me-1][i].Swap(v)
	return v
}

func (a *Arena) pinShared() Pin {
	s := &a.mine
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sharers == 0 {
		s.value = a.setPin(shared)
	}
	s.sharers++
	return Pin{shared, s.value}
}

// Pinned tells whether the pin still holds: if not, what was read under it since
// may be garbage.
func (a *Arena) Pinned(p Pin) bool {
	w := &a.pins[a.me-1][p.word]
	fault.Look(w)
	return w.Load() == p.value
}

// Unpin ends a pin.
func (a *Arena) Unpin(p Pin) {
	if p.word == shared {
		s := &a.mine
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.sharers--; s.sharers > 0 {
			return
		}
	}
	fault.Point("arena.unpin")
	a.pins[a.me-1][p.word].Store(0)
	if p.word != shared {
		a.mine.taken.And(^uint32(1 << p.word))
	}
}

// eachPin calls f with every pin word that may be set, until it returns false.
func (a *Arena) eachPin(f func(w *atomic.Uint64) bool) {
	for i := range a.head.pinned {
		for set := a.head.pinned[i].Load(); set != 0; set &= set - 1 {
			slot := i*64 + bits.TrailingZeros64(set)
			if slot >= len(a.pins) {
				return
			}
			for j := range a.pins[slot] {
				if !f(&a.pins[slot][j]) {
					return
				}
			}
		}
	}
}

// unpinned tells whether there is no pin at all. A block that was retired before
// may then be given out: whoever pins later does not find it.
func (a *Arena) unpinned() bool {
	none := true
	a.eachPin(func(w *atomic.Uint64) bool {
		v := w.Load()
		none = v == 0 || v == ousted
		return none
	})
	return none
}

// oldestPin returns the lowest epoch of all pins.
func (a *Arena) oldestPin() uint64 {
	oldest := uint64(math.MaxUint64)
	a.eachPin(func(w *atomic.Uint64) bool {
		if v := w.Load(); v != 0 && v != ousted {
			oldest = min(oldest, v>>2)
		}
		return true
	})
	return oldest
}

// oust ends all pins that are older than an epoch.
func (a *Arena) oust(epoch uint64) {
	a.eachPin(func(w *atomic.Uint64) bool {
		oustOne(w, epoch)
		return true
	})
}

func oustOne(w *atomic.Uint64, epoch uint64) {
	if v := w.Load(); v != 0 && v != ousted && v>>2 < epoch {
		fault.Point("arena.oust")
		w.CompareAndSwap(v, ousted)
	}
}

// clearPins ends all pins of a slot.
//
//go:noinline
func (a *Arena) clearPins(slot int) {
	for j := range a.pins[slot] {
		if a.pins[slot][j].Load() != 0 {
			fault.Point("arena.clear_pin")
			a.pins[slot][j].Store(0)
		}
	}
	if bit := uint64(1) << (slot % 64); a.head.pinned[slot/64].Load()&bit != 0 {
		fault.Point("arena.clear_pinned")
		a.head.pinned[slot/64].And(^bit)
	}
}
