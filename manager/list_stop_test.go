//go:build unix && faultpoints

package manager_test

import (
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/shmkit/shmkit/internal/fault"
	"github.com/shmkit/shmkit/manager"
)

var _ = addChild("list stop", childListStop)

// childListStop inserts an element, and stops itself at a crash point of that: "DIR POINT". It
// prints "through" when it is.
func childListStop(args []string) {
	m, err := manager.OpenExisting("m", &manager.Options{Dir: args[0]})
	check(err)
	l, err := manager.NewList[int](m, "l")
	check(err)
	check(l.Insert(200, -1)) // the blocks of the next one are at hand
	check(l.Delete(200))
	n, err := strconv.Atoi(args[1])
	check(err)
	goOn := make(chan os.Signal, 1)
	signal.Notify(goOn, syscall.SIGCONT)
	fmt.Println("ready")
	fault.SetHook(func(string) {
		if n--; n == 0 {
			syscall.Kill(syscall.Getpid(), syscall.SIGSTOP)
			<-goOn // the signal may reach another thread first, and this one would go on
		}
	})
	err = l.Insert(200, -1)
	fault.SetHook(nil)
	fmt.Println("through", n > 0, err)
	select {}
}

// TestListBesideStopped stops a process, by SIGSTOP, at each crash point of an insertion. Until it has the
// list's lock, and when it has given it back, others read and change the list. In between
// they wait until it goes on: then all is as if it had never been stopped.
func TestListBesideStopped(t *testing.T) {
	dir := tempDir(t)
	m := open(t, &manager.Options{Dir: dir})
	l := newList[int](t, m, "l")
	want := make([]int, 400)
	must(t, l.Append(want...))
	points, held := 0, 0
	for {
		c := startChild(t, "list stop", dir, strconv.Itoa(points+1))
		c.hear("ready")
		c.late = make(chan string, 1)
		go func() {
			if c.out.Scan() {
				c.late <- c.out.Text()
			}
		}()
		if !c.stands(t) {
			c.kill()
			m.Segment().RecoverDead()
			break
		}
		points++
		type result struct {
			got []int
			err error
		}
		through := make(chan result, 1)
		go func() {
			got, err := l.Snapshot()
			if err == nil {
				err = l.Append(1)
			}
			through <- result{got, err}
		}()
		var r result
		select {
		case r = <-through:
		case <-time.After(20 * time.Millisecond): // it has the lock
			held++
			must(t, c.cmd.Process.Signal(syscall.SIGCONT))
			r = <-through
		}
		must(t, r.err)
		inserted := slices.Insert(slices.Clone(want), 200, -1)
		if !slices.Equal(r.got, want) && !slices.Equal(r.got, inserted) {
			t.Fatalf("point %d: %v", points, r.got)
		}
		c.kill()
		m.Segment().RecoverDead()
		got, err := l.Snapshot()
		must(t, err)
		if !slices.Equal(got, append(slices.Clone(want), 1)) && !slices.Equal(got, append(slices.Clone(inserted), 1)) {
			t.Fatalf("point %d, afterwards: %v", points, got)
		}
		must(t, l.SetSlice(0, len(got), want...))
	}
	clean(t, m)
	t.Logf("stopped at %d points, at %d of them with the lock", points, held)
	if points < 30 || held == 0 {
		t.Errorf("stopped at %d points, at %d with the lock", points, held)
	}
}
