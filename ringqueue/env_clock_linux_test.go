//go:build !portable

package ringqueue_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/shmkit/shmkit/ringqueue"
)

// TestOtherClock shares a queue with a process whose monotonic clock is a day
// ahead: no time crosses from one to the other.
func TestOtherClock(t *testing.T) {
	const ahead = 24 * time.Hour
	offset := fmt.Sprintf("--monotonic=%d", int(ahead.Seconds()))
	if out, err := exec.Command("unshare", "-Tf", offset, "true").CombinedOutput(); err != nil {
		t.Skipf("NOT TESTED, no time namespace to be had: unshare -Tf: %v: %s", err, out)
	}
	q := create[int](t, tempDir(t), nil)
	cmd := exec.Command("unshare", "-Tf", "--kill-child", offset, os.Args[0], q.Handle())
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	c := startCommand(t, cmd, "otherClock")
	theirs, err := strconv.ParseInt(c.hear(), 10, 64)
	wantNil(t, "its clock", err)
	if d := time.Duration(theirs) - monotonic(); d < ahead-time.Hour || d > ahead+time.Hour {
		t.Fatalf("its clock is %v ahead", d)
	}
	for i := range 100 {
		wantNil(t, "Put", q.Put(within(30*time.Second), i))
		until(t, "it has taken the item", func() bool { return q.Empty() })
	}
	if got := c.hear(); got != "took 100" {
		t.Fatalf("child: %s", got)
	}
	if got := c.hear(); got != "waited" {
		t.Fatalf("child: %s", got)
	}
	wantNil(t, "Put", q.Put(bg, 7))
	if got := c.hear(); got != "received" {
		t.Fatalf("child: %s", got)
	}
	wantErr(t, "Join", q.Join(within(200*time.Millisecond)), context.DeadlineExceeded)
	wantNil(t, "kill", syscall.Kill(-c.cmd.Process.Pid, syscall.SIGKILL))
	d, err := q.Receive(within(30 * time.Second))
	if err != nil || d.Value() != 7 || d.Attempt() != 2 {
		t.Fatalf("after its death: item %d, attempt %d, %v", d.Value(), d.Attempt(), err)
	}
	wantNil(t, "Ack", d.Ack())
}

func monotonic() time.Duration {
	var ts unix.Timespec
	must(unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts))
	return time.Duration(ts.Nano())
}

func childOtherClock(args []string) {
	fmt.Println(int64(monotonic()))
	q, err := ringqueue.Attach[int](args[0], nil)
	must(err)
	for i := range 100 {
		v, err := q.Get(within(30 * time.Second))
		must(err)
		check(v == i, "got %d, want %d", v, i)
	}
	fmt.Println("took 100")
	_, err = q.Get(within(120 * time.Millisecond)) // some slices
	check(errors.Is(err, context.DeadlineExceeded), "Get: %v", err)
	fmt.Println("waited")
	_, err = q.Receive(within(30 * time.Second))
	must(err)
	fmt.Println("received")
	fmt.Scanln() // until killed
}
