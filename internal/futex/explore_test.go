package futex_test

import (
	"fmt"
	"strings"
	"testing"
)

// The protocol as a state machine, explored through every interleaving of its
// steps: each load, swap and system call is one. There are no slices, so a
// wake-up that is lost stays lost. Beside the protocol of this package stand
// simpler ones that lose wake-ups; that the search finds out is the proof that
// it searches.

// A protocol says how waiting and waking are done. The zero value is this
// package's.
type protocol struct {
	flag      bool // the word is only the waiting bit
	wakeOne   bool
	noRecheck bool // sleep without the second try
	keepWord  bool // notify wakes without changing the word
	passOn    bool // a waiter that slept and leaves something wakes the next
	dropHeir  bool // one made leader while it was cancelled just leaves
}

// A scene is who does what.
type scene struct {
	protocol
	needs   []uint8 // of each waiter
	process []uint8 // of each waiter; nil: each has its own
	puts    [][]uint8
	cancels uint8 // of waiters, at any time
	kills   uint8 // of waiters that are alone in their process, at any time
}

const (
	most  = 3 // waiters, putters
	asBit = 1
)

// Where a waiter stands: what it does next.
const (
	wEnter   = iota
	wParked  // a follower
	wGiveUp  // a follower whose context is done
	wTry     // leads, as in all that follow
	wArm     // set the bit
	wRecheck // second try
	wSleep   // is about to call the kernel
	wAsleep  // in the kernel
	wPass    // pass the wake-up on, in protocols that do
	wHandOver
	wGone
)

// Where a putter stands.
const (
	pPut = iota
	pLook
	pSwap
	pWake
)

type waiterState struct {
	at    uint8
	val   uint8 // of the word when armed
	slept bool
	ended bool // cancelled
}

type putterState struct {
	at, val, done uint8
}

type state struct {
	word, items uint8
	w           [most]waiterState
	p           [most]putterState
	leader      [most]uint8       // of each process, +1
	queue       [most][most]uint8 // of each process, +1
	cancels     uint8
	kills       uint8
}

// next calls yield with each state one step on.
func (sc *scene) next(s state, yield func(what string, to state)) {
	step := func(what string, to state) {
		sc.forget(&to)
		yield(what, to)
	}
	for i := range sc.needs {
		sc.stepWaiter(s, i, step)
	}
	for i := range sc.puts {
		sc.stepPutter(s, i, step)
	}
}

// forget clears what nobody will look at again, so that states are the same that
// go on the same.
func (sc *scene) forget(s *state) {
	moving := false // somebody may yet be cancelled or killed
	for i := range s.w {
		w := &s.w[i]
		if w.at < wRecheck || w.at > wAsleep {
			w.val = 0
		}
		if w.at >= wPass {
			w.ended = false
			w.slept = false
		}
		w.slept = w.slept && sc.passOn
		moving = moving || w.at != wGone
	}
	if !moving {
		s.cancels, s.kills = 0, 0
	}
	for i := range s.p {
		if s.p[i].at != pSwap {
			s.p[i].val = 0
		}
	}
}

func (sc *scene) proc(i int) int {
	if sc.process == nil {
		return i
	}
	return int(sc.process[i])
}

func (sc *scene) stepWaiter(s state, i int, yield func(string, state)) {
	n := s
	w, pr := &n.w[i], sc.proc(i)
	name := func(what string) string { return fmt.Sprintf("waiter %d %s", i, what) }
	enough := s.items >= sc.needs[i]
	switch s.w[i].at {
	case wEnter:
		if s.leader[pr] == 0 {
			n.leader[pr] = uint8(i + 1)
			w.at = wTry
		} else {
			n.enqueue(pr, i)
			w.at = wParked
		}
		yield(name("enters"), n)
	case wParked:
		if s.leader[pr] == uint8(i+1) {
			w.at = wTry
			yield(name("leads"), n)
		}
		if s.cancels > 0 {
			n := s
			n.cancels--
			n.w[i].at = wGiveUp
			yield(name("is cancelled, parked"), n)
		}
	case wGiveUp:
		switch {
		case s.leader[pr] != uint8(i+1):
			n.dequeue(pr, i)
			w.at = wGone
		case sc.dropHeir:
			w.at = wGone
		default:
			w.at = wHandOver
		}
		yield(name("gives up"), n)
	case wTry, wRecheck:
		switch {
		case enough:
			n.items -= sc.needs[i]
			w.at = wHandOver
			if sc.passOn && s.w[i].slept {
				w.at = wPass
			}
		case s.w[i].ended:
			w.at = wHandOver
		case s.w[i].at == wTry:
			w.at = wArm
		default:
			w.at = wSleep
		}
		yield(name("tries"), n)
	case wArm:
		n.word |= asBit
		w.val = n.word
		w.at = wRecheck
		if sc.noRecheck {
			w.at = wSleep
		}
		yield(name("arms"), n)
	case wSleep:
		w.at = wTry
		if s.word == s.w[i].val && !s.w[i].ended {
			w.at = wAsleep
			w.slept = true
		}
		yield(name("calls the kernel"), n)
	case wPass:
		w.at = wHandOver
		if s.items == 0 {
			yield(name("leaves nothing"), n)
			return
		}
		n.word |= asBit
		n.wakeOne(func(to state) { yield(name("passes on"), to) })
	case wHandOver:
		w.at = wGone
		n.leader[pr] = n.queue[pr][0]
		if n.leader[pr] != 0 {
			n.dequeue(pr, int(n.leader[pr])-1)
		}
		yield(name("leaves"), n)
	}
	if at := s.w[i].at; s.cancels > 0 && !s.w[i].ended && at >= wTry && at <= wAsleep {
		n := s
		n.cancels--
		n.w[i].ended = true
		if at == wAsleep {
			n.w[i].at = wTry
		}
		yield(name("is cancelled"), n)
	}
	if at := s.w[i].at; s.kills > 0 && at != wGone {
		n := s
		n.kills--
		n.w[i] = waiterState{at: wGone}
		yield(name("is killed"), n)
	}
}

func (sc *scene) stepPutter(s state, i int, yield func(string, state)) {
	n := s
	p := &n.p[i]
	name := func(what string) string { return fmt.Sprintf("putter %d %s", i, what) }
	switch s.p[i].at {
	case pPut:
		if int(s.p[i].done) < len(sc.puts[i]) {
			n.items += sc.puts[i][s.p[i].done]
			p.done++
			p.at = pLook
			yield(name("puts"), n)
		}
	case pLook:
		p.val = s.word
		p.at = pPut
		if s.word&asBit != 0 {
			p.at = pSwap
		}
		yield(name("looks"), n)
	case pSwap:
		p.at = pPut
		switch {
		case sc.keepWord:
			p.at = pWake
		case s.word != s.p[i].val: // the swap fails
		case sc.flag:
			n.word = 0
			p.at = pWake
		default:
			n.word = (s.word + 2) &^ asBit
			p.at = pWake
		}
		yield(name("swaps"), n)
	case pWake:
		p.at = pPut
		if sc.wakeOne {
			n.wakeOne(func(to state) { yield(name("wakes one"), to) })
			return
		}
		for j := range n.w {
			if n.w[j].at == wAsleep {
				n.w[j].at = wTry
			}
		}
		yield(name("wakes all"), n)
	}
}

// wakeOne yields what the kernel may make of FUTEX_WAKE for one.
func (s state) wakeOne(yield func(state)) {
	none := true
	for j := range s.w {
		if s.w[j].at == wAsleep {
			n := s
			n.w[j].at = wTry
			none = false
			yield(n)
		}
	}
	if none {
		yield(s)
	}
}

func (s *state) enqueue(pr, i int) {
	for k := range s.queue[pr] {
		if s.queue[pr][k] == 0 {
			s.queue[pr][k] = uint8(i + 1)
			return
		}
	}
}

func (s *state) dequeue(pr, i int) {
	q := &s.queue[pr]
	for k := range q {
		if q[k] == uint8(i+1) {
			copy(q[k:], q[k+1:])
			q[most-1] = 0
			return
		}
	}
}

// stranded tells whether somebody waits, while nobody moves, for what is there.
// A follower's turn comes when it leads.
func (sc *scene) stranded(s state) bool {
	for i, need := range sc.needs {
		idle := s.w[i].at == wAsleep || s.w[i].at == wParked && s.leader[sc.proc(i)] == 0
		if idle && s.items >= need {
			return true
		}
	}
	// A leader that is gone strands its followers, whatever there is.
	for i := range sc.needs {
		if l := s.leader[sc.proc(i)]; s.w[i].at == wParked && l != 0 && s.w[l-1].at == wGone {
			return true
		}
	}
	return false
}

// explore returns the number of states, and the steps to a lost wake-up, if any.
func (sc *scene) explore() (states int, trace []string) {
	type origin struct {
		from state
		what string
	}
	start := state{cancels: sc.cancels, kills: sc.kills}
	for i := range start.w {
		if i >= len(sc.needs) {
			start.w[i].at = wGone
		}
	}
	came := map[state]origin{start: {}}
	for todo := []state{start}; len(todo) > 0; {
		s := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		quiet := true
		sc.next(s, func(what string, to state) {
			if !strings.Contains(what, "is cancelled") && !strings.Contains(what, "is killed") {
				quiet = false // else it need not happen
			}
			if _, seen := came[to]; !seen {
				came[to] = origin{s, what}
				todo = append(todo, to)
			}
		})
		if quiet && sc.stranded(s) {
			for s != start {
				trace = append([]string{came[s].what}, trace...)
				s = came[s].from
			}
			return len(came), trace
		}
	}
	return len(came), nil
}

func TestProtocol(t *testing.T) {
	same := []uint8{0, 0, 0}
	for _, c := range []struct {
		name  string
		scene scene
		lost  bool
	}{
		{"holds", scene{needs: []uint8{1, 1, 1}, puts: [][]uint8{{1, 1}, {1}}}, false},
		{"holds with batches", scene{needs: []uint8{1, 1, 1}, puts: [][]uint8{{2}, {1, 1}}}, false},
		{"holds with sizes", scene{needs: []uint8{3, 1, 2}, puts: [][]uint8{{1, 1}, {1}}}, false},
		{"holds with cancels", scene{needs: []uint8{1, 1, 1}, puts: [][]uint8{{1, 1}, {1}}, cancels: 1}, false},
		{"holds with killed waiters", scene{needs: []uint8{1, 1, 1}, puts: [][]uint8{{1, 1}, {1}}, kills: 2}, false},
		{"holds with a leader", scene{needs: []uint8{1, 1, 1}, process: same, puts: [][]uint8{{1, 1}, {1}}, cancels: 2}, false},
		{"holds with two leaders", scene{needs: []uint8{1, 1, 1}, process: []uint8{0, 0, 1}, puts: [][]uint8{{1, 1}, {1}}, cancels: 1}, false},

		{"no second try", scene{protocol: protocol{noRecheck: true}, needs: []uint8{1}, puts: [][]uint8{{1}}}, true},
		{"F-A1 flag, woken passes on", scene{protocol: protocol{flag: true, wakeOne: true, passOn: true}, needs: []uint8{1, 1}, puts: [][]uint8{{1, 1}, {1}}}, true},
		{"F-A1 flag, wake all", scene{protocol: protocol{flag: true}, needs: []uint8{1, 1}, puts: [][]uint8{{1, 1}, {1}}}, true},
		{"F-A2 flag, pass on, cancel", scene{protocol: protocol{flag: true, wakeOne: true, passOn: true}, needs: []uint8{1, 1, 1}, puts: [][]uint8{{1, 1}}, cancels: 1}, true},
		{"F-A4 wake without a change", scene{protocol: protocol{keepWord: true}, needs: []uint8{1}, puts: [][]uint8{{1}}}, true},
		{"F-A5 sequence, wake one", scene{protocol: protocol{wakeOne: true}, needs: []uint8{1, 1}, puts: [][]uint8{{1, 1}}}, true},
		{"F-A6 flag, wake one", scene{protocol: protocol{flag: true, wakeOne: true}, needs: []uint8{1, 1}, puts: [][]uint8{{1, 1}}}, true},
		{"F-A7 sizes, flag, wake all", scene{protocol: protocol{flag: true}, needs: []uint8{3, 1}, puts: [][]uint8{{1}, {1}}}, true},
		{"F-A7 sizes, sequence, wake one", scene{protocol: protocol{wakeOne: true}, needs: []uint8{3, 1}, puts: [][]uint8{{1}}}, true},
		{"F-A9 cancelled heir drops the lead", scene{protocol: protocol{dropHeir: true}, needs: []uint8{1, 1, 1}, process: same, puts: [][]uint8{{1}, {1}}, cancels: 1}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			states, trace := c.scene.explore()
			t.Logf("%d states", states)
			switch {
			case trace != nil && !c.lost:
				t.Errorf("a wake-up is lost:\n%s", strings.Join(trace, "\n"))
			case trace == nil && c.lost:
				t.Error("no wake-up is lost; the search must find one")
			}
		})
	}
}
