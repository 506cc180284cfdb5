//go:build unix

package ringqueue_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"golang.org/x/sys/unix"

	"github.com/shmkit/shmkit/internal/mem"
	"github.com/shmkit/shmkit/ringqueue"
	"github.com/shmkit/shmkit/shm"
)

// linearRoundsEnv is how many histories TestLinearizable records.
const linearRoundsEnv = "SHMKIT_LINEAR_ROUNDS"

// A note is an operation as its process wrote it down, in memory that outlives
// it. A process killed in an operation leaves a call without a return.
type note struct {
	call, ret atomic.Int64 // monotonic clock, in ns; the same in every process
	request   atomic.Uint64
	reply     atomic.Uint64
}

const notes = 256 // a process's, at most

func now() int64 {
	var t unix.Timespec
	must(unix.ClockGettime(unix.CLOCK_MONOTONIC, &t))
	return t.Nano()
}

// A diary is where a process notes its operations.
type diary struct {
	notes  []note
	n      int
	client byte
}

func openDiary(seg *shm.Segment, client int) *diary {
	ns, err := mem.Slice[note](seg.Bytes(), 0, notes)
	must(err)
	return &diary{notes: ns, client: byte(client)}
}

// do notes an operation around f, which returns its reply.
func (d *diary) do(v verb, id uint16, f func() reply) reply {
	n := &d.notes[d.n]
	d.n++
	n.request.Store(uint64(v)<<16 | uint64(id))
	n.call.Store(now())
	r := f()
	n.reply.Store(uint64(r.result)<<32 | uint64(r.attempt)<<16 | uint64(r.id))
	n.ret.Store(now())
	return r
}

// history returns what a process noted. If it died, what it was in the middle
// of may have happened until it was recovered, at last; pending counts that.
func (d *diary) history(max int, died bool, last int64) (h []porcupine.Operation, pending int) {
	latest := int64(0)
	for i := range d.notes {
		n := &d.notes[i]
		call, ret := n.call.Load(), n.ret.Load()
		if call == 0 {
			break
		}
		latest = call
		in := request{verb: verb(n.request.Load() >> 16), id: uint16(n.request.Load()), client: d.client, max: max}
		r := n.reply.Load()
		out := reply{result(r >> 32), uint16(r), byte(r >> 16)}
		if ret == 0 {
			in.killed, out, ret = true, reply{}, last
			pending++
		}
		add := func(v verb, in request) {
			in.verb = v
			h = append(h, porcupine.Operation{ClientId: int(d.client), Input: in, Output: out, Call: call, Return: ret})
		}
		switch {
		case in.verb != place || out.result == nothing || out.result == refused:
			add(in.verb, in)
		case out.result == closedDown: // it may have had a place for a moment
			in.killed = true
			add(place, in)
			add(withdraw, in)
		default:
			add(place, in)
			add(publish, in)
		}
	}
	if died {
		h = append(h, porcupine.Operation{ClientId: int(d.client), Input: request{verb: die, client: d.client}, Output: reply{result: fine}, Call: latest, Return: last})
	}
	return h, pending
}

func resultOf(err error) result {
	switch {
	case err == nil:
		return fine
	case errors.Is(err, ringqueue.ErrShutdown):
		return closedDown
	case errors.Is(err, ringqueue.ErrEmpty), errors.Is(err, ringqueue.ErrFull):
		return nothing
	case errors.Is(err, ringqueue.ErrRoleTaken):
		return refused
	}
	must(err)
	return 0
}

// act does n operations of the mix that the seed gives.
func act(q *ringqueue.Queue[uint16], d *diary, rng *rand.Rand, n int, shuts bool) {
	next := uint16(d.client)<<8 + 1
	var open []ringqueue.Delivery[uint16]
	finish := func() {
		dl := open[0]
		open = open[1:]
		if rng.IntN(3) > 0 {
			d.do(ack, dl.Value(), func() reply { return reply{result: resultOf(dl.Ack())} })
		} else {
			d.do(nack, dl.Value(), func() reply { return reply{result: resultOf(dl.Nack())} })
		}
	}
	for range n {
		ctx, cancel := context.WithTimeout(bg, time.Duration(rng.IntN(300))*time.Microsecond)
		switch k := rng.IntN(20); {
		case k < 5:
			d.do(place, next, func() reply { return reply{result: resultOf(q.TryPut(next))} })
			next++
		case k < 8:
			d.do(place, next, func() reply { return reply{result: resultOf(q.Put(ctx, next))} })
			next++
		case k < 12:
			d.do(get, 0, func() reply {
				v, err := q.TryGet()
				return reply{result: resultOf(err), id: v}
			})
		case k < 14:
			d.do(get, 0, func() reply {
				v, err := q.Get(ctx)
				return reply{result: resultOf(err), id: v}
			})
		case k < 18 && len(open) < 2:
			d.do(receive, 0, func() reply {
				dl, err := q.TryReceive()
				if err == nil {
					open = append(open, dl)
				}
				return reply{resultOf(err), dl.Value(), byte(dl.Attempt())}
			})
		case k == 19 && shuts && rng.IntN(8) == 0:
			d.do(shut, 0, func() reply { return reply{result: resultOf(q.Shutdown(false))} })
		case len(open) > 0:
			finish()
		}
		cancel()
		for end := now() + int64(rng.IntN(20_000)); now() < end; { // so that they meet
		}
	}
	for len(open) > 0 {
		finish()
	}
}

// childAct: handle, diary's name and directory, client, seed, operations,
// whether it may shut the queue down, crash point to die at.
func childAct(args []string) {
	num := func(i int) int { n, err := strconv.Atoi(args[i]); must(err); return n }
	q, err := ringqueue.Attach[uint16](args[0], nil)
	must(err)
	seg, err := shm.Open(args[1], &shm.Options{Dir: args[2]})
	must(err)
	d := openDiary(seg, num(3))
	fmt.Println("ready")
	fmt.Scanln()
	dieAtStep(num(7))
	act(q, d, rand.New(rand.NewPCG(uint64(num(4)), uint64(num(3)))), num(5), num(6) == 1)
	fmt.Println("done")
	fmt.Scanln() // holds its slot until the others have ended too
}

// A linearRound is one history of several processes, some of them killed.
type linearRound struct {
	history []porcupine.Operation
	killed  int // processes
	pending int // operations that they were killed in
}

func recordRound(t *testing.T, seed uint64) (round linearRound) {
	rng := rand.New(rand.NewPCG(seed, 0))
	dir := tempDir(t)
	const max = 4
	o := &ringqueue.Options{Dir: dir, MaxItems: max, Capacity: 4096, SingleProducer: rng.IntN(4) == 0, SingleConsumer: rng.IntN(4) == 0}
	q, err := ringqueue.New[uint16](o)
	wantNil(t, "New", err)
	defer q.Close()
	shuts := rng.IntN(4) == 0
	type member struct {
		*child
		*diary
		dies bool // by our hand or its own
	}
	var members []*member
	for i := range 3 + rng.IntN(4) {
		name := fmt.Sprint("diary", i)
		seg, err := shm.Create(name, notes*32, &shm.Options{Dir: dir})
		wantNil(t, "Create", err)
		defer seg.Close()
		point, quits := 0, 0
		if rng.IntN(2) == 0 {
			point = 1 + rng.IntN(150)
		}
		if shuts {
			quits = 1
		}
		c := startChild(t, "act", q.Handle(), name, dir, strconv.Itoa(i), strconv.FormatUint(seed>>1, 10), strconv.Itoa(8+rng.IntN(8)), strconv.Itoa(quits), strconv.Itoa(point))
		members = append(members, &member{child: c, diary: openDiary(seg, i)})
	}
	for _, m := range members {
		if got := m.hear(); got != "ready" {
			t.Fatalf("child: %s", got)
		}
	}
	for _, m := range members {
		m.say("go")
	}
	victims := members[:rng.IntN(len(members))]
	for _, m := range victims {
		for end := now() + int64(rng.IntN(400_000)); now() < end; {
		}
		m.cmd.Process.Kill()
	}
	for _, m := range members {
		if line, err := m.out.ReadString('\n'); err != nil || line != "done\n" {
			m.dies = true
			m.cmd.Wait()
		}
	}
	q.Ring().Segment().RecoverDead()
	recovered := now()
	mine := &diary{notes: make([]note, notes), client: 100}
	for _, m := range members {
		m.kill() // those that live hold nothing, but perhaps a role
	}
	for r := (reply{result: fine}); r.result == fine; {
		r = mine.do(get, 0, func() reply {
			v, err := q.TryGet()
			return reply{result: resultOf(err), id: v}
		})
		if r.result == refused {
			t.Fatal("a dead process holds the consumer's role")
		}
	}
	for _, m := range members {
		h, pending := m.history(max, m.dies, recovered)
		round.history = append(round.history, h...)
		round.pending += pending
		if m.dies {
			round.killed++
		}
	}
	h, _ := mine.history(max, false, 0)
	round.history = append(round.history, h...)
	round.history = append(round.history, porcupine.Operation{ClientId: 100, Input: request{verb: end}, Output: reply{result: fine}, Call: now(), Return: math.MaxInt64})
	return round
}

// TestLinearizable records what 3 to 6 processes did to one queue and saw of
// it, with some of them killed in the middle, and asks whether a queue that
// did one thing at a time could have answered so.
func TestLinearizable(t *testing.T) {
	rounds := 40
	if s := os.Getenv(linearRoundsEnv); s != "" {
		n, err := strconv.Atoi(s)
		wantNil(t, linearRoundsEnv, err)
		rounds = n
	} else if testing.Short() {
		rounds = 10
	}
	first := rand.Uint64()
	var operations, killed, pending, unknown int
	for i := range rounds {
		seed := first + uint64(i)
		round := recordRound(t, seed)
		operations += len(round.history)
		killed += round.killed
		pending += round.pending
		switch got, info := porcupine.CheckOperationsVerbose(queueModel, round.history, 10*time.Second); got {
		case porcupine.Unknown:
			unknown++
		case porcupine.Illegal:
			path := filepath.Join(os.TempDir(), fmt.Sprintf("shmkit-history-%d.html", seed))
			wantNil(t, "visualize", porcupine.VisualizePath(queueModel, info, path))
			for _, o := range round.history {
				t.Logf("%d to %d: client %d: %+v %+v", o.Call-round.history[0].Call, o.Return-round.history[0].Call, o.ClientId, o.Input, o.Output)
			}
			t.Fatalf("no order of the operations explains the history of seed %d: see %s", seed, path)
		}
	}
	t.Logf("%d histories, %d operations, %d processes killed, %d of them in an operation, %d histories not decided in time", rounds, operations, killed, pending, unknown)
	if unknown*10 > rounds {
		t.Errorf("%d of %d histories were not decided", unknown, rounds)
	}
}
