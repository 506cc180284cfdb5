//go:build unix && faultpoints

package ringqueue_test

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
)

// An outcome is what a process has done to a queue's items, by the steps that it
// has taken. It is the contract: a commit is what puts, a release is what takes,
// and an item that is borrowed in between is not lost.
type outcome struct {
	added []uint64 // committed
	gone  int      // taken for good
	again int      // delivered once more: held when it died, or given back
	mine  []uint64 // items that it said it had, of those gone or again
	loose bool     // the last of a run may not have counted as delivered
	flag  int      // 1: it has shut the queue down; 2: at once
}

func (p *process) outcome() (o outcome) {
	inner, put, undone, held := 0, 0, 0, len(p.held)
	if p.args.op == "task_done" || p.args.op == "close_in_role" {
		o.gone, held = held, 0 // its preparation got it
	}
	for i, step := range p.executed() {
		switch step {
		case "arena.retire":
			// What took the item, unless a recoverer did it: he only leaves a hint.
			if held > 0 && p.trace[min(i+1, len(p.trace)-1)] != "arena.hint" {
				held--
				o.gone++
			}
		case "ring.commit.inner":
			inner++
		case "ring.commit":
			put += inner + 1
			inner = 0
		case "ring.sole.undo":
			undone++
		case "ring.borrow", "ring.borrow.again", "ring.borrow.run", "ring.large.again":
			held++
		case "ring.sole.borrow", "ring.sole.borrow.run":
			held++
			o.loose = true
		case "ring.release", "ring.release.run", "ring.requeue.poison":
			held--
			o.gone++
		case "ring.requeue", "ring.large.requeue":
			held--
			o.again++
		case "ring.shutdown":
			o.flag = 1
			if p.args.op == "shutdown_now" {
				o.flag = 2
			}
		}
	}
	for i := range put - undone {
		o.added = append(o.added, p.args.first+uint64(i))
	}
	o.again += held
	o.mine = append(p.held, p.taken...)
	return o
}

// A ledger is what there must be of the items when everybody is dead and
// recovered.
type ledger struct {
	attempts map[uint64]int // of each item: the next delivery, if nobody has touched it
	gone     int            // of those, taken
	again    int            // deliveries that did not end
	poisoned []uint64       // whose last delivery that was
	loose    int            // of those, perhaps not counted
	sure     []uint64       // gone, or delivered again
}

// ledger adds the outcomes of the dead to what was there.
func (s *scene) ledger() ledger {
	l := ledger{attempts: maps.Clone(s.items)}
	for _, p := range s.dead {
		o := p.outcome()
		if most := s.options.MaxAttempts; most > 0 && o.gone+o.again > 0 {
			l.poison(o, most)
		}
		for _, n := range o.added {
			l.attempts[n] = 1
		}
		l.gone += o.gone
		l.again += o.again
		if o.loose {
			l.loose += o.again
		}
		l.sure = append(l.sure, o.mine...)
	}
	return l
}

// count returns how many items can be taken.
func (l *ledger) count() int { return len(l.attempts) - l.gone - len(l.poisoned) }

// poison looks whether one of the items at their last attempt has ended with the
// process. There is one at most in a state, and whoever takes anything takes it
// first, because it has been delivered before.
func (l *ledger) poison(o outcome, most int) {
	for n, attempt := range l.attempts {
		if attempt != most || slices.Contains(l.sure, n) || slices.Contains(l.poisoned, n) {
			continue
		}
		if o.gone > 0 {
			l.sure = append(l.sure, n)
		} else if len(o.mine) == 0 || slices.Contains(o.mine, n) {
			l.poisoned = append(l.poisoned, n)
		}
	}
}

// A found item is one that a survivor took.
type found struct {
	number  uint64
	attempt int
}

// check compares what a survivor took, in this order, with the ledger.
func (l *ledger) check(got []found) error {
	attempts := make(map[uint64]int)
	last := uint64(0)
	bumps := 0
	for _, f := range got {
		want, ok := l.attempts[f.number]
		switch {
		case !ok:
			return fmt.Errorf("item %d was never put", f.number)
		case attempts[f.number] > 0:
			return fmt.Errorf("item %d came twice", f.number)
		case f.attempt < want:
			return fmt.Errorf("item %d came as attempt %d, is %d", f.number, f.attempt, want)
		case f.attempt == 1 && f.number < last:
			return fmt.Errorf("item %d came after %d, both for the first time", f.number, last)
		}
		attempts[f.number] = f.attempt
		bumps += f.attempt - want
		if f.attempt == 1 {
			last = f.number
		}
	}
	poisoned := len(l.poisoned)
	if missing := len(l.attempts) - len(got); missing != l.gone+poisoned {
		return fmt.Errorf("%d items are missing: %d were taken and %d delivered too often", missing, l.gone, poisoned)
	}
	if again := l.again - poisoned; bumps > again || bumps < again-l.loose {
		return fmt.Errorf("%d deliveries were counted that did not end, there were %d (%d perhaps not)", bumps, again, l.loose)
	}
	for _, n := range l.sure {
		if attempts[n] != 0 && attempts[n] <= l.attempts[n] && l.loose == 0 {
			return fmt.Errorf("item %d was taken, and is there for the first time", n)
		}
	}
	return nil
}

func (l *ledger) String() string {
	numbers := slices.SortedFunc(maps.Keys(l.attempts), cmp.Compare)
	text := ""
	for _, n := range numbers {
		text += fmt.Sprintf(" %d/%d", n, l.attempts[n])
	}
	return fmt.Sprintf("items%s; %d gone, %d again (%d loose)", text, l.gone, l.again, l.loose)
}
