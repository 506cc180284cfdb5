//go:build unix

package ringqueue_test

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/shmkit/shmkit/internal/fault"
	"github.com/shmkit/shmkit/internal/mem"
	"github.com/shmkit/shmkit/ringqueue"
	"github.com/shmkit/shmkit/shm"
)

// A linearStage has the members that play the histories. They are processes that
// live from one history to the next, unless they are killed.
type linearStage struct {
	dir     string
	board   *board
	round   uint32
	members [linearMembers]*child // nil: to be started
	spare   bool                  // nobody is killed
}

func newLinearStage(t *testing.T) *linearStage {
	s := &linearStage{dir: tempDir(t)}
	seg, err := shm.Create(boardName, int64(len(mem.BytesOf(new(board)))), &shm.Options{Dir: s.dir})
	s.board, err = boardOf(seg, err)
	wantNil(t, "board", err)
	t.Cleanup(func() {
		for _, c := range s.members {
			if c != nil {
				c.kill()
			}
		}
		wantNil(t, "Close", seg.Close())
		noSegments(t, s.dir)
	})
	return s
}

// play lets members play one history of a plan, and returns what they say.
func (s *linearStage) play(t *testing.T, plan int, seed uint64) *linearHistory {
	p := linearPlans[plan]
	if p.large {
		return playItems(t, s, plan, seed, func(q *ringqueue.Queue[largeItem]) *actor[largeItem] {
			return &actor[largeItem]{q: q, make: makeLarge, read: readLarge}
		})
	}
	return playItems(t, s, plan, seed, func(q *ringqueue.Queue[smallItem]) *actor[smallItem] {
		return &actor[smallItem]{q: q, make: makeSmall, read: readSmall}
	})
}

func playItems[T any](t *testing.T, s *linearStage, plan int, seed uint64, act func(*ringqueue.Queue[T]) *actor[T]) *linearHistory {
	t.Helper()
	p, rng := linearPlans[plan], rand.New(rand.NewPCG(seed, uint64(plan)))
	o := p.options
	o.Dir = s.dir
	if o.Capacity == 0 {
		o.Capacity = 1 << 16
	}
	q, err := ringqueue.Create[T]("", &o)
	wantNil(t, "Create", err)
	defer func() { wantNil(t, "Close", q.Close()) }()

	s.round++
	h := &linearHistory{model: p.model(), members: make([]testimony, linearMembers+1)}
	victims := s.call(t, 3+rng.IntN(linearMembers-2), plan, seed, q.Name(), rng)
	ended := s.watch(len(victims), h)
	parent := act(q)
	parent.j = new(journal)
	s.board.round.Store(s.round)
	// Somewhere in the first half; soon, if all are waiting for it.
	shutdownAt, latest := rng.IntN(len(victims)*p.ops/2), time.Now().Add(20*time.Millisecond)
	s.direct(t, victims, h, func() bool {
		if p.shutdown == 0 || parent.n > 0 {
			return true
		}
		if s.board.called() < shutdownAt && time.Now().Before(latest) {
			return false
		}
		parent.record(opShutdown, 0, func(e *entry) error {
			e.got = uint32(p.shutdown)
			return q.Shutdown(p.shutdown == 2)
		})
		return true
	})
	s.collect(t, ended, h)
	q.Ring().Segment().RecoverDead()
	h.recovered = stamp()
	h.members[linearMembers].events = drain(parent, slices.Contains(p.mix, opReceive))
	return h
}

// drain takes what is left and looks at the length, before and after it puts one
// item more.
func drain[T any](parent *actor[T], receive bool) (said []event) {
	length := func() {
		parent.record(opLen, 0, func(e *entry) error {
			e.got = uint32(parent.q.Len())
			return nil
		})
	}
	for i := range uint16(2) {
		length()
		for parent.said = saidOK; parent.said == saidOK; {
			if parent.n+4 > linearOps {
				said = append(said, parent.j.events()...)
				parent.j, parent.n = new(journal), 0
			}
			if !receive {
				parent.get(bg, opTryGet, 1)
			} else if parent.receive(within(0)); parent.said == saidOK {
				parent.finish(true)
			}
		}
		parent.put(bg, opTryPut, (linearMembers+1)<<8|i, 1)
	}
	return append(said, parent.j.events()...)
}

// call tells n members to get ready. It returns when to kill whom: for each the
// number of the operation, -1 for never.
func (s *linearStage) call(t *testing.T, n, plan int, seed uint64, queue string, rng *rand.Rand) (victims []int) {
	t.Helper()
	s.board.journals = [linearMembers]journal{}
	for i := range n {
		if s.members[i] == nil {
			s.members[i] = startChild(t, "linear", s.dir, strconv.Itoa(i))
		}
		victim, steps := -1, 0
		switch kill := rng.IntN(5) < 2 && !s.spare; {
		case fault.Enabled && kill:
			steps = 1 + rng.IntN(6*linearPlans[plan].ops)
		case fault.Enabled:
			steps = -1
		case kill:
			victim = rng.IntN(linearPlans[plan].ops)
		}
		victims = append(victims, victim)
		s.members[i].say("%d %d %d %d %s", s.round, plan, seed, steps, queue)
	}
	for i := range n {
		if got := s.members[i].hear(); got != "ready" {
			t.Fatalf("member: %s", got)
		}
	}
	return victims
}

// direct kills the victims in their operations, and carries out the rest of the
// plan: until says whether that is done.
func (s *linearStage) direct(t *testing.T, victims []int, h *linearHistory, until func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; runtime.Gosched() {
		open := !until()
		for i, at := range victims {
			if at < 0 || h.members[i].killed {
				continue
			}
			if !s.board.journals[i].reached(at) {
				open = true
				continue
			}
			h.members[i].killed, h.members[i].alive = true, stamp()
			s.members[i].cmd.Process.Kill()
		}
		if !open {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the members do not get on:\n%v", s.said())
		}
	}
}

// watch waits for the first n members to end the round or to die, each by
// itself. It returns a channel that says when all have.
func (s *linearStage) watch(n int, h *linearHistory) (ended chan struct{}) {
	ended = make(chan struct{})
	var all sync.WaitGroup
	for i, c := range s.members[:n] {
		all.Go(func() {
			if _, err := c.out.ReadString('\n'); err != nil {
				c.kill()
				h.members[i].reaped = stamp()
				s.board.gone.Add(1)
			}
		})
	}
	go func() {
		defer close(ended)
		all.Wait()
	}()
	return ended
}

// collect waits for the members to end, and takes their testimony.
func (s *linearStage) collect(t *testing.T, ended chan struct{}, h *linearHistory) {
	t.Helper()
	select {
	case <-ended:
	case <-time.After(30 * time.Second):
		t.Fatalf("the members did not end:\n%v", s.said())
	}
	for i, c := range s.members {
		m := &h.members[i]
		if m.killed && m.reaped == 0 { // it had just ended the round
			c.kill()
			m.reaped = stamp()
		}
		if m.killed = m.reaped != 0; m.killed {
			s.members[i] = nil
		}
		m.events = s.board.journals[i].events()
		for _, e := range m.events {
			m.alive = max(m.alive, e.call, e.ret)
		}
	}
}

// said returns the journals as text.
func (s *linearStage) said() string {
	var b strings.Builder
	for i := range s.board.journals {
		fmt.Fprintf(&b, "member %d: %v\n", i, s.board.journals[i].events())
	}
	return b.String()
}

// check plays a history and checks it.
func (s *linearStage) check(t *testing.T, plan int, seed uint64, sum *linearTally) {
	t.Helper()
	h := s.play(t, plan, seed)
	sum.histories++
	for _, m := range h.members {
		sum.operations += len(m.events)
		if m.killed {
			sum.kills++
		}
		for _, e := range m.events {
			if e.ret == 0 {
				sum.pending++
			}
			if e.said >= saidTorn {
				t.Fatalf("seed %d: %v", seed, e)
			}
		}
	}
	ops := h.operations()
	sum.steps += len(ops)
	start := time.Now()
	result := porcupine.CheckOperationsTimeout(h.model.checker(), ops, linearPatience)
	sum.checking += time.Since(start)
	switch result {
	case porcupine.Unknown:
		sum.unknown++
		t.Logf("seed %d: not decided in %v", seed, linearPatience)
	case porcupine.Illegal:
		t.Errorf("seed %d: no order of the steps explains this history: see %s\n%v", seed, draw(t, h), h)
	}
}

// linearPatience is how long the checker may think about one history.
const linearPatience = 5 * time.Second

// draw writes a picture of an illegal history, which outlives the test.
func draw(t *testing.T, h *linearHistory) string {
	t.Helper()
	model := h.model.checker()
	_, info := porcupine.CheckOperationsVerbose(model, h.operations(), linearPatience)
	f, err := os.CreateTemp("", "ringqueue-history-*.html")
	wantNil(t, "picture", err)
	defer f.Close()
	wantNil(t, "picture", porcupine.Visualize(model, info, f))
	return f.Name()
}

// String lists the operations in the order of their calls.
func (h *linearHistory) String() string {
	type line struct {
		member int
		event
	}
	var lines []line
	for i, m := range h.members {
		for _, e := range m.events {
			lines = append(lines, line{i, e})
		}
	}
	slices.SortFunc(lines, func(a, b line) int { return cmp.Compare(a.call, b.call) })
	var b strings.Builder
	first := int64(0)
	for _, l := range lines {
		if first == 0 {
			first = l.call
		}
		ret := "      ?"
		if l.ret != 0 {
			ret = fmt.Sprintf("%7d", (l.ret-first)/100)
		}
		fmt.Fprintf(&b, "%7d %s  %d %v\n", (l.call-first)/100, ret, l.member, l.event)
	}
	for i, m := range h.members {
		if m.killed {
			fmt.Fprintf(&b, "%7d %7d  %d died\n", (m.alive-first)/100, (m.reaped-first)/100, i)
		}
	}
	return b.String()
}
