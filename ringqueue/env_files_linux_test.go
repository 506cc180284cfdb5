//go:build !portable

package ringqueue_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/shmkit/shmkit/ringqueue"
	"github.com/shmkit/shmkit/shm"
)

// TestNoDescriptorsLeft uses up the descriptors: whatever needs one says so and
// leaves nothing behind, and queues that are open go on, recovery included.
func TestNoDescriptorsLeft(t *testing.T) {
	dir := tempDir(t)
	create[int](t, dir, nil)
	victim := startChild(t, "holdOn", "receive", startQueue(t, dir, "served").Handle())
	if got := victim.hear(); got != "receive" {
		t.Fatalf("child: %s", got)
	}
	c := startChild(t, "noFiles", dir)
	if got := c.hear(); got != "open" {
		t.Fatalf("child: %s", got)
	}
	victim.kill()
	c.say("go on")
	wantOK(t, c)
}

// startQueue creates a queue with one item.
func startQueue(t *testing.T, dir, name string) *ringqueue.Queue[int] {
	t.Helper()
	q, err := ringqueue.Create[int](name, &ringqueue.Options{Dir: dir})
	wantNil(t, "Create", err)
	t.Cleanup(func() { q.Close() })
	wantNil(t, "Put", q.Put(bg, 7))
	return q
}

// childNoFiles lowers its limit of descriptors to what it has open.
func childNoFiles(args []string) {
	dir := args[0]
	o := &ringqueue.Options{Dir: dir}
	served, err := ringqueue.Open[int]("served", o)
	must(err)
	own, err := ringqueue.Create[int]("own", o)
	must(err)
	warm, cancel := context.WithTimeout(bg, time.Millisecond) // the poller and the timers have their descriptors
	_, err = own.Get(warm)
	check(errors.Is(err, ringqueue.ErrEmpty), "Get: %v", err)
	cancel()
	fmt.Println("open")
	fmt.Scanln()

	before, err := os.ReadDir(dir)
	must(err)
	var old unix.Rlimit
	must(unix.Getrlimit(unix.RLIMIT_NOFILE, &old))
	abandoned, err := os.ReadFile(served.Ring().Segment().Path()) // a copy's locks are held by nobody
	must(err)
	used := usedFiles()
	for spare := range 5 {
		must(unix.Setrlimit(unix.RLIMIT_NOFILE, &old))
		must(os.WriteFile(filepath.Join(dir, "abandoned"), abandoned, 0o600))
		setFileLimit(old, used+spare)
		for name, open := range map[string]func() (*ringqueue.Queue[int], error){
			"Create":       func() (*ringqueue.Queue[int], error) { return ringqueue.Create[int]("new", o) },
			"Create over":  func() (*ringqueue.Queue[int], error) { return ringqueue.Create[int]("abandoned", o) },
			"New":          func() (*ringqueue.Queue[int], error) { return ringqueue.New[int](o) },
			"Open":         func() (*ringqueue.Queue[int], error) { return ringqueue.Open[int]("served", o) },
			"OpenOrCreate": func() (*ringqueue.Queue[int], error) { return ringqueue.OpenOrCreate[int]("new", o) },
			"Attach":       func() (*ringqueue.Queue[int], error) { return ringqueue.Attach[int](own.Handle(), o) },
		} {
			q, err := open()
			if err == nil {
				must(q.Close())
				check(spare > 0, "%s needs no descriptor", name)
				continue
			}
			check(errors.Is(err, syscall.EMFILE) && strings.Contains(err.Error(), "too many open files"), "%s with %d descriptors left: %v", name, spare, err)
		}
		names, err := shm.Dir(dir).Sweep()
		_, statErr := os.Stat(filepath.Join(dir, "abandoned"))
		check(err == nil && errors.Is(statErr, os.ErrNotExist) || errors.Is(err, syscall.EMFILE),
			"Sweep with %d descriptors left: %v, %v", spare, names, err)
		if spare == 0 {
			goOnWithoutFiles(own, served)
		}
	}
	must(unix.Setrlimit(unix.RLIMIT_NOFILE, &old))
	if n := usedFiles(); n != used {
		must(fmt.Errorf("%d descriptors open, %d before", n, used))
	}
	now, err := os.ReadDir(dir)
	must(err)
	check(len(now) == len(before), "files before: %v, after: %v", before, now)

	// The last to leave can't remove the file, and leaves it to others.
	setFileLimit(old, used)
	must(own.Close())
	must(unix.Setrlimit(unix.RLIMIT_NOFILE, &old))
	names, err := shm.Dir(dir).Sweep()
	must(err)
	check(len(names) == 1 && names[0] == "own", "swept %q", names)
	must(served.Close())
	fmt.Println("ok")
}

// setFileLimit lowers the limit of descriptors.
func setFileLimit(l unix.Rlimit, n int) {
	l.Cur = uint64(n)
	must(unix.Setrlimit(unix.RLIMIT_NOFILE, &l))
}

// goOnWithoutFiles uses queues that are open, where nothing can be opened.
func goOnWithoutFiles(own, served *ringqueue.Queue[int]) {
	for i := range 100 {
		go func() { must(own.Put(bg, i)) }()
		v, err := own.Get(within(30 * time.Second))
		must(err)
		check(v == i, "got %d, want %d", v, i)
	}
	_, err := own.Get(within(10 * time.Millisecond))
	check(errors.Is(err, context.DeadlineExceeded), "Get: %v", err)
	d, err := served.Receive(within(30 * time.Second)) // its first receiver is dead
	must(err)
	check(d.Attempt() == 2 && d.Value() == 7, "item %d, attempt %d", d.Value(), d.Attempt())
	must(d.Ack())
}

// usedFiles returns one more than the highest descriptor in use: where a limit
// has to be that lets nothing be opened.
func usedFiles() int {
	most := 0
	for fd := range 1 << 10 {
		if _, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err == nil {
			most = fd
		}
	}
	for fd := range most { // fill the gaps, which a limit leaves
		if _, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != nil {
			_, err := unix.FcntlInt(0, unix.F_DUPFD_CLOEXEC, fd)
			must(err)
		}
	}
	return most + 1
}
