//go:build linux

package robust_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/shmkit/shmkit/internal/robust"
	"github.com/shmkit/shmkit/shm"
)

// childEnv makes a re-executed test binary a peer: see servePeer.
const childEnv = "ROBUST_TEST_CHILD"

func TestMain(m *testing.M) {
	if handle := os.Getenv(childEnv); handle != "" {
		servePeer(handle)
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

var spec = &shm.Spec{
	Kind: "robusttest", Layout: 1, Size: 64 << 10, Slots: testSlots,
	Init: func(s *shm.Segment) error {
		return initObjects(s.Body())
	},
	Recover: func(s *shm.Segment, slot int) error {
		return recoverObjects(s.Body(), slot)
	},
}

// newSegment creates a segment with all objects, and opens it once.
func newSegment(t testing.TB) *party {
	t.Helper()
	seg, err := shm.CreateSpec("", spec, &shm.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	return adopt(t, seg)
}

func adopt(t testing.TB, seg *shm.Segment) *party {
	t.Helper()
	t.Cleanup(func() { seg.Close() })
	p, err := newParty(seg, seg.Body(), robust.Options{})
	if err != nil {
		t.Fatal(err)
	}
	p.seg = seg
	return p
}

// A peer is a child process with a party, which does what it is told.
type peer struct {
	t   testing.TB
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

// peer starts one.
func (p *party) peer(t testing.TB) *peer {
	t.Helper()
	c := &peer{t: t, cmd: exec.Command(os.Args[0])}
	c.cmd.Env = append(os.Environ(), childEnv+"="+p.seg.Handle())
	c.cmd.Stderr = os.Stderr
	in, err := c.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	c.in, c.out = in, bufio.NewReader(out)
	t.Cleanup(c.kill)
	c.answers("ready")
	return c
}

func (c *peer) tell(order string) {
	c.t.Helper()
	if _, err := fmt.Fprintln(c.in, order); err != nil {
		c.t.Fatal(err)
	}
}

func (c *peer) answers(want string) {
	c.t.Helper()
	line, err := c.out.ReadString('\n')
	if err != nil {
		c.t.Fatalf("peer: %v", err)
	}
	if got := strings.TrimSpace(line); got != want {
		c.t.Fatalf("peer answered %q, not %q", got, want)
	}
}

// does tells an order and waits for the answer.
func (c *peer) does(order, want string) {
	c.t.Helper()
	c.tell(order)
	c.answers(want)
}

func (c *peer) kill() {
	c.cmd.Process.Kill()
	c.cmd.Wait()
}

// stop stops the process, and waits until it stands.
func (c *peer) stop() {
	c.t.Helper()
	if err := c.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		c.t.Fatal(err)
	}
	until(c.t, "the peer is stopped", func() bool {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", c.cmd.Process.Pid))
		if err != nil {
			c.t.Fatal(err)
		}
		return stat[bytes.LastIndexByte(stat, ')')+2] == 'T'
	})
}

func (c *peer) resume() {
	c.t.Helper()
	if err := c.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		c.t.Fatal(err)
	}
}

// must ends a child that can't go on.
func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "child:", err)
		os.Exit(1)
	}
}

// servePeer carries out orders, and says how each went. The process ends with its
// input, even in the middle of an order: a test that is killed leaves none behind.
func servePeer(handle string) {
	seg, err := shm.OpenHandle(handle, spec, nil)
	must(err)
	p, err := newParty(seg, seg.Body(), robust.Options{})
	must(err)
	p.seg = seg
	fmt.Println("ready")
	given := make(chan string, 1000) // as many as a test may tell ahead
	go func() {
		for s := bufio.NewScanner(os.Stdin); s.Scan(); {
			given <- s.Text()
		}
		os.Exit(0)
	}()
	for order := range given {
		words := strings.Fields(order)
		err := orders[words[0]](p, words[1:])
		if err == nil {
			fmt.Println("ok")
		} else {
			fmt.Println(answer(err))
		}
	}
}

// answer names an error.
func answer(err error) string {
	for name, e := range map[string]error{
		"died": robust.ErrOwnerDied, "unlocked": robust.ErrNotLocked, "alien": robust.ErrNotOwner, "released": robust.ErrReleased,
		"broken": robust.ErrBroken, "closed": robust.ErrClosed, "corrupt": robust.ErrCorrupt, "late": context.DeadlineExceeded, "refused": errRefused,
	} {
		if errors.Is(err, e) {
			return name
		}
	}
	return err.Error()
}

// errRefused is what a try that fails returns as an order.
var errRefused = errors.New("refused")

func tried(ok bool, err error) error {
	if err == nil && !ok {
		return errRefused
	}
	return err
}

// orders are what a peer can be told.
var orders = map[string]func(p *party, args []string) error{
	"lock":    func(p *party, _ []string) error { return p.mutex.Lock(bg) },
	"trylock": func(p *party, _ []string) error { return tried(p.mutex.TryLock()) },
	"unlock":  func(p *party, _ []string) error { return p.mutex.Unlock() },
	"relock":  func(p *party, _ []string) error { return p.rlock.Lock(bg) },
	"rerelock": func(p *party, _ []string) error {
		return errors.Join(p.rlock.Lock(bg), p.rlock.Lock(bg), p.rlock.Unlock())
	},
	"retry":    func(p *party, _ []string) error { return tried(p.rlock.TryLock()) },
	"reunlock": func(p *party, _ []string) error { return p.rlock.Unlock() },
	"write":    func(p *party, _ []string) error { return p.rw.Lock(bg) },
	"trywrite": func(p *party, _ []string) error { return tried(p.rw.TryLock()) },
	"unwrite":  func(p *party, _ []string) error { return p.rw.Unlock() },
	"read":     func(p *party, _ []string) error { return p.rw.RLock(bg) },
	"tryread":  func(p *party, _ []string) error { return tried(p.rw.TryRLock()) },
	"unread":   func(p *party, _ []string) error { return p.rw.RUnlock() },
	"acquire":  func(p *party, _ []string) error { return p.sem.Acquire(bg) },
	"release":  func(p *party, _ []string) error { return p.sem.Release() },
	"bacquire": func(p *party, _ []string) error { return p.bounded.Acquire(bg) },
	"brelease": func(p *party, _ []string) error { return p.bounded.Release() },
	"set":      func(p *party, _ []string) error { p.event.Set(); return nil },
	"clear":    func(p *party, _ []string) error { p.event.Clear(); return nil },
	"await":    func(p *party, _ []string) error { return p.event.Wait(bg) },
	"ilock":    func(p *party, _ []string) error { return p.inner.Lock(bg) },
	"iunlock":  func(p *party, _ []string) error { return p.inner.Unlock() },
	"wait":     func(p *party, _ []string) error { return p.cond.Wait(bg) },
	"waitshort": func(p *party, _ []string) error {
		ctx, cancel := context.WithTimeout(bg, time.Millisecond)
		defer cancel()
		return p.cond.Wait(ctx)
	},
	"notify": func(p *party, _ []string) error { return p.cond.Notify(1) },
	"join":   func(p *party, _ []string) error { return p.barrier.Join() },
	"meet":   func(p *party, _ []string) error { _, err := p.barrier.Wait(bg, nil); return err },
	"meetact": func(p *party, _ []string) error {
		_, err := p.barrier.Wait(bg, func() error { return nil })
		return err
	},
	"meetthree": func(p *party, _ []string) error { _, err := p.trio.Wait(bg, nil); return err },
	"abort":     func(p *party, _ []string) error { return p.barrier.Abort() },
	"reset":     func(p *party, _ []string) error { return p.barrier.Reset() },
	"recover":   func(p *party, _ []string) error { p.seg.RecoverDead(); return nil },
	"dieat":     dieAt,
	"churn":     churn,
	"spinlock":  spinLock,
}
