//go:build unix && faultpoints

package manager_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"golang.org/x/sys/unix"

	"github.com/shmkit/shmkit/internal/fault"
	"github.com/shmkit/shmkit/internal/fault/faulttest"
	"github.com/shmkit/shmkit/manager"
)

var _ = addChild("linear", childLinear)

// A linearOp is an operation on a key as a member of a history writes it down: when it
// calls, and when it has returned, with what.
type linearOp struct {
	kind     string
	key      int
	a, b     int  // arguments
	v        int  // result
	ok       bool // result
	returned bool // false: its process was killed in it
}

const (
	linearKeys    = 3
	linearMembers = 4
	linearOps     = 60
)

var linearKinds = []string{"get", "get", "set", "set", "add", "add", "delete", "pop", "cas", "setnx", "update"}

// stamp returns the time, the same for all processes.
func stamp() int64 {
	var t unix.Timespec
	check(unix.ClockGettime(unix.CLOCK_MONOTONIC, &t))
	return t.Nano()
}

// childLinear does operations: "DIR SEED STEP". It writes a line before each, and one
// after it: what is in the pipe survives a SIGKILL. It dies at a step of the operations, if
// that is not 0, and dawdles at some, so that operations overlap step by step.
func childLinear(args []string) {
	m, err := manager.OpenExisting("m", &manager.Options{Dir: args[0]})
	check(err)
	d, err := manager.NewDict[int, int](m, "d")
	check(err)
	seed, err := strconv.ParseUint(args[1], 10, 64)
	check(err)
	step, err := strconv.Atoi(args[2])
	check(err)
	rng, pauses := rand.New(rand.NewPCG(seed, 0)), rand.New(rand.NewPCG(seed, 1))
	fmt.Println("ready")
	var line string
	fmt.Scanln(&line)
	var working atomic.Bool // the housekeeping has steps, too
	fault.SetHook(func(string) {
		if !working.Load() {
			return
		}
		if step--; step == 0 {
			faulttest.Die()
		}
		if pauses.IntN(8) == 0 {
			time.Sleep(time.Duration(pauses.IntN(20)) * time.Microsecond)
		}
	})
	for range linearOps {
		op := linearOp{kind: linearKinds[rng.IntN(len(linearKinds))], key: rng.IntN(linearKeys), a: rng.IntN(3), b: rng.IntN(3)}
		fmt.Fprintln(os.Stdout, "call", stamp(), op.kind, op.key, op.a, op.b)
		working.Store(true)
		check(op.do(d))
		working.Store(false)
		fmt.Fprintln(os.Stdout, "return", stamp(), op.v, op.ok)
	}
	fmt.Println("end")
	fmt.Scanln(&line)
	check(m.Close())
}

func (op *linearOp) do(d *manager.Dict[int, int]) (err error) {
	switch op.kind {
	case "get":
		op.v, op.ok, err = d.Get(op.key)
	case "set":
		err = d.Set(op.key, op.a)
	case "add":
		op.v, err = manager.Add(d, op.key, op.a)
	case "delete":
		op.ok, err = d.Delete(op.key)
	case "pop":
		op.v, op.ok, err = d.Pop(op.key)
	case "cas":
		op.ok, err = d.CompareAndSwap(op.key, op.a, op.b)
	case "setnx":
		op.ok, err = d.SetNX(op.key, op.a)
	case "update":
		op.v, err = d.Update(op.key, func(v int, _ bool) (int, error) { return 2*v + op.a, nil })
	}
	return err
}

// linearState is what a key has.
type linearState struct {
	present bool
	v       int
}

// step is the operation on a plain map: its result, and what is there afterwards.
func (op linearOp) step(s linearState) (v int, ok bool, next linearState) {
	set := func(v int) linearState { return linearState{true, v} }
	switch op.kind {
	case "get":
		return s.v, s.present, s
	case "set":
		return 0, false, set(op.a)
	case "add":
		return s.v + op.a, false, set(s.v + op.a)
	case "delete":
		return 0, s.present, linearState{}
	case "pop":
		return s.v, s.present, linearState{}
	case "cas":
		if ok := s.present && s.v == op.a; ok {
			return 0, true, set(op.b)
		}
		return 0, false, s
	case "setnx":
		if s.present {
			return 0, false, s
		}
		return 0, true, set(op.a)
	case "update":
		return 0, false, set(2*s.v + op.a)
	}
	panic(op.kind)
}

var linearModel = porcupine.Model{
	Init: func() any { return linearState{} },
	Step: func(state, input, output any) (bool, any) {
		op := output.(linearOp)
		v, ok, next := op.step(state.(linearState))
		if op.kind == "update" {
			v = next.v
		}
		return !op.returned || op.v == v && op.ok == ok, next
	},
	Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
		keys := make([][]porcupine.Operation, linearKeys)
		for _, o := range history {
			k := o.Output.(linearOp).key
			keys[k] = append(keys[k], o)
		}
		return keys
	},
}

// TestLinear has processes work on a few keys at once, kills some of them, and wants
// each key's history to be one of a plain map. What a killed process was in the middle of
// may have happened or not.
func TestLinear(t *testing.T) {
	rounds := 15
	if text := os.Getenv("SHMKIT_LINEAR_ROUNDS"); text != "" {
		n, err := strconv.Atoi(text)
		must(t, err)
		rounds = n
	}
	killed, total := 0, 0
	for round := range rounds {
		history, pending := linearRound(t, uint64(round))
		total, killed = total+len(history), killed+pending
		result, info := porcupine.CheckOperationsVerbose(linearModel, history, time.Minute)
		if result != porcupine.Ok {
			for _, o := range history {
				t.Logf("%d %d-%d %+v", o.ClientId, o.Call, o.Return, o.Output)
			}
			t.Fatalf("round %d: %v, %v", round, result, info.PartialLinearizations())
		}
	}
	t.Logf("%d operations in %d rounds, %d of them killed", total, rounds, killed)
}

func linearRound(t *testing.T, seed uint64) (history []porcupine.Operation, pending int) {
	dir := tempDir(t)
	m, err := manager.Create("m", &manager.Options{Dir: dir})
	must(t, err)
	defer m.Close()
	rng := rand.New(rand.NewPCG(seed, 1))
	var cs []*child
	victims := []int{rng.IntN(linearMembers), rng.IntN(linearMembers)}
	for i := range linearMembers {
		step := 0
		if slices.Contains(victims, i) {
			step = 100 + rng.IntN(15*linearOps)
		}
		c := startChild(t, "linear", dir, fmt.Sprint(seed*100+uint64(i)), fmt.Sprint(step))
		c.hear("ready")
		cs = append(cs, c)
	}
	for _, c := range cs {
		c.say("go")
	}
	for i, c := range cs {
		var open *porcupine.Operation
		for c.out.Scan() && c.out.Text() != "end" {
			var what string
			var at int64
			var op linearOp
			if fmt.Sscan(c.out.Text(), &what, &at); what == "call" {
				_, err = fmt.Sscan(c.out.Text(), &what, &at, &op.kind, &op.key, &op.a, &op.b)
				history = append(history, porcupine.Operation{ClientId: i, Call: at, Return: math.MaxInt64, Input: nil, Output: op})
				open = &history[len(history)-1]
			} else {
				op = open.Output.(linearOp)
				_, err = fmt.Sscan(c.out.Text(), &what, &at, &op.v, &op.ok)
				op.returned = true
				open.Return, open.Output = at, op
			}
			must(t, err)
		}
		if c.out.Text() != "end" {
			c.kill()
			continue
		}
		c.say("end")
		must(t, c.cmd.Wait())
	}
	for _, o := range history {
		if !o.Output.(linearOp).returned {
			pending++
		}
	}
	m.Segment().RecoverDead()
	clean(t, m)
	return history, pending
}
