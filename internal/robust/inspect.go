package robust

import (
	"sync/atomic"
)

// A State is what the words of an object say, for people to look at from outside. They are read one
// after the other while others go on.
type State struct {
	Owner   Owner // who holds it exclusively
	Held    bool  // there is an owner
	Died    bool  // the next owner of a free lock is told of a death; the present one has been
	Waiters bool  // somebody sleeps, or is about to, waiting for a change
	Value   int   // permits, read locks, who has come to a barrier, who waits for a condition
	Limit   int   // a semaphore's initial value, a barrier's parties
	Set     bool  // an event is
	Broken  bool  // a barrier is
	Shares  []Share
}

// A Share is what one process has of an object that is counted: read locks, permits, 1 for a
// place among a barrier's parties, goroutines that wait for a condition.
type Share struct{ Slot, N int }

// Inspect reads an object. It writes nothing: the memory may be mapped for reading only. A share may
// be that of before the last change. Errors are [ErrCorrupt].
func Inspect(k Kind, b []byte, slots int) (s State, err error) {
	switch k {
	case KindMutex:
		w, _, err := view[mutexWords](k, b, slots)
		if err != nil {
			return s, err
		}
		m := Mutex{words: w, slots: slots}
		s.Owner, s.Held = m.Owner()
		s.Died, s.Waiters = s.Owner.Died, waited(&w.event)
	case KindEvent:
		w, _, err := view[eventWords](k, b, slots)
		if err != nil {
			return s, err
		}
		s.Set, s.Waiters = w.state.Load()&1 != 0, waited(&w.event)
	case KindCond:
		w, shares, err := view[condWords](k, b, slots)
		if err != nil {
			return s, err
		}
		s.Waiters = waited(&w.event)
		for i := range shares {
			if n := int(condShare(shares[i].Load()).waiting()); n > 0 {
				s.Shares = append(s.Shares, Share{i, n})
				s.Value += n
			}
		}
	default:
		w, shares, err := view[countWords](k, b, slots)
		if err != nil {
			return s, err
		}
		s.count(k, w, shares)
	}
	return s, nil
}

// count reads an object that is counted.
func (s *State) count(k Kind, w *countWords, shares []atomic.Uint64) {
	total := sum(w.sum.Load()).total()
	s.Waiters, s.Limit = waited(&w.event), int(w.limit)
	for i := range shares {
		held := share(shares[i].Load()).held()
		switch k {
		case KindRWLock:
			held &= readersMask
		case KindBarrier:
			held = held & memberFlag / memberFlag
		}
		if held > 0 {
			s.Shares = append(s.Shares, Share{i, int(held)})
		}
	}
	switch k {
	case KindRWLock:
		l := RWLock{words: w, t: tally{sum: &w.sum, shares: shares}}
		s.Owner, s.Held = l.Owner()
		s.Value, s.Died = l.Readers(), rwTotal(total).died()
	case KindSemaphore:
		s.Value = int(total)
	case KindBarrier:
		s.Value, s.Broken = int(barrierTotal(total).arrived()), barrierTotal(total).broken()
	}
}

// waited tells whether an event count's waiting bit is set.
func waited(event *atomic.Uint32) bool { return event.Load()&1 != 0 }
