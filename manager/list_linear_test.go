//go:build unix && faultpoints

package manager_test

import (
	"errors"
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

	"github.com/shmkit/shmkit/internal/fault"
	"github.com/shmkit/shmkit/internal/fault/faulttest"
	"github.com/shmkit/shmkit/manager"
)

var _ = addChild("list linear", childListLinear)

// A listOp is an operation on the list, as a linearOp is one on a dict.
type listOp struct {
	kind     string
	i, a     int  // arguments
	v        int  // result
	ok       bool // result
	returned bool // false: its process was killed in it
}

// The list has elements of so many bytes that a chunk has two at most: histories are of the index, too.
type heavy [3000]byte

func heavyOf(v int) (h heavy) {
	for i := range h {
		h[i] = byte(v)
	}
	return h
}

func (h *heavy) value() (int, error) {
	if *h != heavyOf(int(h[0])) {
		return 0, errors.New("torn")
	}
	return int(h[0]), nil
}

const (
	listMembers = 4
	listOps     = 30
)

var listKinds = []string{"append", "append", "prepend", "pop first", "pop last", "get", "len", "insert", "set", "remove", "reverse", "update"}

func (op *listOp) do(l *manager.List[heavy]) (err error) {
	var h heavy
	switch op.kind {
	case "append":
		return l.Append(heavyOf(op.a))
	case "prepend":
		return l.Prepend(heavyOf(op.a))
	case "insert":
		return l.Insert(op.i, heavyOf(op.a))
	case "reverse":
		return l.Reverse()
	case "len":
		op.v = l.Len()
		return nil
	case "remove":
		op.ok, err = l.Remove(heavyOf(op.a))
		return err
	case "pop first":
		h, op.ok, err = l.PopFirst()
	case "pop last":
		h, op.ok, err = l.PopLast()
	case "get":
		h, err = l.Get(op.i)
		op.ok = err == nil
	case "set":
		err = l.Set(op.i, heavyOf(op.a))
		op.ok = err == nil
	case "update":
		h, err = l.Update(op.i, func(old heavy) (heavy, error) {
			v, err := old.value()
			return heavyOf((v + op.a) % 256), err
		})
		op.ok = err == nil
	}
	if errors.Is(err, manager.ErrIndex) {
		err = nil
	}
	if err == nil && op.ok {
		op.v, err = h.value()
	}
	return err
}

// step is the operation on a plain slice: what is there afterwards, and the result. It
// leaves s as it is.
func (op listOp) step(s []byte) (next []byte, v int, ok bool) {
	fresh, n := byte(op.a), len(s)
	there := op.i < n
	switch op.kind {
	case "append":
		return append(s[:n:n], fresh), 0, false
	case "prepend":
		return slices.Concat([]byte{fresh}, s), 0, false
	case "insert":
		at := min(op.i, n)
		return slices.Concat(s[:at], []byte{fresh}, s[at:]), 0, false
	case "reverse":
		next = slices.Clone(s)
		slices.Reverse(next)
		return next, 0, false
	case "len":
		return s, n, false
	case "remove":
		at := slices.Index(s, fresh)
		if at < 0 {
			return s, 0, false
		}
		return slices.Concat(s[:at], s[at+1:]), 0, true
	case "pop first":
		if n == 0 {
			return s, 0, false
		}
		return s[1:], int(s[0]), true
	case "pop last":
		if n == 0 {
			return s, 0, false
		}
		return s[:n-1], int(s[n-1]), true
	}
	if !there {
		return s, 0, false
	}
	switch op.kind {
	case "get":
		return s, int(s[op.i]), true
	case "set":
		return slices.Concat(s[:op.i], []byte{fresh}, s[op.i+1:]), 0, true
	case "update":
		fresh += s[op.i]
		return slices.Concat(s[:op.i], []byte{fresh}, s[op.i+1:]), int(fresh), true
	}
	panic(op.kind)
}

var listModel = porcupine.Model{
	Init: func() any { return "" },
	Step: func(state, _, output any) (bool, any) {
		op := output.(listOp)
		next, v, ok := op.step([]byte(state.(string)))
		return !op.returned || op.v == v && op.ok == ok, string(next)
	},
}

// childListLinear does operations: "DIR SEED STEP", as childLinear.
func childListLinear(args []string) {
	m, err := manager.OpenExisting("m", &manager.Options{Dir: args[0]})
	check(err)
	l, err := manager.NewList[heavy](m, "l")
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
	for range listOps {
		op := listOp{kind: listKinds[rng.IntN(len(listKinds))], i: rng.IntN(5), a: rng.IntN(4)}
		fmt.Fprintf(os.Stdout, "call %d %q %d %d\n", stamp(), op.kind, op.i, op.a)
		working.Store(true)
		check(op.do(l))
		working.Store(false)
		fmt.Fprintln(os.Stdout, "return", stamp(), op.v, op.ok)
	}
	fmt.Println("end")
	fmt.Scanln(&line)
	check(m.Close())
}

// TestListLinear has processes work on a list at once, kills some of them, and wants the history to be one
// of a plain slice. What a killed process was in the middle of may have happened or not.
func TestListLinear(t *testing.T) {
	rounds := 6
	if text := os.Getenv("SHMKIT_LINEAR_ROUNDS"); text != "" {
		n, err := strconv.Atoi(text)
		must(t, err)
		rounds = n
	}
	killed, total := 0, 0
	for round := range rounds {
		history := listRound(t, uint64(round))
		for _, o := range history {
			if total++; !o.Output.(listOp).returned {
				killed++
			}
		}
		if result := porcupine.CheckOperationsTimeout(listModel, history, time.Minute); result != porcupine.Ok {
			for _, o := range history {
				t.Logf("%d %d-%d %+v", o.ClientId, o.Call, o.Return, o.Output)
			}
			t.Fatalf("round %d: %v", round, result)
		}
	}
	if killed == 0 {
		t.Error("nobody was killed in an operation")
	}
	t.Logf("%d operations in %d rounds, %d of them killed", total, rounds, killed)
}

func listRound(t *testing.T, seed uint64) (history []porcupine.Operation) {
	dir := tempDir(t)
	m, err := manager.Create("m", &manager.Options{Dir: dir})
	must(t, err)
	defer m.Close()
	rng := rand.New(rand.NewPCG(seed, 1))
	victims := []int{rng.IntN(listMembers), rng.IntN(listMembers)}
	var cs []*child
	for i := range listMembers {
		step := 0
		if slices.Contains(victims, i) {
			step = 100 + rng.IntN(40*listOps)
		}
		c := startChild(t, "list linear", dir, fmt.Sprint(seed*100+uint64(i)), fmt.Sprint(step))
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
			var op listOp
			if fmt.Sscan(c.out.Text(), &what, &at); what == "call" {
				_, err = fmt.Sscanf(c.out.Text(), "call %d %q %d %d", &at, &op.kind, &op.i, &op.a)
				history = append(history, porcupine.Operation{ClientId: i, Call: at, Return: math.MaxInt64, Output: op})
				open = &history[len(history)-1]
			} else {
				op = open.Output.(listOp)
				_, err = fmt.Sscan(c.out.Text(), &what, &at, &op.v, &op.ok)
				op.returned = true
				open.Return, open.Output = at, op
			}
			must(t, err)
		}
		if c.out.Text() == "end" {
			c.say("end")
			must(t, c.cmd.Wait())
			continue
		}
		c.kill()
		if !slices.Contains(victims, i) {
			t.Fatalf("member %d ended by itself", i)
		}
	}
	m.Segment().RecoverDead()
	clean(t, m)
	return history
}
