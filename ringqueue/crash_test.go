//go:build unix

package ringqueue_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/shmkit/shmkit/ringqueue"
	"github.com/shmkit/shmkit/shm"
)

// childHold takes hold of something and stands still: "reserve", "borrow",
// "receive" or "get" (and not done), of the queue with the handle.
func childHold(args []string) {
	q, err := ringqueue.Attach[int](args[1], nil)
	must(err)
	switch args[0] {
	case "reserve":
		s, err := q.Ring().Reserve(bg, 8)
		must(err)
		s.Bytes()[0] = 0xff
	case "borrow":
		_, err := q.Ring().Borrow(bg)
		must(err)
	case "receive":
		_, err := q.Receive(bg)
		must(err)
	case "get":
		_, err := q.Get(bg)
		must(err)
	}
	fmt.Println(args[0])
	fmt.Scanln() // until killed
}

func startHold(t testing.TB, what string, q *ringqueue.Queue[int]) *child {
	t.Helper()
	c := startChild(t, "hold", what, q.Handle())
	if got := c.hear(); got != what {
		t.Fatalf("child: %s", got)
	}
	return c
}

func TestKilledProducerLosesItsRecordOnly(t *testing.T) {
	q := create[int](t, tempDir(t), nil)
	wantNil(t, "Put", q.Put(bg, 1))
	c := startHold(t, "reserve", q)
	wantNil(t, "Put", q.Put(bg, 2))
	wantItem(t, q, 1)
	if _, err := q.TryGet(); !errors.Is(err, ringqueue.ErrEmpty) {
		t.Fatalf("TryGet behind a record being written: %v", err)
	}
	got := make(chan error)
	go func() {
		v, err := q.Get(bg)
		if err == nil && v != 2 {
			err = fmt.Errorf("got %d", v)
		}
		got <- err
	}()
	c.kill()
	wantNil(t, "Get", <-got)
	if n := q.Ring().Segment().Total(shm.Discarded); n != 1 {
		t.Fatalf("%d records counted as discarded", n)
	}
}

func TestKilledConsumersRecordIsDeliveredAgain(t *testing.T) {
	for _, what := range []string{"borrow", "receive"} {
		t.Run(what, func(t *testing.T) {
			q := create[int](t, tempDir(t), nil)
			for i := range 3 {
				wantNil(t, "Put", q.Put(bg, i))
			}
			c := startHold(t, what, q)
			d1, err := q.Receive(bg)
			wantNil(t, "Receive", err)
			wantNil(t, "Ack", d1.Ack())
			c.kill()
			seen := []int{d1.Value()}
			for range 2 {
				d, err := q.Receive(within(30 * time.Second))
				wantNil(t, "Receive", err)
				want := 1
				if d.Value() == 0 {
					want = 2
				}
				if d.Attempt() != want {
					t.Fatalf("item %d is attempt %d", d.Value(), d.Attempt())
				}
				seen = append(seen, d.Value())
				wantNil(t, "Ack", d.Ack())
			}
			slices.Sort(seen)
			if !slices.Equal(seen, []int{0, 1, 2}) {
				t.Fatalf("received %v", seen)
			}
			wantNil(t, "Join", q.Join(within(30*time.Second)))
		})
	}
}

func TestStoppedOwnerIsNotRobbed(t *testing.T) {
	q := create[int](t, tempDir(t), nil)
	wantNil(t, "Put", q.Put(bg, 1))
	c := startHold(t, "receive", q)
	c.stop()
	_, err := q.Receive(within(300 * time.Millisecond)) // several slices
	wantErr(t, "Receive", err, ringqueue.ErrEmpty)
	c.kill()
	d, err := q.Receive(within(30 * time.Second))
	if err != nil || d.Attempt() != 2 {
		t.Fatalf("after its death: attempt %d, %v", d.Attempt(), err)
	}
	wantNil(t, "Ack", d.Ack())
}

func TestPoisonLimit(t *testing.T) {
	q := create[int](t, tempDir(t), &ringqueue.Options{MaxAttempts: 2})
	wantNil(t, "Put", q.Put(bg, 1))
	startHold(t, "receive", q).kill()
	d, err := q.Receive(within(30 * time.Second))
	if err != nil || d.Attempt() != 2 {
		t.Fatalf("attempt %d, %v", d.Attempt(), err)
	}
	wantNil(t, "Nack", d.Nack())
	_, err = q.TryReceive()
	wantErr(t, "TryReceive of a poisonous item", err, ringqueue.ErrEmpty)
	if n := q.Ring().Segment().Total(shm.DeadLetters); n != 1 {
		t.Fatalf("%d dead letters counted", n)
	}
	wantNil(t, "Join", q.Join(within(30*time.Second)))
}

func TestJoinDoesNotWaitForTheDead(t *testing.T) {
	dir := tempDir(t)
	q := create[int](t, dir, nil)
	wantNil(t, "Put", q.Put(bg, 1))
	p := modes[1].start(t, q, dir)
	p.want("ok 1", "get")
	joined := make(chan error)
	go func() { joined <- q.Join(bg) }()
	p.child.kill()
	wantNil(t, "Join", <-joined)
}

func TestExclusiveRoles(t *testing.T) {
	dir := tempDir(t)
	q := create[int](t, dir, &ringqueue.Options{SingleProducer: true, SingleConsumer: true})
	p := modes[1].start(t, q, dir)
	p.want("ok", "put 1")
	wantErr(t, "Put beside the producer", q.Put(bg, 2), ringqueue.ErrRoleTaken)
	wantItem(t, q, 1)
	p.want("role taken", "tryget")
	p.child.kill()
	wantNil(t, "Put after the producer's death", q.Put(bg, 3))
	wantItem(t, q, 3)
	p = modes[1].start(t, q, dir)
	p.want("role taken", "put 1")
	wantNil(t, "Close", q.Close())
	p.want("ok", "put 4")
	p.want("ok 4", "get")
}

func TestKilledInExclusiveRoleWithRecordsInFlight(t *testing.T) {
	q := create[int](t, tempDir(t), &ringqueue.Options{SingleProducer: true, SingleConsumer: true})
	startHold(t, "reserve", q).kill()
	for i := range 3 {
		wantNil(t, "Put", q.Put(bg, i))
	}
	wantNil(t, "Close", q.Close()) // the role is free; see the next holder
}

// childPutForever puts numbers from its own range until it is killed; childTake
// Forever takes them and prints them.
func childPutForever(args []string) {
	q, err := ringqueue.Attach[int](args[0], nil)
	must(err)
	first, err := strconv.Atoi(args[1])
	must(err)
	many := make([]int, 7)
	for i := first; ; {
		if i%3 == 0 {
			for j := range many {
				many[j] = i + j
			}
			n, err := q.PutMany(bg, many)
			must(err)
			i += n
		} else {
			must(q.Put(bg, i))
			i++
		}
	}
}

func childTakeForever(args []string) {
	q, err := ringqueue.Attach[int](args[0], nil)
	must(err)
	dst := make([]int, 5)
	for {
		n, err := q.GetMany(bg, dst)
		must(err)
		for _, v := range dst[:n] {
			fmt.Println(v)
		}
	}
}

// TestCrashStorm kills producers and consumers at random while a survivor takes
// what is left: nothing comes twice, and first deliveries come in the order of
// their producer. What a killed consumer was just taking is delivered again, and
// may come after later items.
func TestCrashStorm(t *testing.T) {
	const span = 1 << 32
	q := create[int](t, tempDir(t), &ringqueue.Options{Capacity: 1 << 14})
	rng := rand.New(rand.NewPCG(1, 2))
	rounds := 12
	if testing.Short() {
		rounds = 4
	}
	last := map[int]int{}
	seen := map[int]bool{}
	take := func() int {
		t.Helper()
		d, err := q.Receive(within(30 * time.Second))
		wantNil(t, "Receive", err)
		v := d.Value()
		wantNil(t, "Ack", d.Ack())
		if seen[v] {
			t.Fatalf("item %d of producer %d came twice", v%span, v/span)
		}
		seen[v] = true
		if prev, ok := last[v/span]; ok && v <= prev && d.Attempt() == 1 {
			t.Fatalf("item %d of producer %d came after %d", v%span, v/span, prev%span)
		}
		last[v/span] = max(last[v/span], v)
		return v
	}
	for round := range rounds {
		var members []*child
		for i := range 2 {
			members = append(members, startChild(t, "putForever", q.Handle(), strconv.Itoa((2*round+i)*span)))
		}
		taker := startChild(t, "takeForever", q.Handle())
		for range 50 + rng.IntN(2000) {
			take()
		}
		go func() { // so that it never blocks on its output
			for {
				if _, err := taker.out.ReadString('\n'); err != nil {
					return
				}
			}
		}()
		taker.kill()
		rng.Shuffle(len(members), func(i, j int) { members[i], members[j] = members[j], members[i] })
		for _, c := range members {
			c.kill()
		}
	}
	// The dead hold nothing up.
	put, end := make(chan error), 2*rounds*span
	go func() { put <- q.Put(within(30*time.Second), end) }()
	for take() != end {
	}
	wantNil(t, "Put", <-put)
	if n := q.Len(); n != 0 {
		t.Fatalf("%d items are left", n)
	}
	t.Logf("%d items through %d rounds", len(seen), rounds)
}

// childThreads blocks many goroutines in Get, says how many threads that takes,
// and then how many goroutines were served.
func childThreads(args []string) {
	q, err := ringqueue.Attach[int](args[0], nil)
	must(err)
	n, err := strconv.Atoi(args[1])
	must(err)
	var wg sync.WaitGroup
	var blocked, served atomic.Int64
	for range n {
		wg.Go(func() {
			blocked.Add(1)
			_, err := q.Get(bg)
			must(err)
			served.Add(1)
		})
	}
	for blocked.Load() < int64(n) {
		time.Sleep(time.Millisecond)
	}
	fmt.Println("blocked")
	fmt.Scanln()
	tasks, err := os.ReadDir("/proc/self/task")
	must(err)
	fmt.Println(len(tasks))
	wg.Wait()
	tasks, err = os.ReadDir("/proc/self/task")
	must(err)
	fmt.Println(served.Load(), len(tasks))
}

func TestManyGoroutinesFewThreads(t *testing.T) {
	if _, err := os.Stat("/proc/self/task"); err != nil {
		t.Skip("threads are counted in /proc")
	}
	const n = 20000
	q := create[int](t, tempDir(t), nil)
	c := startChild(t, "threads", q.Handle(), strconv.Itoa(n))
	if got := c.hear(); got != "blocked" {
		t.Fatalf("child: %s", got)
	}
	c.say("count")
	threads, err := strconv.Atoi(c.hear())
	wantNil(t, "threads", err)
	if threads >= 100 {
		t.Errorf("%d threads for %d goroutines blocked in Get", threads, n)
	}
	for i := range n {
		wantNil(t, "Put", q.Put(within(60*time.Second), i))
	}
	f := strings.Fields(c.hear())
	if f[0] != strconv.Itoa(n) {
		t.Fatalf("%s of %d were served", f[0], n)
	}
	if after, _ := strconv.Atoi(f[1]); after >= 100 {
		t.Errorf("%d threads after serving them", after)
	}
	c.wait()
}

// TestPIDNamespaces shares a queue with a process that has another idea of PIDs.
func TestPIDNamespaces(t *testing.T) {
	unshare, err := exec.LookPath("unshare")
	if err != nil {
		t.Skip("needs unshare(1)")
	}
	if out, err := exec.Command(unshare, "-pf", "true").CombinedOutput(); err != nil {
		t.Skipf("unshare -pf: %v: %s", err, out)
	}
	q := create[int](t, tempDir(t), nil)
	wantNil(t, "Put", q.Put(bg, 7))
	cmd := exec.Command(unshare, "-pf", "--kill-child", os.Args[0], "receive", q.Handle())
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	c := startCommand(t, cmd, "hold")
	if got := c.hear(); got != "receive" {
		t.Fatalf("child: %s", got)
	}
	_, err = q.TryReceive()
	wantErr(t, "TryReceive while it is held", err, ringqueue.ErrEmpty)
	if err := syscall.Kill(-c.cmd.Process.Pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	d, err := q.Receive(within(30 * time.Second))
	if err != nil || d.Value() != 7 || d.Attempt() != 2 {
		t.Fatalf("after the other's death: item %d, attempt %d, %v", d.Value(), d.Attempt(), err)
	}
	wantNil(t, "Ack", d.Ack())
}
