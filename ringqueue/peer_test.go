//go:build unix

package ringqueue_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/shmkit/shmkit/ringqueue"
)

// A peer does what it is told to a queue of ints: in a goroutine with a handle
// of its own, in a child that got the queue's handle, or in an unrelated process
// that opened it by name. One script runs over all three.
type peer struct {
	t     testing.TB
	in    io.Writer
	out   *bufio.Reader
	child *child // nil for a goroutine
}

// tell sends a command without waiting for the answer.
func (p *peer) tell(format string, args ...any) {
	p.t.Helper()
	if _, err := fmt.Fprintf(p.in, format+"\n", args...); err != nil {
		p.t.Fatal(err)
	}
}

// answer returns the answer to the oldest open command.
func (p *peer) answer() string {
	p.t.Helper()
	line, err := p.out.ReadString('\n')
	if err != nil {
		p.t.Fatalf("peer: %v", err)
	}
	return strings.TrimSuffix(line, "\n")
}

// do sends a command and returns the answer: "ok", "ok VALUE" or an error's
// name.
func (p *peer) do(format string, args ...any) string {
	p.t.Helper()
	p.tell(format, args...)
	return p.answer()
}

func (p *peer) want(answer, format string, args ...any) {
	p.t.Helper()
	if got := p.do(format, args...); got != answer {
		p.t.Fatalf("%s: got %q, want %q", fmt.Sprintf(format, args...), got, answer)
	}
}

// mode is a way to run a peer.
type mode struct {
	name  string
	start func(t testing.TB, q *ringqueue.Queue[int], dir string) *peer
}

var modes = []mode{
	{"goroutines", goroutinePeer},
	{"children", func(t testing.TB, q *ringqueue.Queue[int], _ string) *peer {
		return processPeer(t, startChild(t, "peer", "handle", q.Handle()))
	}},
	{"unrelated", func(t testing.TB, q *ringqueue.Queue[int], dir string) *peer {
		cmd := exec.Command(os.Args[0], "name", q.Name(), dir)
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		return processPeer(t, startCommand(t, cmd, "peer"))
	}},
}

func processPeer(t testing.TB, c *child) *peer {
	t.Helper()
	p := &peer{t: t, in: c.in, out: c.out, child: c}
	if got := p.answer(); got != "ok" {
		t.Fatalf("peer: %s", got)
	}
	return p
}

func goroutinePeer(t testing.TB, q *ringqueue.Queue[int], _ string) *peer {
	t.Helper()
	own, err := ringqueue.Attach[int](q.Handle(), nil)
	if err != nil {
		t.Fatal(err)
	}
	inR, inW := io.Pipe()
	outR, outW := io.Pipe()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		servePeer(own, inR, outW)
	}()
	t.Cleanup(func() {
		own.Close() // a blocked operation returns
		inW.Close()
		outR.Close()
		<-ended
	})
	return &peer{t: t, in: inW, out: bufio.NewReader(outR)}
}

// childPeer is the process side: "handle H" or "name N DIR".
func childPeer(args []string) {
	var q *ringqueue.Queue[int]
	var err error
	if args[0] == "handle" {
		q, err = ringqueue.Attach[int](args[1], nil)
	} else {
		q, err = ringqueue.Open[int](args[1], &ringqueue.Options{Dir: args[2]})
	}
	must(err)
	fmt.Println("ok")
	servePeer(q, os.Stdin, os.Stdout)
	must(q.Close())
}

// servePeer carries out commands until the input ends.
func servePeer(q *ringqueue.Queue[int], in io.Reader, out io.Writer) {
	var d ringqueue.Delivery[int]
	ctxFor := func(ms string) (context.Context, context.CancelFunc) {
		if ms == "" {
			return context.WithCancel(context.Background())
		}
		n, err := strconv.Atoi(ms)
		must(err)
		return context.WithTimeout(context.Background(), time.Duration(n)*time.Millisecond)
	}
	s := bufio.NewScanner(in)
	for s.Scan() {
		f := append(strings.Fields(s.Text()), "", "", "")
		n, _ := strconv.Atoi(f[1])
		var err error
		value := ""
		switch f[0] {
		case "put": // put V [MS]
			ctx, cancel := ctxFor(f[2])
			err = q.Put(ctx, n)
			cancel()
		case "tryput":
			err = q.TryPut(n)
		case "get": // get [MS]
			ctx, cancel := ctxFor(f[1])
			var v int
			v, err = q.Get(ctx)
			value = strconv.Itoa(v)
			cancel()
		case "tryget":
			var v int
			v, err = q.TryGet()
			value = strconv.Itoa(v)
		case "receive":
			d, err = q.Receive(context.Background())
			value = fmt.Sprint(d.Value(), " ", d.Attempt())
		case "ack":
			err = d.Ack()
		case "nack":
			err = d.Nack()
		case "len":
			value = strconv.Itoa(q.Len())
		case "empty":
			value = strconv.FormatBool(q.Empty())
		case "full":
			value = strconv.FormatBool(q.Full())
		case "taskdone":
			err = q.TaskDone()
		case "join": // join [MS]
			ctx, cancel := ctxFor(f[1])
			err = q.Join(ctx)
			cancel()
		case "shutdown":
			err = q.Shutdown(f[1] == "now")
		case "work": // get, TaskDone, until a negative item; answers the count
			done := 0
			for {
				var v int
				if v, err = q.Get(context.Background()); err != nil || v < 0 {
					break
				}
				done++
				if err = q.TaskDone(); err != nil {
					break
				}
			}
			if err == nil {
				err = q.TaskDone()
			}
			value = strconv.Itoa(done)
		case "putempty": // put what Empty says, twice
			for range 2 {
				v := 0
				if q.Empty() {
					v = 1
				}
				if err = q.Put(context.Background(), v); err != nil {
					break
				}
			}
		default:
			err = fmt.Errorf("unknown command %q", f[0])
		}
		if err != nil {
			fmt.Fprintln(out, errorName(err))
		} else {
			fmt.Fprintln(out, strings.TrimSpace("ok "+value))
		}
	}
}

func errorName(err error) string {
	name := err.Error()
	if strings.Contains(name, "not done") {
		name = "not done"
	}
	for _, e := range []struct {
		err  error
		name string
	}{
		{ringqueue.ErrEmpty, "empty"}, {ringqueue.ErrFull, "full"}, {ringqueue.ErrShutdown, "shutdown"},
		{ringqueue.ErrClosed, "closed"}, {ringqueue.ErrTaskDone, "too often"}, {ringqueue.ErrRoleTaken, "role taken"},
	} {
		if errors.Is(err, e.err) {
			name = e.name
		}
	}
	if errors.Is(err, context.DeadlineExceeded) {
		name += " timeout"
	}
	return name
}
