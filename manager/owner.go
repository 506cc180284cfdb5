package manager

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/shmkit/shmkit/internal/robust"
)

// An Owner says who has a lock.
type Owner struct {
	Slot    int       // of the manager's segment
	PID     int       // in its own PID namespace
	Command string    // the first 80 bytes
	Alive   bool      // it may be stopped
	Self    bool      // it is this process, by this manager's handle
	Since   time.Time // to a second
	Token   uint64    // fencing token
	Depth   int       // of a RLock: Locks without their Unlocks
}

// String returns the owner in a few words.
func (o Owner) String() string {
	s := fmt.Sprintf("process %d (%s)", o.PID, o.Command)
	switch {
	case o.Self:
		s = "this " + s
	case !o.Alive:
		s = "dead " + s
	}
	if o.Depth > 1 {
		s += fmt.Sprintf(", %d times", o.Depth)
	}
	return s + fmt.Sprintf(", since %s, token %d", o.Since.Format(time.RFC3339), o.Token)
}

// ownerOf says of an owner's slot which process it is.
func (m *space) ownerOf(o robust.Owner, ok bool) (Owner, bool) {
	if !ok {
		return Owner{}, false
	}
	i := m.seg.SlotInfo(o.Slot)
	return Owner{
		Slot: o.Slot, PID: i.PID, Command: i.Command, Alive: i.Alive, Self: o.Slot == m.seg.Slot(),
		Since: o.Since, Token: o.Token, Depth: o.Depth,
	}, true
}

func describeLock(kind, name string, o Owner, locked bool) string {
	if !locked {
		return fmt.Sprintf("%s %q: free", kind, name)
	}
	return fmt.Sprintf("%s %q: %v", kind, name, o)
}

// with calls f with the lock, and whether its owner before died.
func with(ctx context.Context, l locker, f func(died error) error) (err error) {
	died := l.Lock(ctx)
	if died != nil && !errors.Is(died, ErrOwnerDied) {
		return died
	}
	defer func() {
		if unlockErr := l.Unlock(); err == nil {
			err = unlockErr
		}
	}()
	return f(died)
}
