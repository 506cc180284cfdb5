package manager

import (
	"fmt"
	"time"

	"github.com/shmkit/shmkit/internal/robust"
)

// A LockInfo describes an object that processes synchronise with, as its words say at about one
// moment: a lock, semaphore, event, condition or barrier, or the lock that goes with a value, an array
// or an object.
type LockInfo struct {
	ObjectInfo
	Held    bool      // some process has it for itself
	Slot    int       // that process's
	Since   time.Time // when it got it, to a second
	Token   uint64    // its fencing token
	Depth   int       // of a recursive lock: Locks without their Unlocks
	Died    bool      // an owner has died: the next one will be told, or the present one has been
	Waiters bool      // somebody sleeps, or is about to
	Set     bool      // of an event
	Broken  bool      // of a barrier
	Value   int       // permits left; read locks; who has come to a barrier; who waits for a condition
	Limit   int       // a semaphore's initial value; a barrier's parties
	Shares  []LockShare
}

// A LockShare is what one process has of it: read locks, permits, 1 if it takes part in a barrier,
// goroutines that wait for a condition.
type LockShare struct{ Slot, N int }

// Locks returns all of them, in the order of [Inspection.Objects]. A value, an array or an object is
// among them when its lock is held or an owner has died. With an error, which says what is
// damaged, it returns the rest.
func (n *Inspection) Locks() ([]LockInfo, error) {
	objects, err := n.Objects()
	var locks []LockInfo
	for i := range objects {
		r, _, ok, e := n.m.inspectObject(objects[i].ID)
		if e != nil || !ok || len(r.pieces()) == 0 {
			if err == nil && e != nil {
				err = wrap("inspect", objects[i].Label(), e)
			}
			continue
		}
		l := LockInfo{ObjectInfo: objects[i]}
		e = r.eachPiece(n.m.store, func(k robust.Kind, b []byte) error {
			s, err := robust.Inspect(k, b, slots)
			if err == nil {
				l.add(k, &s)
			}
			return err
		})
		if e != nil && err == nil {
			err = wrap("inspect", l.Label(), e)
		}
		if r.kind < kindValue || l.Held || l.Died {
			locks = append(locks, l)
		}
	}
	return locks, err
}

// add takes over what a piece says. A condition has two, of which the first is the lock of its own.
func (l *LockInfo) add(k robust.Kind, s *robust.State) {
	if s.Held {
		l.Held, l.Slot, l.Since, l.Token, l.Depth = true, s.Owner.Slot, s.Owner.Since, s.Owner.Token, s.Owner.Depth
	}
	l.Died = l.Died || s.Died
	l.Waiters = l.Waiters || s.Waiters
	if k == robust.KindMutex {
		return
	}
	l.Set, l.Broken, l.Value, l.Limit = s.Set, s.Broken, s.Value, s.Limit
	for _, share := range s.Shares {
		l.Shares = append(l.Shares, LockShare(share))
	}
}

// State says in some words what it is like: "free", "locked", "2 of 4 permits".
func (l *LockInfo) State() string {
	died := ""
	if l.Died {
		died = ", an owner has died"
	}
	switch kind := l.Kind; {
	case kind == kindNames[kindSemaphore]:
		return fmt.Sprintf("%d of %d permits", l.Value, l.Limit)
	case kind == kindNames[kindEvent] && l.Set:
		return "set"
	case kind == kindNames[kindEvent]:
		return "not set"
	case kind == kindNames[kindCond]:
		return fmt.Sprintf("%d waiting%s", l.Value, died)
	case kind == kindNames[kindBarrier] && l.Broken:
		return "broken"
	case kind == kindNames[kindBarrier]:
		return fmt.Sprintf("%d of %d have come", l.Value, l.Limit)
	case l.Depth > 1:
		return fmt.Sprintf("locked %d times%s", l.Depth, died)
	case l.Held && kind == kindNames[kindRWLock]:
		return "locked for writing" + died
	case l.Held:
		return "locked" + died
	case l.Value > 0:
		return fmt.Sprintf("read by %d%s", l.Value, died)
	}
	return "free" + died
}
