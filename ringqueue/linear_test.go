//go:build unix

package ringqueue_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/shmkit/shmkit/ringqueue"
)

// A linearPlan says what the members of a history do, to what queue.
type linearPlan struct {
	name     string
	mix      []opKind // drawn from
	ops      int      // each, at least
	large    bool
	shutdown int // 0: none, 1: draining, 2: immediate
	options  ringqueue.Options
	records  int // that the ring has room for, if that is few
}

var (
	anyOps = []opKind{opTryPut, opTryPut, opPut, opPutMany, opReserve, opTryGet, opTryGet, opGet, opGetMany}
	oneOps = []opKind{opTryPut, opTryPut, opPut, opReserve, opTryGet, opGet}
	ackOps = []opKind{opTryPut, opPutMany, opReceive, opReceive, opReceive, opGet}
)

var linearPlans = []*linearPlan{
	{name: "shared", mix: anyOps, ops: 14},
	{name: "large", mix: anyOps, ops: 14, large: true, options: ringqueue.Options{Capacity: 16 << 20}},
	{name: "MaxItems", mix: anyOps, ops: 14, options: ringqueue.Options{MaxItems: 3}},
	{name: "small ring", mix: oneOps, ops: 14, large: true, options: ringqueue.Options{Capacity: 4 * 32 << 10}, records: 4},
	{name: "deliveries", mix: ackOps, ops: 12, options: ringqueue.Options{MaxAttempts: 3}},
	{name: "large deliveries", mix: ackOps, ops: 12, large: true, options: ringqueue.Options{Capacity: 16 << 20}},
	{name: "sole producer", mix: anyOps, ops: 16, options: ringqueue.Options{SingleProducer: true}},
	{name: "sole consumer", mix: anyOps, ops: 16, options: ringqueue.Options{SingleConsumer: true}},
	{name: "sole both", mix: append(ackOps, anyOps...), ops: 20, options: ringqueue.Options{SingleProducer: true, SingleConsumer: true}},
	{name: "sole MaxItems", mix: anyOps, ops: 20, options: ringqueue.Options{SingleProducer: true, SingleConsumer: true, MaxItems: 3}},
	{name: "shutdown", mix: append([]opKind{opGetPatient}, anyOps...), ops: 14, shutdown: 1},
	{name: "shutdown now", mix: append([]opKind{opGetPatient}, anyOps...), ops: 14, shutdown: 2},
	{name: "sole producer shutdown", mix: append([]opKind{opGetPatient}, anyOps...), ops: 14, shutdown: 1, options: ringqueue.Options{SingleProducer: true}},
	{name: "deliveries shutdown", mix: ackOps, ops: 12, shutdown: 1},
	{name: "MaxItems shutdown", mix: append([]opKind{opGetPatient, opPutPatient, opPutPatient}, anyOps...), ops: 14, shutdown: 1, options: ringqueue.Options{MaxItems: 3}},
}

func (p *linearPlan) model() *linearModel {
	m := &linearModel{maxItems: p.options.MaxItems, records: p.records, maxAttempts: p.options.MaxAttempts,
		soleProd: p.options.SingleProducer, soleCons: p.options.SingleConsumer}
	if m.maxAttempts == 0 {
		m.maxAttempts = 16
	}
	return m
}

// Without these a plan is played for linearTime, at least twice and at most eight
// times, from a random seed on.
const (
	linearRounds = "SHMKIT_LINEAR_ROUNDS" // how many histories are checked, of all plans
	linearSeed   = "SHMKIT_LINEAR_SEED"   // of each plan's first history: of what is drawn, not of what comes of it
	linearTime   = 350 * time.Millisecond
)

// TestLinearizable lets three to six processes use a queue as they like, kills
// some of them in the middle of it, and checks that what all of them say can be
// explained by the model: some order of the steps, each inside of its operation,
// in which each operation says what it said.
func TestLinearizable(t *testing.T) {
	least, most := 2, 8
	if s := os.Getenv(linearRounds); s != "" {
		n, err := strconv.Atoi(s)
		wantNil(t, linearRounds, err)
		least = (n + len(linearPlans) - 1) / len(linearPlans)
		most = least
	}
	seed := rand.Uint64() >> 1
	if s := os.Getenv(linearSeed); s != "" {
		n, err := strconv.ParseUint(s, 10, 64)
		wantNil(t, linearSeed, err)
		seed = n
	}
	var all linearTally
	for i, p := range linearPlans {
		t.Run(p.name, func(t *testing.T) {
			s := newLinearStage(t)
			start := time.Now()
			var sum linearTally
			for n := 0; n < least || n < most && time.Since(start) < linearTime; n++ {
				s.check(t, i, seed+uint64(n), &sum)
			}
			t.Log(sum)
			all.add(sum)
		})
	}
	t.Logf("all: %v", all)
	if all.unknown*10 > all.histories {
		t.Errorf("%d of %d histories could not be decided", all.unknown, all.histories)
	}
}

// A linearTally counts what was checked.
type linearTally struct {
	histories, operations, steps, kills, pending, unknown int
	checking                                              time.Duration
}

func (a *linearTally) add(b linearTally) {
	a.histories += b.histories
	a.operations += b.operations
	a.steps += b.steps
	a.kills += b.kills
	a.pending += b.pending
	a.unknown += b.unknown
	a.checking += b.checking
}

func (a linearTally) String() string {
	return fmt.Sprintf("%d histories of %d operations (%d steps), %d processes killed, %d operations pending, %d undecided, checked in %v",
		a.histories, a.operations, a.steps, a.kills, a.pending, a.unknown, a.checking.Round(time.Millisecond))
}
