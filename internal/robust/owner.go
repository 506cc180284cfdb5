package robust

import (
	"fmt"
	"sync/atomic"
	"time"
)

// An Owner says who holds a lock exclusively.
type Owner struct {
	Slot  int       // the process's
	Since time.Time // as exact as the clock of its handle
	Token uint64    // its fencing token
	Depth int       // of an RLock: Locks without their Unlocks; else 0
	Died  bool      // an owner before has died and the present one has been told
}

// String returns the owner in a few words.
func (o Owner) String() string {
	return fmt.Sprintf("slot %d since %s, token %d", o.Slot, o.Since.Format(time.RFC3339Nano), o.Token)
}

// Owner returns who holds the lock; false when nobody does. The answer may be
// old, and its time and token those of the owner before while a new one comes
// in.
func (m *Mutex) Owner() (Owner, bool) {
	for {
		w := lockWord(m.words.word.Load())
		if w.free() {
			return Owner{Died: w.died()}, false
		}
		o := Owner{Slot: w.owner(), Since: unixTime(&m.words.since), Token: m.words.token.Load(), Died: w.died()}
		o.Depth = int(m.words.depth.Load())
		if lockWord(m.words.word.Load()).owner() == o.Slot && m.words.token.Load() == o.Token {
			return o, true
		}
	}
}

func unixTime(ns *atomic.Uint64) time.Time {
	if n := ns.Load(); n != 0 {
		return time.Unix(0, int64(n))
	}
	return time.Time{}
}
