//go:build !portable

package ringqueue_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/shmkit/shmkit/ringqueue"
	"github.com/shmkit/shmkit/shm"
)

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
