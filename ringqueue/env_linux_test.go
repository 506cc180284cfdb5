//go:build !portable

package ringqueue_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/shmkit/shmkit/internal/fault/faulttest"
	"github.com/shmkit/shmkit/ringqueue"
	"github.com/shmkit/shmkit/shm"
)

// envChildren are the children of the tests below: each gets into an environment
// that would harm the tests themselves.
var envChildren = map[string]func(args []string){
	"smallTmpfs": childSmallTmpfs,
	"noFiles":    childNoFiles,
	"noSpace":    childNoSpace,
	"seccomp":    childSeccomp,
	"passLock":   childPassLock,
	"holdOn":     childHoldOn,
	"onePipe":    childOnePipe,
	"otherClock": childOtherClock,
}

// check ends a child in which something is not as it must be.
func check(ok bool, format string, args ...any) {
	if !ok {
		must(fmt.Errorf(format, args...))
	}
}

// wantOK waits for a child that says ok in the end, or why it can't begin.
func wantOK(t *testing.T, c *child) {
	t.Helper()
	switch got := c.hear(); {
	case got == "ok":
		c.wait()
	case strings.HasPrefix(got, "can't"):
		t.Skip("NOT TESTED, this machine " + got)
	default:
		t.Fatalf("child: %s", got)
	}
}

// TestFullFileSystem creates queues on a file system that has no room for them,
// and uses one while there is none left at all.
func TestFullFileSystem(t *testing.T) {
	dir := tempDir(t)
	cmd := exec.Command(os.Args[0], dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
	if os.Geteuid() != 0 {
		cmd.SysProcAttr.Cloneflags = syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Geteuid(), Size: 1}}
	}
	if err := exec.Command("unshare", "-m", "true").Run(); err != nil && os.Geteuid() == 0 {
		t.Skip("NOT TESTED, no mount namespace to be had:", err)
	}
	wantOK(t, startCommand(t, cmd, "smallTmpfs"))
}

// childSmallTmpfs mounts a file system of 1 MiB for itself alone.
func childSmallTmpfs(args []string) {
	dir := args[0]
	if err := unix.Mount("shmkit-test", dir, "tmpfs", 0, "size=1m,mode=700"); err != nil {
		fmt.Println("can't mount a tmpfs:", err)
		return
	}
	free := func() uint64 {
		var st unix.Statfs_t
		must(unix.Statfs(dir, &st))
		return st.Bfree
	}
	before := free()
	for range 3 {
		for _, create := range []func() (*ringqueue.Queue[int], error){
			func() (*ringqueue.Queue[int], error) {
				return ringqueue.Create[int]("big", &ringqueue.Options{Dir: dir})
			},
			func() (*ringqueue.Queue[int], error) {
				return ringqueue.OpenOrCreate[int]("big", &ringqueue.Options{Dir: dir})
			},
			func() (*ringqueue.Queue[int], error) { return ringqueue.New[int](&ringqueue.Options{Dir: dir}) },
		} {
			_, err := create()
			check(errors.Is(err, ringqueue.ErrNoSpace) && errors.Is(err, syscall.ENOSPC), "create: %v", err)
		}
	}
	check(free() == before, "%d blocks free, %d before", free(), before)
	left, err := os.ReadDir(dir)
	must(err)
	check(len(left) == 0, "left behind: %v", left)

	q, err := ringqueue.Create[[512]byte]("small", &ringqueue.Options{Dir: dir, Capacity: 1 << 16})
	must(err)
	rest, err := os.Create(filepath.Join(dir, "rest"))
	must(err)
	for err == nil {
		_, err = rest.Write(make([]byte, 4096))
	}
	check(errors.Is(err, syscall.ENOSPC), "filling up: %v", err)
	other, err := ringqueue.Open[[512]byte]("small", &ringqueue.Options{Dir: dir})
	must(err)
	const laps, records = 3, 1 << 16 / 512
	go func() {
		for i := range laps * records {
			must(q.Put(bg, [512]byte{byte(i), 511: byte(i)}))
		}
	}()
	for i := range laps * records {
		v, err := other.Get(within(30 * time.Second))
		must(err)
		check(v[0] == byte(i) && v[511] == byte(i), "item %d is %d, %d", i, v[0], v[511])
	}
	must(other.Close())
	must(q.Close())
	fmt.Println("ok")
}

// TestSeccomp waits in a process that may not call futex_waitv, as in containers
// whose filter does not know it, or on a kernel that does not.
func TestSeccomp(t *testing.T) {
	for _, refusal := range []syscall.Errno{unix.EPERM, unix.ENOSYS} {
		t.Run(unix.ErrnoName(refusal), func(t *testing.T) {
			q := create[int](t, tempDir(t), &ringqueue.Options{MaxItems: 4})
			c := startChild(t, "seccomp", q.Handle(), strconv.Itoa(int(refusal)))
			if got := c.hear(); got != "forbidden" {
				t.Skip("NOT TESTED, this machine " + got)
			}
			for i := range 200 {
				if i%20 == 0 {
					until(t, "it waits", func() bool { return procState(c.cmd.Process.Pid) == "S" })
				}
				wantNil(t, "Put", q.Put(within(30*time.Second), i))
			}
			if got := c.hear(); got != "canceled" {
				t.Fatalf("child: %s", got)
			}
			for i := range 8 { // it fills the queue and waits for room
				wantItem(t, q, i)
			}
			wantOK(t, c)
		})
	}
}

func childSeccomp(args []string) {
	errno, err := strconv.Atoi(args[1])
	must(err)
	if err := faulttest.Refuse(unix.SYS_FUTEX_WAITV, uint32(errno)); err != nil {
		fmt.Println("can't install a filter:", err)
		return
	}
	_, _, e := unix.Syscall6(unix.SYS_FUTEX_WAITV, 0, 0, 0, 0, 0, 0)
	check(int(e) == errno, "futex_waitv: %v", e)
	q, err := ringqueue.Attach[int](args[0], &ringqueue.Options{Wait: shm.Block})
	must(err)
	fmt.Println("forbidden")
	for i := range 200 {
		v, err := q.Get(within(30 * time.Second)) // its context can end: two words to wait for
		must(err)
		check(v == i, "got %d, want %d", v, i)
	}
	for range 5 {
		ctx, cancel := context.WithCancel(bg)
		got := make(chan error)
		waits := q.Ring().Segment().Counter(shm.EmptyWaits).Load()
		go func() {
			_, err := q.Get(ctx)
			got <- err
		}()
		for q.Ring().Segment().Counter(shm.EmptyWaits).Load() == waits {
			runtime.Gosched()
		}
		cancel()
		select {
		case err := <-got:
			check(errors.Is(err, context.Canceled), "Get: %v", err)
		case <-time.After(30 * time.Second):
			must(errors.New("a Get that was cancelled waits on"))
		}
	}
	fmt.Println("canceled")
	for i := range 8 {
		must(q.Put(within(30*time.Second), i))
	}
	must(q.Close())
	fmt.Println("ok")
}
