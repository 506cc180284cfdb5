package shm_test

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/shmkit/shmkit/internal/mem"
	"github.com/shmkit/shmkit/shm"
)

// An agent is this test binary in another process. It obeys lines on its
// standard input and answers each with a line.
const agentEnv = "SHMKIT_TEST_AGENT"

// agent runs the other process's side, with segments in dir.
func agent(dir string) {
	a := &agentState{opts: shm.Options{Dir: dir}}
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, 1<<20)
	for in.Scan() {
		f := strings.Fields(in.Text())
		out, err := a.do(f[0], f[1:])
		if err != nil {
			out = "error " + errorName(err) + " " + err.Error()
		}
		fmt.Println(strings.ReplaceAll(out, "\n", " "))
	}
	// The tester is gone or has closed the pipe: end without closing anything,
	// as a killed process does.
}

type agentState struct {
	opts shm.Options
	seg  *shm.Segment
}

func (a *agentState) do(verb string, args []string) (string, error) {
	arg := func(i int) int {
		n, err := strconv.Atoi(args[i])
		if err != nil {
			panic(err)
		}
		return n
	}
	opts := &a.opts
	var err error
	switch verb {
	case "pid":
		return strconv.Itoa(os.Getpid()), nil
	case "named":
		a.opts = *shm.Named(a.opts)
		return "ok", nil
	case "create":
		a.seg, err = shm.Create(args[0], int64(arg(1)), opts)
	case "persistent":
		opts.Persistent = true
		a.seg, err = shm.Create(args[0], int64(arg(1)), opts)
	case "open":
		a.seg, err = shm.Open(args[0], opts)
	case "handle":
		a.seg, err = shm.OpenHandle(args[0], nil, opts)
	case "join": // a segment with recovery
		a.seg, err = shm.OpenSpec(args[0], graveSpec(nil), opts)
	case "joinanddie": // killed in the middle of its first recovery
		a.seg, err = shm.OpenSpec(args[0], graveSpec(die), opts)
	case "joinandstand": // stands in the middle of its first recovery until it gets a line
		a.seg, err = shm.OpenSpec(args[0], graveSpec(func() {
			fmt.Println("recovering")
			fmt.Scanln()
		}), opts)
	case "set":
		a.seg.Bytes()[arg(0)] = byte(arg(1))
		return "ok", nil
	case "get":
		return strconv.Itoa(int(a.seg.Bytes()[arg(0)])), nil
	case "size":
		return fmt.Sprint(len(a.seg.Bytes()), a.seg.Size()), nil
	case "close":
		return "ok", a.seg.Close()
	case "remove":
		return "ok", shm.Dir(opts.Dir).Remove(args[0])
	case "sweep":
		swept, err := shm.Dir(opts.Dir).Sweep()
		return fmt.Sprint(swept), err
	case "probe":
		return fmt.Sprint(a.seg.Probe(arg(0))), nil
	case "exit":
		os.Exit(0)
	case "die":
		die()
	case "killat":
		killAt(arg(0))
		return "ok", nil
	case "churn":
		return "ok", a.churn()
	case "storm":
		return "ok", a.storm(args[0], arg(1))
	default:
		err = errors.New("unknown verb " + verb)
	}
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("slot %d", a.seg.Slot()), nil
}

// die kills this process as kill -9 does.
func die() {
	if p, err := os.FindProcess(os.Getpid()); err == nil {
		_ = p.Kill()
	}
	select {}
}

// churn creates and closes segments until it is killed, with a line for each.
func (a *agentState) churn() error {
	for i := 0; ; i++ {
		s, err := shm.Create(fmt.Sprintf("churn-%d", i%3), 1<<16, &a.opts)
		if err != nil {
			return err
		}
		fmt.Println("ok")
		if err := s.Close(); err != nil {
			return err
		}
	}
}

// storm opens or creates, checks and closes a segment again and again, and
// sweeps in between. What it holds must be what its name stands for.
func (a *agentState) storm(name string, rounds int) error {
	for i := range rounds {
		s, err := shm.OpenOrCreate(name, 64, &a.opts)
		if err != nil {
			return err
		}
		for range 3 {
			i, err := shm.Inspect(s.Path())
			if err != nil {
				return fmt.Errorf("held segment lost its name: %w", err)
			}
			info := i.Info()
			i.Close()
			if info.ID != s.ID() {
				return errors.New("held segment's name stands for another one")
			}
		}
		if i%3 == 0 {
			if _, err := shm.Dir(a.opts.Dir).Sweep(); err != nil {
				return err
			}
		}
		if err := s.Close(); err != nil {
			return err
		}
	}
	return nil
}

// A grave segment counts the calls of its recovery hook.
func graveSpec(before func()) *shm.Spec {
	return &shm.Spec{
		Kind:   "grave",
		Layout: 7,
		Size:   4096,
		Recover: func(s *shm.Segment, slot int) error {
			word(s, 0).Add(1)
			if before != nil {
				before()
			}
			word(s, 1).Add(1)
			return nil
		},
	}
}

// word returns a word of the body.
func word(s *shm.Segment, i int) *atomic.Uint64 {
	w, err := mem.At[atomic.Uint64](s.Body(), 8*i)
	if err != nil {
		panic(err)
	}
	return w
}

// errorName names the sentinel that an error is, to travel as text.
func errorName(err error) string {
	for name, target := range map[string]error{
		"exist": shm.ErrExist, "notexist": shm.ErrNotExist, "name": shm.ErrName, "noslots": shm.ErrNoSlots,
		"kind": shm.ErrKind, "nospace": shm.ErrNoSpace, "closed": shm.ErrClosed,
	} {
		if errors.Is(err, target) {
			return name
		}
	}
	return "other"
}

// A proc is an agent as the tester sees it.
type proc struct {
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  *bufio.Scanner
	done bool
}

// How agents are started: as a child, or by a shell that is gone then, so that
// they are no relatives of the tester.
const (
	related   = "child"
	unrelated = "unrelated"
)

func startAgent(t testing.TB, dir, how string) *proc {
	t.Helper()
	exe := must(os.Executable())(t)
	if how == unrelated {
		if runtime.GOOS == "windows" {
			t.Skip("needs a shell")
		}
		return startCommand(t, dir, "sh", "-c", `exec 3<&0; "$0" <&3 3<&- & `, exe)
	}
	return startCommand(t, dir, exe)
}

func startCommand(t testing.TB, dir, name string, args ...string) *proc {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), agentEnv+"="+dir, "GORACE=atexit_sleep_ms=0")
	cmd.Stderr = os.Stderr
	p := &proc{cmd: cmd, in: must(cmd.StdinPipe())(t), out: bufio.NewScanner(must(cmd.StdoutPipe())(t))}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.end() })
	return p
}

// end lets the agent end, as it is, and waits for that.
func (p *proc) end() {
	if p.done {
		return
	}
	p.done = true
	p.in.Close()
	for p.out.Scan() { // until nobody has the pipe
	}
	_ = p.cmd.Wait()
}

// send gives an order without waiting for the answer.
func (p *proc) send(line string) { fmt.Fprintln(p.in, line) }

// answer waits for an answer; "" means that the agent is gone.
func (p *proc) answer(t testing.TB) string {
	t.Helper()
	late := time.AfterFunc(2*time.Minute, func() { _ = p.cmd.Process.Kill() })
	defer late.Stop()
	if !p.out.Scan() {
		return ""
	}
	return p.out.Text()
}

func (p *proc) ask(t testing.TB, order string) string {
	t.Helper()
	p.send(order)
	return p.answer(t)
}

// want gives an order and checks the start of its answer.
func (p *proc) want(t testing.TB, order, answer string) {
	t.Helper()
	if got := p.ask(t, order); !strings.HasPrefix(got, answer) {
		t.Fatalf("%s: answer %q, want %q", order, got, answer)
	}
}

// kill makes the agent die with what it holds, and waits until it is gone.
func (p *proc) kill() {
	p.send("die")
	p.end()
}

// patch changes bytes of a file.
func patch(t testing.TB, path string, off int64, b []byte) {
	t.Helper()
	f := must(os.OpenFile(path, os.O_RDWR, 0))(t)
	defer f.Close()
	if _, err := f.WriteAt(b, off); err != nil {
		t.Fatal(err)
	}
}

func le64(v uint64) []byte { return binary.LittleEndian.AppendUint64(nil, v) }
func le32(v uint32) []byte { return binary.LittleEndian.AppendUint32(nil, v) }

func pathOf(dir, name string) string { return filepath.Join(dir, name) }
