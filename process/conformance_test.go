//go:build unix

package process_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/shmkit/shmkit/process"
)

// rows are those of Python's test suite for Process.
func rows() []row {
	return []row{
		{"P01_current", testCurrent},
		{"P03_args", testArgs3},
		{"P04_daemon", testDaemon},
		{"P05_parent_attributes", testParentAttributes},
		{"P06_parent_process", testParentDeath},
		{"P07_process", testProcess},
		{"P09_interrupt", testInterrupt},
		{"P10_interrupt_no_handler", testInterruptDefault},
		{"P11_terminate", testTerminate},
		{"P12_kill", testKill},
		{"P13_cpu_count", testNumCPU},
		{"P14_active_children", testActiveChildren},
		{"P15_recursion", testRecursion},
		{"P16_sentinel", testSentinel},
		{"P17_close", testClose},
		{"P18_many_processes", testManyProcesses},
		{"P20_child_fd_inflation", testDescriptorInflation},
		{"P21_goroutines", testGoroutines},
		{"P22_closed_stdio", testClosedStdio},
		{"P23_child_breaks_stdio", testBreakStdio},
		{"P24_supervisor_interrupted", testSupervisorInterrupted},
		{"P25_supervisor_killed", testSupervisorKilled},
		{"P28_rpc_loop", testRPCLoop},
		{"P29_stderr_flush", testStderrFlush},
		{"P30_exit_codes", testExitCodes},
		{"P31_deferred", testDeferred},
		{"P33_start_method", testStartMethod},
		{"P35_nested_start", testNestedStart},
		{"P36_flags", testFlags},
		{"P37_no_fork_bomb", testNoForkBomb},
		{"P39_closefd", testCloseFD},
		{"P40_bad_stdin", testBadStdin},
		{"P40_queue_in_process", testQueueInProcess},
		{"P40_pool_in_process", testPoolInProcess},
		{"P41_wait_eintr", testWaitSignals},
		{"P43_log_level", testLogLevel},
	}
}

func testCurrent(t *testing.T) {
	c := process.Current()
	wantMain := process.Info{PID: os.Getpid(), Name: "main"}
	if process.Parent() != nil { // the rows run in a child
		wantMain = process.Info{PID: os.Getpid(), Name: suiteName, Func: "suite", Depth: 1}
	}
	if c != wantMain {
		t.Errorf("this process: %+v, want %+v", c, wantMain)
	}
	p, got := askTell(t, testArgs{}, &process.Options{Daemon: true})
	want := process.Info{PID: p.PID(), Name: p.Name(), Func: "tell", Daemon: true, Depth: c.Depth + 1}
	if got.Current != want {
		t.Errorf("child: %+v, want %+v", got.Current, want)
	}
}

func testArgs3(t *testing.T) {
	want := testArgs{Text: "hello", N: 42, List: []string{"world"}}
	if _, got := askTell(t, want, nil); !reflect.DeepEqual(got.Args, want) {
		t.Errorf("arguments %+v, want %+v", got.Args, want)
	}
}

func testDaemon(t *testing.T) {
	for _, o := range []process.Options{{}, {Daemon: true}, {Orphan: true}} {
		p, got := askTell(t, testArgs{}, &o)
		if p.Daemon() != o.Daemon || got.Current.Daemon != o.Daemon || p.Orphan() != o.Orphan || got.Current.Orphan != o.Orphan {
			t.Errorf("%+v: %v %v, in the child %+v", o, p.Daemon(), p.Orphan(), got.Current)
		}
	}
	TestDaemonIsInherited(t)
}

func testParentAttributes(t *testing.T) {
	me := process.Current()
	if p := process.Parent(); (p == nil) != (me.Depth == 0) || p != nil && (p.PID() != os.Getppid() || p.Name() != "main") {
		t.Errorf("%+v has the parent %+v", me, p)
	}
	_, got := askTell(t, testArgs{}, nil)
	if got.ParentPID != os.Getpid() || got.ParentName != me.Name || !got.Alive {
		t.Errorf("child's parent: %d %q alive %v", got.ParentPID, got.ParentName, got.Alive)
	}
}

func testParentDeath(t *testing.T) {
	p, out := lines(t, middle, middleArgs{Grace: time.Hour}, &process.Options{Name: "parent"})
	var seen string
	for range 2 {
		out.Scan()
		seen += out.Text() + "\n"
	}
	if !strings.Contains(seen, "parent true ") {
		t.Fatalf("grandchild saw %q", seen)
	}
	p.Kill()
	expectLine(t, out, "alive false")
}

func testProcess(t *testing.T) {
	in, hold := pipe(t)
	p, out := lines(t, upper, struct{}{}, &process.Options{Name: "worker 7", Stdin: in})
	in.Close()
	code, ended := p.ExitCode()
	if !p.Alive() || code != 0 || ended || p.Name() != "worker 7" || p.PID() <= 0 {
		t.Errorf("%v: alive %v, exit code %d %v", p, p.Alive(), code, ended)
	}
	all := process.Children()
	if !slices.Contains(all, p) {
		t.Errorf("children %v", all)
	}
	clear(all) // it is ours
	if all := process.Children(); !slices.Contains(all, p) {
		t.Errorf("children %v", all)
	}
	hold.WriteString("done\n")
	expectLine(t, out, "DONE")
	hold.Close()
	if err := wait(t, p); err != nil {
		t.Fatal(err)
	}
	code, ended = p.ExitCode()
	if p.Alive() || code != 0 || !ended || slices.Contains(process.Children(), p) {
		t.Errorf("%v: alive %v, exit code %d %v, children %v", p, p.Alive(), code, ended, process.Children())
	}
	if p, got := askTell(t, testArgs{}, &process.Options{Name: "n"}); got.Current.PID != p.PID() || got.Current.Name != "n" {
		t.Errorf("child saw %+v", got.Current)
	}
}

func testInterrupt(t *testing.T) {
	p, out := lines(t, polite, "error", &process.Options{Grace: time.Hour})
	expectLine(t, out, "running")
	p.Signal(os.Interrupt)
	expectLine(t, out, process.ErrInterrupted.Error())
	expectCode(t, p, -2)
}

var unhandled = process.Register("unhandled", func(context.Context, struct{}) error {
	signal.Reset(os.Interrupt)
	fmt.Println("running")
	select {}
})

func testInterruptDefault(t *testing.T) {
	p, out := lines(t, unhandled, struct{}{}, nil)
	expectLine(t, out, "running")
	p.Signal(os.Interrupt)
	expectCode(t, p, -2)
}

// testEnd is the body of P11 and P12.
func testEnd(t *testing.T, end func(*process.Process) error, want int) {
	p, out := lines(t, deaf, struct{}{}, hurry)
	expectLine(t, out, "running")
	done, cancel := context.WithCancel(context.Background())
	cancel()
	past, cancel := context.WithTimeout(context.Background(), -1)
	defer cancel()
	if err := p.Wait(done); !errors.Is(err, context.Canceled) || !p.Alive() {
		t.Errorf("Wait: %v", err)
	}
	if err := p.Wait(past); !errors.Is(err, context.DeadlineExceeded) || !p.Alive() {
		t.Errorf("Wait: %v", err)
	}
	if err := end(p); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		e := exitError(t, wait(t, p))
		if e.Code != want || e.Signal != syscall.Signal(-want) {
			t.Errorf("ended with %+v", e)
		}
	}
	if code, ok := p.ExitCode(); code != want || !ok || p.Alive() || slices.Contains(process.Children(), p) {
		t.Errorf("exit code %d %v, alive %v, children %v", code, ok, p.Alive(), process.Children())
	}
}

func testTerminate(t *testing.T) { testEnd(t, (*process.Process).Terminate, -15) }
func testKill(t *testing.T)      { testEnd(t, (*process.Process).Kill, -9) }

func testActiveChildren(t *testing.T) {
	if all := process.Children(); len(all) != 0 {
		t.Fatalf("children %v", all)
	}
	p, out := lines(t, deaf, struct{}{}, nil)
	expectLine(t, out, "running")
	if all := process.Children(); len(all) != 1 || all[0] != p {
		t.Errorf("children %v", all)
	}
	p.Kill()
	wait(t, p)
	if all := process.Children(); len(all) != 0 {
		t.Errorf("children %v", all)
	}
}

// recursion is a process that starts processes like itself, one after another.
var recursion *process.Func[[]int]

func registerRecursive() {
	recursion = process.Register("recursion", func(ctx context.Context, id []int) error {
		fmt.Println(id)
		for i := range 2 {
			if len(id) == 2 {
				break
			}
			p, err := recursion.Start(ctx, append(slices.Clone(id), i), nil)
			if err != nil {
				return err
			}
			if err := p.Wait(ctx); err != nil {
				return err
			}
		}
		return nil
	})
	// deeper nests until it is refused, and tells at which depth that was.
	deeper = process.Register("deeper", func(ctx context.Context, _ struct{}) error {
		p, err := deeper.Start(ctx, struct{}{}, nil)
		if errors.Is(err, process.ErrDepth) {
			return fmt.Errorf("depth %d: %w", process.Current().Depth, err)
		}
		if err != nil {
			return err
		}
		var e *process.ExitError
		if errors.As(p.Wait(ctx), &e) {
			return errors.New(e.Err)
		}
		return errors.New("no limit")
	})
}

var deeper *process.Func[struct{}]

func testRecursion(t *testing.T) {
	p, out := lines(t, recursion, []int{}, nil)
	for _, want := range []string{
		"[]", "[0]", "[0 0]", "[0 1]", "[1]", "[1 0]", "[1 1]",
	} {
		expectLine(t, out, want)
	}
	expectCode(t, p, 0)

	e := exitError(t, wait(t, mustStart(t, deeper, struct{}{}, &process.Options{MaxDepth: 3, Stderr: io.Discard})))
	if want := "depth 3"; !strings.Contains(e.Err, want) || !strings.Contains(e.Err, process.ErrDepth.Error()) {
		t.Errorf("beyond the limit: %v", e)
	}
}

func testSentinel(t *testing.T) {
	p, out := lines(t, deaf, struct{}{}, nil)
	expectLine(t, out, "running")
	select {
	case <-p.Done():
		t.Error("done while alive")
	default:
	}
	p.Kill()
	select {
	case <-p.Done():
	case <-time.After(time.Minute):
		t.Error("not done")
	}
}

func testClose(t *testing.T) {
	p, out := lines(t, deaf, struct{}{}, nil)
	expectLine(t, out, "running")
	if err := p.Close(); !errors.Is(err, process.ErrAlive) {
		t.Errorf("Close while alive: %v", err)
	}
	p.Kill()
	wait(t, p)
	for range 2 {
		if err := p.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	}
	for name, err := range map[string]error{
		"Wait": p.Wait(context.Background()), "Signal": p.Signal(syscall.SIGTERM), "Terminate": p.Terminate(), "Kill": p.Kill(),
	} {
		if !errors.Is(err, process.ErrClosed) || !errors.Is(err, os.ErrClosed) {
			t.Errorf("%s after Close: %v", name, err)
		}
	}
}

func testManyProcesses(t *testing.T) {
	const n = 100
	start := func(f func() (*process.Process, error)) []*process.Process {
		t.Helper()
		type result struct {
			p   *process.Process
			err error
		}
		results := make(chan result)
		for range n {
			go func() {
				p, err := f()
				results <- result{p, err}
			}()
		}
		var all []*process.Process
		for range n {
			r := <-results
			if r.err != nil {
				t.Error(r.err)
				continue
			}
			all = append(all, r.p)
		}
		return all
	}
	ctx := context.Background()
	for _, p := range start(func() (*process.Process, error) { return idle.Start(ctx, struct{}{}, nil) }) {
		expectCode(t, p, 0)
	}
	null := devNull(t)
	sleepers := start(func() (*process.Process, error) {
		return polite.Start(ctx, "error", &process.Options{Grace: time.Hour, Stdout: null})
	})
	if all := process.Children(); len(all) != n {
		t.Errorf("%d children", len(all))
	}
	for _, p := range sleepers {
		p.Terminate()
	}
	for _, p := range sleepers {
		expectCode(t, p, -15)
	}
}
