//go:build unix && faultpoints

package ringqueue_test

import (
	"sync/atomic"

	"github.com/shmkit/shmkit/ringqueue"
	"github.com/shmkit/shmkit/shm"
)

// blockWait makes a waiter sleep at once, so that its steps are always the same.
const blockWait = shm.Block

// A state is what a victim finds.
type state struct {
	name    string
	options ringqueue.Options
	text    int                  // the queue is of byte strings of this size; 0: of items
	build   func(s *scene)       // by the tester, before anybody else is there
	asleep  string               // the operation that another process sleeps in
	corpses []corpse             // processes that die behind the victim's back
	later   func(s *scene)       // by the tester, between the corpses' deeds and their deaths
	items   int                  // that an operation's preparation may take
	full    bool                 // no room for ever, unless somebody takes something
	empty   bool                 // no item for ever, unless somebody puts something
	tight   bool                 // room for one item and no more
	shut    bool                 // shut down
	busy    map[role]bool        // roles that corpses or sleepers have
	only    func(op string) bool // nil: every operation that can be done in it
	key     []string             // operations that it is the state for: they have steps in it which they have nowhere else
}

// A corpse is a process that dies in the operation, when it first comes to the
// step, or, without one, behind the operation. All of them are there before the
// first one dies: they don't recover each other.
type corpse struct{ op, step string }

// A role is a side of the queue.
type role int

const (
	producer role = iota + 1
	consumer
)

// states are the shared ones; soleStates come from some of them.
var states = []state{
	{name: "empty", empty: true},
	{name: "one", items: 1, build: func(s *scene) { s.put(1) }},
	{name: "texts", items: 2, text: textSize, build: func(s *scene) { s.put(1, 2, 3) }},
	{name: "full", key: []string{"get_many"}, items: inRing, full: true, build: (*scene).fill},
	// The next record starts in the last blocks and ends in the first ones.
	{name: "before_wrap", key: []string{"put"}, items: 1, build: func(s *scene) { s.cycle(inRing - 1); s.put(1) }},
	{name: "behind_wrap", items: 1, build: func(s *scene) { s.cycle(inRing); s.put(1) }},
	{name: "getter_asleep", key: []string{"put"}, empty: true, asleep: "get", busy: map[role]bool{consumer: true}},
	{name: "putter_asleep", items: inRing, full: true, asleep: "put", build: (*scene).fill, busy: map[role]bool{producer: true}},
	{name: "joiner_asleep", items: 1, asleep: "join", build: func(s *scene) { s.put(1) }},
	{name: "dead_producer", busy: map[role]bool{producer: true}, corpses: []corpse{{"reserve", ""}}, later: (*scene).putLater},
	{name: "dead_consumer", key: []string{"recover"}, items: 1, busy: map[role]bool{consumer: true}, build: func(s *scene) { s.put(1, 2, 3) },
		corpses: []corpse{{"borrow", ""}}},
	// The head is reserved by a dead process and the rest of the ring is full.
	{name: "clogged", busy: map[role]bool{producer: true}, corpses: []corpse{{"reserve", ""}}, later: (*scene).fill,
		only: func(op string) bool { return op == "put" || op == "get" || op == "reserve" }},
	{name: "redelivered", items: 2, build: func(s *scene) { s.put(1, 2); s.nack() }},
	{name: "aborted", key: []string{"len"}, items: 1, build: func(s *scene) { s.put(1); s.abort(); s.put(2) }},
	{name: "max_items", items: 2, full: true, options: ringqueue.Options{MaxItems: 2}, build: func(s *scene) { s.put(1, 2) }},
	{name: "max_items_aborted", items: 1, full: true, options: ringqueue.Options{MaxItems: 2}, build: func(s *scene) { s.put(1); s.abort() }},
	{name: "sweep_lap", key: []string{"put"}, items: 1, build: func(s *scene) { s.sweepAlways(); s.cycle(inRing - 1); s.put(1) }},
	{name: "last_attempt", key: []string{"nack"}, items: 2, options: ringqueue.Options{MaxAttempts: 2}, build: func(s *scene) { s.put(1, 2); s.nack() }},
	{name: "last_attempt_of_dead", key: []string{"recover"}, items: 1, options: ringqueue.Options{MaxAttempts: 2}, busy: map[role]bool{consumer: true},
		build: func(s *scene) { s.put(1, 2, 3); s.nack() }, corpses: []corpse{{"borrow", ""}},
		only: func(op string) bool { return sideOf(op) != consumer || operationOf(op).prepare == nil }},
	{name: "shut_down", key: []string{"put"}, items: 1, shut: true, build: func(s *scene) { s.put(1); s.shutdown() }},
	{name: "rich", items: 3, tight: true, build: (*scene).rich},
	{name: "wreck", key: []string{"open", "recover"}, items: 3, full: true, busy: map[role]bool{consumer: true, producer: true}, build: (*scene).rich,
		corpses: []corpse{{"nack", "ring.mark"}, {"borrow", ""}, {"get_many", "ring.release"}, {"put", "ring.commit"}},
		only:    func(op string) bool { return sideOf(op) != producer || operationOf(op).prepare == nil }},
}

// soleStates are the states of exclusive queues.
func soleStates() []state {
	shared := make(map[string]state)
	for _, st := range states {
		shared[st.name] = st
	}
	var sole []state
	roles := func(name string, p, c bool) {
		st := shared[name]
		st.options.SingleProducer, st.options.SingleConsumer = p, c
		switch {
		case p && c:
			st.name = "sole/" + name
		case p:
			st.name = "sole_producer/" + name
		default:
			st.name = "sole_consumer/" + name
		}
		if p && name == "dead_producer" {
			st.later, st.empty = nil, true // nobody else may put
		}
		sole = append(sole, st)
	}
	for _, name := range []string{"empty", "one", "texts", "full", "before_wrap", "behind_wrap", "getter_asleep", "putter_asleep",
		"dead_producer", "dead_consumer", "redelivered", "aborted", "max_items", "sweep_lap", "last_attempt", "shut_down", "rich"} {
		roles(name, true, true)
	}
	for _, name := range []string{"one", "before_wrap", "dead_producer", "rich"} {
		roles(name, true, false)
		roles(name, false, true)
	}
	// Behind the frontier stand words of a batch whose first was never stored.
	roles("one", true, true)
	st := &sole[len(sole)-1]
	st.name, st.key, st.busy = "sole/dead_in_batch", []string{"try_put"}, map[role]bool{producer: true}
	st.corpses = []corpse{{"put_many", "ring.commit"}}
	// The last of a run is borrowed, and those before it are not.
	roles("one", true, true)
	st = &sole[len(sole)-1]
	st.name, st.key, st.busy = "sole/dead_in_run", []string{"recover"}, map[role]bool{consumer: true}
	st.build = func(s *scene) { s.put(1, 2, 3) }
	st.corpses = []corpse{{"get_many", "ring.sole.borrow.run"}}
	return sole
}

// largeStates are the states of queues of large records.
func largeStates() []state {
	var large []state
	add := func(st state, from string, key ...string) *state {
		st.name = from + st.name
		st.key = key
		st.text = largeItemSize
		st.tight = !st.full // no memory for five
		st.options.MaxRecord, st.options.MaxLarge = largeItemSize, largeMemory
		large = append(large, st)
		return &large[len(large)-1]
	}
	shared := make(map[string]state)
	for _, st := range states {
		shared[st.name] = st
	}
	for name, key := range map[string][]string{
		"empty":         {"put", "reserve", "full", "close"},
		"one":           {"get", "borrow", "release", "nack", "abort", "commit_less", "commit", "join", "recover"},
		"redelivered":   {"try_get", "receive", "len"},
		"getter_asleep": nil,
		"joiner_asleep": nil,
		"dead_producer": {"recover"},
		"last_attempt":  {"requeue"},
		"shut_down":     {"try_put"},
		"max_items":     nil,
		"behind_wrap":   nil,
		"aborted":       nil,
		"before_wrap":   nil,
	} {
		st := shared[name]
		if name == "before_wrap" {
			st.build = func(s *scene) { s.cycle(ringSize/64 - 1); s.put(1) }
		}
		add(st, "large/", key...)
	}
	st := add(shared["last_attempt_of_dead"], "large/", "recover")
	st.build = func(s *scene) { s.put(1, 2); s.nack() }
	st = add(shared["dead_consumer"], "large/", "recover", "open")
	st.build = func(s *scene) { s.put(1, 2) }
	// No memory is left, while there is room in the ring.
	add(state{name: "full", items: inMemory, full: true, build: (*scene).fill}, "large/", "put_many")
	add(state{name: "putter_asleep", items: inMemory, full: true, asleep: "put", build: (*scene).fill,
		busy: map[role]bool{producer: true}}, "large/")
	// Each of the dead leaves another word.
	for _, c := range []corpse{
		{"reserve", "ring.large.claim"}, {"reserve", "ring.large.ready"}, {"reserve", "ring.large.refer"}, {"reserve", "arena.enliven"},
		{"reserve", "arena.disown"}, {"put", "ring.commit"}, {"abort", "ring.abort"},
	} {
		// What a prepared victim has put would leave the corpse another way.
		add(state{name: "dead_in_" + c.op + "_at_" + c.step, empty: true, busy: map[role]bool{producer: true}, corpses: []corpse{c},
			only: func(op string) bool { return sideOf(op) != producer || operationOf(op).prepare == nil },
		}, "large/", "recover")
	}
	for _, c := range []corpse{
		{"borrow", "ring.large.take"}, {"borrow", "ring.large.leave"}, {"release", "arena.claim"}, {"release", "arena.page"}, {"nack", "ring.mark"},
	} {
		add(state{name: "dead_in_" + c.op + "_at_" + c.step, items: 1, busy: map[role]bool{consumer: true}, corpses: []corpse{c},
			build: func(s *scene) { s.put(1, 2) }, only: func(op string) bool { return sideOf(op) != consumer || operationOf(op).prepare == nil },
		}, "large/", "recover")
	}
	// He leaves nothing to take to consumers that come before a recoverer.
	add(state{name: "dead_in_get_many", items: 1, busy: map[role]bool{consumer: true}, corpses: []corpse{{"get_many", "ring.large.take"}},
		build: func(s *scene) { s.put(1, 2) }, only: func(op string) bool { return sideOf(op) != consumer },
	}, "large/", "recover")
	for _, name := range []string{"empty", "one", "redelivered", "dead_consumer"} {
		st := shared[name]
		st.options.SingleProducer, st.options.SingleConsumer = true, true
		if name == "dead_consumer" {
			st.build = func(s *scene) { s.put(1, 2) }
		}
		add(st, "large/sole/")
	}
	return large
}

// put puts items of the tester's own.
func (s *scene) put(ns ...uint64) {
	s.t.Helper()
	for _, n := range ns {
		if err := s.q.tryPut(n); err != nil {
			s.t.Fatalf("put %d: %v", n, err)
		}
		s.items[n] = 1
	}
}

// fill puts as many items as there is room for.
func (s *scene) fill() {
	for n := uint64(20); s.q.tryPut(n) == nil; n++ {
		s.items[n] = 1
	}
}

// cycle lets k items pass through the queue.
func (s *scene) cycle(k int) {
	s.t.Helper()
	for range k {
		s.put(1)
		s.ack(1)
	}
}

// putLater puts an item behind the corpses' and what the victim has prepared.
func (s *scene) putLater() {
	s.t.Helper()
	if operationOf(s.op).prepare != nil {
		s.put(victimsFirst + 50)
	} else {
		s.put(corpsesFirst + 10)
	}
}

// ack consumes the next item, which is n.
func (s *scene) ack(n uint64) {
	s.t.Helper()
	d, got, err := s.q.receive(bg)
	if err != nil || got != n || d.Ack() != nil {
		s.t.Fatalf("received item %d, %v, want %d", got, err, n)
	}
	delete(s.items, n)
}

// nack has the next item delivered once more.
func (s *scene) nack() {
	s.t.Helper()
	d, n, err := s.q.receive(bg)
	if err != nil || d.Nack() != nil {
		s.t.Fatalf("received item %d, %v", n, err)
	}
	s.items[n]++
}

// abort leaves a discarded record.
func (s *scene) abort() {
	s.t.Helper()
	n := itemSize
	if s.text == largeItemSize {
		n = largeItemSize
	}
	r, err := s.q.Ring().Reserve(bg, n)
	if err != nil {
		s.t.Fatal(err)
	}
	r.Abort()
}

func (s *scene) shutdown() {
	s.t.Helper()
	if err := s.q.Shutdown(false); err != nil {
		s.t.Fatal(err)
	}
}

// rich leaves everything at once: a released record that is not reclaimed, and
// without whose room the next one does not fit; one to deliver again behind
// consume; a discarded one before tail; many to take; the end of the lap next;
// and the marks of waiters that died on all three words.
func (s *scene) rich() {
	s.t.Helper()
	s.put(1, 2)
	s.abort()
	for n := uint64(3); n < inRing; n++ {
		s.put(n)
	}
	s.ack(1)
	s.nack()
	for _, off := range []int{notEmptyWord, notFullWord, idleWord} {
		sharedWord[atomic.Uint32](s.t, s.q.Ring(), off).Or(1)
	}
}

// sweepAlways gives the queue, which is new, lap tags of two bits. All laps are
// then sweep laps, of which a queue with as many bits as there are has one in a
// million.
func (s *scene) sweepAlways() {
	s.t.Helper()
	*sharedWord[uint64](s.t, s.q.Ring(), lapBitsWord) = 2
	handle := s.q.Handle()
	s.closeQueue()
	s.openQueue(handle)
}
