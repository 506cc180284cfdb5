package manager_test

import (
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/shmkit/shmkit/manager"
)

var _ = addChild("list append", childListAppend)

const (
	appenders   = 4
	appendsEach = 1000
)

// childListAppend appends its numbers: "DIR MEMBER".
func childListAppend(args []string) {
	m, err := manager.OpenExisting("m", &manager.Options{Dir: args[0]})
	check(err)
	l, err := manager.NewList[int](m, "l")
	check(err)
	member, err := strconv.Atoi(args[1])
	check(err)
	fmt.Println("ready")
	var line string
	fmt.Scanln(&line)
	var worst time.Duration
	for i := range appendsEach {
		start := time.Now()
		check(l.Append(member*appendsEach + i))
		worst = max(worst, time.Since(start))
	}
	fmt.Println("done", worst)
	check(m.Close())
}

// TestListAppenders has processes append at once: each element is there once, each process's in its order.
func TestListAppenders(t *testing.T) {
	dir := tempDir(t)
	m := open(t, &manager.Options{Dir: dir})
	l := newList[int](t, m, "l")
	var cs []*child
	for i := range appenders {
		c := startChild(t, "list append", dir, strconv.Itoa(i))
		c.hear("ready")
		cs = append(cs, c)
	}
	start := time.Now()
	for _, c := range cs {
		c.say("go")
	}
	for _, c := range cs {
		t.Log(c.hear("done"), "at most for one")
		must(t, c.cmd.Wait())
	}
	t.Log(time.Since(start)/(appenders*appendsEach), "each")
	got, err := l.Snapshot()
	must(t, err)
	if len(got) != appenders*appendsEach {
		t.Errorf("%d elements", len(got))
	}
	var next [appenders]int
	for i, v := range got {
		member := v / appendsEach
		if v%appendsEach != next[member] {
			t.Fatalf("element %d is %d of member %d, want %d", i, v%appendsEach, member, next[member])
		}
		next[member]++
	}
	clean(t, m)
}

// BenchmarkListBeside compares a list with what one process has for the same.
func BenchmarkListBeside(b *testing.B) {
	const size = 1000
	m := open(b, &manager.Options{Dir: tempDir(b)})
	l := newList[int](b, m, "l")
	must(b, l.Append(make([]int, size)...))
	b.Run("append and pop/list", func(b *testing.B) {
		for b.Loop() {
			must(b, l.Append(1))
			if _, _, err := l.PopLast(); err != nil {
				b.Fatal(err)
			}
		}
	})
	var mu sync.Mutex
	s := make([]int, size)
	b.Run("append and pop/slice and mutex", func(b *testing.B) {
		for b.Loop() {
			mu.Lock()
			s = append(s, 1)
			mu.Unlock()
			mu.Lock()
			s = s[:len(s)-1]
			mu.Unlock()
		}
	})
	c := make(chan int, size)
	b.Run("append and pop/channel", func(b *testing.B) {
		for b.Loop() {
			c <- 1
			<-c
		}
	})
	b.Run("get/list", func(b *testing.B) {
		for b.Loop() {
			if _, err := l.Get(size / 2); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("get/slice and mutex", func(b *testing.B) {
		sum := 0
		for b.Loop() {
			mu.Lock()
			sum += s[size/2]
			mu.Unlock()
		}
	})
}
