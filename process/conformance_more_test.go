//go:build unix

package process_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/shmkit/shmkit/pool"
	"github.com/shmkit/shmkit/process"
	"github.com/shmkit/shmkit/ringqueue"
	"github.com/shmkit/shmkit/shmtest"
)

func testNumCPU(t *testing.T) {
	if n := process.NumCPU(); n < 1 || n > runtime.NumCPU() {
		t.Errorf("%d processors of %d", n, runtime.NumCPU())
	}
}

// supervisor starts an orphan, tells that, and waits for ever.
var supervisor = process.Register("supervisor", func(ctx context.Context, _ struct{}) error {
	// A group of its own: the signal is for the supervisor.
	p, err := upper.Start(ctx, struct{}{}, &process.Options{Orphan: true, OwnGroup: true, Stdin: os.Stdin})
	if err != nil {
		return err
	}
	fmt.Println("started", p.Alive())
	<-ctx.Done()
	return ctx.Err()
})

// testSupervisor ends a process that has children: one that may do so goes on
// to its own end, and a new supervisor works as the first.
func testSupervisor(t *testing.T, sig syscall.Signal) {
	for range 2 {
		in, hold := pipe(t)
		p, out := lines(t, supervisor, struct{}{}, &process.Options{Stdin: in})
		in.Close()
		expectLine(t, out, "started true")
		p.Signal(sig)
		expectCode(t, p, -int(sig))
		hold.WriteString("still here\n")
		expectLine(t, out, "STILL HERE")
		hold.Close()
		if out.Scan() { // its output ends with it
			t.Errorf("read %q", out.Text())
		}
	}
}

func testSupervisorInterrupted(t *testing.T) { testSupervisor(t, syscall.SIGINT) }
func testSupervisorKilled(t *testing.T)      { testSupervisor(t, syscall.SIGKILL) }

// calls is both directions of a conversation.
type calls struct{ Requests, Answers *ringqueue.Queue[string] }

func newCalls(t *testing.T) calls {
	t.Helper()
	o := &ringqueue.Options{Dir: shmtest.Dir(t), Capacity: 4096}
	requests, err := ringqueue.New[string](o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { requests.Close() })
	answers, err := ringqueue.New[string](o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { answers.Close() })
	return calls{requests, answers}
}

// server answers requests until there is an empty one.
var server = process.Register("server", func(ctx context.Context, c calls) error {
	for {
		s, err := c.Requests.Get(ctx)
		if err != nil || s == "" {
			return err
		}
		if err := c.Answers.Put(ctx, strings.ToUpper(s)); err != nil {
			return err
		}
	}
})

func testRPCLoop(t *testing.T) {
	c := newCalls(t)
	p := mustStart(t, server, c, nil)
	ctx := t.Context()
	for _, s := range []string{"hello", "world"} {
		if err := c.Requests.Put(ctx, s); err != nil {
			t.Fatal(err)
		}
		if got, err := c.Answers.Get(ctx); err != nil || got != strings.ToUpper(s) {
			t.Errorf("answer %q, %v", got, err)
		}
	}
	if err := c.Requests.Put(ctx, ""); err != nil {
		t.Fatal(err)
	}
	expectCode(t, p, 0)
}

// There is one way to start a process: the program that runs, anew, however deep.
func testStartMethod(t *testing.T) {
	me, err := os.Stat(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	_, out := lines(t, sameProgram, 2, nil)
	for range 2 {
		expectLine(t, out, fmt.Sprint(me.Size(), me.ModTime().UnixNano()))
	}
}

var sameProgram *process.Func[int]

func registerSameProgram() {
	sameProgram = process.Register("same program", func(ctx context.Context, depth int) error {
		exe, err := os.Executable()
		if err != nil {
			return err
		}
		info, err := os.Stat(exe)
		if err != nil {
			return err
		}
		fmt.Println(info.Size(), info.ModTime().UnixNano())
		if depth == 1 {
			return nil
		}
		p, err := sameProgram.Start(ctx, depth-1, nil)
		if err != nil {
			return err
		}
		return p.Wait(ctx)
	})
}

// outer passes the queue on that it was given.
var outer = process.Register("outer", func(ctx context.Context, q *ringqueue.Queue[string]) error {
	p, err := inner.Start(ctx, q, nil)
	if err != nil {
		return err
	}
	return errors.Join(q.Put(ctx, "outer"), p.Wait(ctx))
})

var inner = process.Register("inner", func(ctx context.Context, q *ringqueue.Queue[string]) error {
	return q.Put(ctx, "inner")
})

func testNestedStart(t *testing.T) {
	q := newCalls(t).Requests
	p := mustStart(t, outer, q, nil)
	var got []string
	for range 2 {
		s, err := q.Get(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, s)
	}
	slices.Sort(got)
	if !slices.Equal(got, []string{"inner", "outer"}) {
		t.Errorf("got %q", got)
	}
	expectCode(t, p, 0)
}

// queueUser makes a queue of its own, without standard input.
var queueUser = process.Register("queue user", func(ctx context.Context, dir string) error {
	syscall.Close(0)
	q, err := ringqueue.New[int](&ringqueue.Options{Dir: dir, Capacity: 4096})
	if err != nil {
		return err
	}
	defer q.Close()
	if err := q.Put(ctx, 7); err != nil {
		return err
	}
	if v, err := q.Get(ctx); v != 7 {
		return fmt.Errorf("got %d, %w", v, err)
	}
	return nil
})

var square = pool.Register("square", func(_ context.Context, x int) (int, error) { return x * x, nil })

var poolUser = process.Register("pool user", func(ctx context.Context, dir string) error {
	syscall.Close(0)
	p, err := pool.New(&pool.Options{Dir: dir, Workers: 2})
	if err != nil {
		return err
	}
	got, err := square.Map(ctx, p, []int{1, 2, 3})
	if err == nil && !slices.Equal(got, []int{1, 4, 9}) {
		err = fmt.Errorf("squares %d", got)
	}
	p.Close()
	return errors.Join(err, p.Join(ctx))
})

func testQueueInProcess(t *testing.T) {
	expectCode(t, mustStart(t, queueUser, shmtest.Dir(t), nil), 0)
}

func testPoolInProcess(t *testing.T) {
	expectCode(t, mustStart(t, poolUser, shmtest.Dir(t), nil), 0)
}

var logger = process.Register("logger", func(ctx context.Context, _ struct{}) error {
	for _, l := range []slog.Level{slog.LevelDebug, slog.LevelInfo, slog.LevelWarn, slog.LevelError} {
		if slog.Default().Enabled(ctx, l) {
			fmt.Println(l)
		}
	}
	return nil
})

func testLogLevel(t *testing.T) {
	ask := func() string {
		var out bytes.Buffer
		expectCode(t, mustStart(t, logger, struct{}{}, &process.Options{Stdout: &out}), 0)
		return strings.ReplaceAll(out.String(), "\n", " ")
	}
	now := slog.SetLogLoggerLevel(slog.LevelInfo)
	defer slog.SetLogLoggerLevel(now)
	for level, want := range map[slog.Level]string{
		slog.LevelDebug: "DEBUG INFO WARN ERROR ", slog.LevelInfo: "INFO WARN ERROR ", slog.LevelWarn: "WARN ERROR ",
		slog.LevelError: "ERROR ", slog.LevelError + 4: "",
	} {
		slog.SetLogLoggerLevel(level)
		if got := ask(); got != want {
			t.Errorf("level %v: the child's has %q, want %q", level, got, want)
		}
	}
	slog.SetLogLoggerLevel(now)
	defer slog.SetDefault(slog.Default())
	slog.SetDefault(slog.New(slog.NewTextHandler(io.Discard, &slog.HandlerOptions{Level: slog.LevelWarn})))
	if got := ask(); got != "WARN ERROR " {
		t.Errorf("with a handler of its own: the child's has %q", got)
	}
}

// An orphan goes on when its parent has died, is told so, and may have had a
// daemon for a parent. That it has no time limit is seen by its long life
// after a short Grace.
func TestOrphan(t *testing.T) {
	p, out := lines(t, orphanParent, struct{}{}, &process.Options{Daemon: true})
	expectLine(t, out, "orphan true, daemon false")
	p.Kill()
	expectCode(t, p, -9)
	expectLine(t, out, "alive false, cancelled <nil>")
	if out.Scan() {
		t.Errorf("read %q", out.Text())
	}
}

var orphanParent = process.Register("orphan parent", func(ctx context.Context, _ struct{}) error {
	_, err := orphan.Start(ctx, struct{}{}, &process.Options{Orphan: true, Grace: time.Millisecond, Stderr: os.Stdout})
	if err != nil {
		return err
	}
	select {}
})

var orphan = process.Register("orphan", func(ctx context.Context, _ struct{}) error {
	parent := process.Parent()
	done, cancel := context.WithCancel(ctx)
	cancel()
	if err := parent.Wait(done); !errors.Is(err, context.Canceled) {
		return fmt.Errorf("waiting with a context that is done: %w", err)
	}
	c := process.Current()
	fmt.Printf("orphan %v, daemon %v\n", c.Orphan, c.Daemon)
	if err := parent.Wait(context.Background()); err != nil {
		return err
	}
	select {
	case <-ctx.Done():
	case <-time.After(50 * time.Millisecond): // many a Grace
	}
	fmt.Printf("alive %v, cancelled %v\n", parent.Alive(), ctx.Err())
	for range 20 { // that it has died is what counts, and an error would be a line of output
		if err := parent.Wait(done); err != nil {
			return err
		}
	}
	return nil
})
