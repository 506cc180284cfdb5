//go:build !portable

package ringqueue_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/shmkit/shmkit/ringqueue"
	"github.com/shmkit/shmkit/shm"
)

// envChildren are the children of the tests below: each gets into an environment
// that would harm the tests themselves.
var envChildren = map[string]func(args []string){
	"smallTmpfs": childSmallTmpfs,
	"noFiles":    childNoFiles,
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
	if err := refuse(unix.SYS_FUTEX_WAITV, uint32(errno)); err != nil {
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

// refuse makes the system call fail with errno on all threads from now on.
func refuse(call, errno uint32) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	filter := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: 0}, // the call's number
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jt: 0, Jf: 1, K: call},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | errno},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
	}
	prog := &unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	_, _, e := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC,
		reflect.ValueOf(prog).Pointer())
	runtime.KeepAlive(prog)
	if e != 0 {
		return e
	}
	return nil
}

// TestPassedDescriptorKeepsTheSlotAlive passes the descriptor of a liveness lock
// to another process. The lock belongs to what both refer to: so nobody may take
// its owner for dead before both have let go.
func TestPassedDescriptorKeepsTheSlotAlive(t *testing.T) {
	q := create[int](t, tempDir(t), nil)
	wantNil(t, "Put", q.Put(bg, 7))
	ends, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	wantNil(t, "socketpair", err)
	theirs := os.NewFile(uintptr(ends[1]), "theirs")
	cmd := exec.Command(os.Args[0], q.Handle())
	cmd.ExtraFiles = []*os.File{theirs}
	c := startCommand(t, cmd, "passLock")
	theirs.Close()
	ours := os.NewFile(uintptr(ends[0]), "ours")
	defer ours.Close()
	passed := receiveFD(t, ours)
	closed := false
	defer func() {
		if !closed {
			unix.Close(passed)
		}
	}()
	slot := 1
	c.kill()
	if i := q.Ring().Segment().SlotInfo(slot); i.State != shm.SlotLive {
		t.Fatalf("after its death, while its lock is held here: %+v", i)
	}
	if q.Ring().Segment().Probe(slot) {
		t.Fatal("its slot was recovered while its lock is held")
	}
	_, err = q.Receive(within(200 * time.Millisecond))
	wantErr(t, "Receive", err, ringqueue.ErrEmpty, context.DeadlineExceeded)
	wantNil(t, "close", unix.Close(passed))
	closed = true
	d, err := q.Receive(within(30 * time.Second))
	if err != nil || d.Value() != 7 || d.Attempt() != 2 {
		t.Fatalf("after the last descriptor was closed: item %d, attempt %d, %v", d.Value(), d.Attempt(), err)
	}
	wantNil(t, "Ack", d.Ack())
}

func receiveFD(t *testing.T, f *os.File) int {
	t.Helper()
	conn, err := net.FileConn(f)
	wantNil(t, "socket", err)
	defer conn.Close()
	oob := make([]byte, unix.CmsgSpace(4))
	wantNil(t, "deadline", conn.SetReadDeadline(time.Now().Add(30*time.Second)))
	_, n, _, _, err := conn.(*net.UnixConn).ReadMsgUnix(make([]byte, 1), oob)
	wantNil(t, "receive", err)
	msgs, err := unix.ParseSocketControlMessage(oob[:n])
	wantNil(t, "control message", err)
	fds, err := unix.ParseUnixRights(&msgs[0])
	wantNil(t, "rights", err)
	return fds[0]
}

// childPassLock receives an item and sends the descriptor of its slot's lock
// through descriptor 3.
func childPassLock(args []string) {
	q, err := ringqueue.Attach[int](args[0], nil)
	must(err)
	check(q.Ring().Segment().Slot() == 1, "slot %d", q.Ring().Segment().Slot())
	_, err = q.Receive(bg)
	must(err)
	lock := -1
	for fd := range 1 << 10 {
		if to, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", fd)); err == nil && to == q.Ring().Segment().Path() {
			check(lock < 0, "descriptors %d and %d of the file", lock, fd)
			lock = fd
		}
	}
	must(unix.Sendmsg(3, []byte{0}, unix.UnixRights(lock), nil, 0))
	fmt.Scanln() // until killed
}

// TestExecutedChildHoldsNoLock: a child that a process starts is not given the
// locks of its slots.
func TestExecutedChildHoldsNoLock(t *testing.T) {
	q := create[int](t, tempDir(t), nil)
	out, err := exec.Command("ls", "-l", "/proc/self/fd").Output()
	wantNil(t, "ls", err)
	if strings.Contains(string(out), filepath.Dir(q.Ring().Segment().Path())) {
		t.Errorf("a child has the descriptors\n%s", out)
	}
}

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
