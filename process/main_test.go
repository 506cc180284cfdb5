//go:build unix

package process_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/shmkit/shmkit/process"
	"github.com/shmkit/shmkit/shmtest"
)

// modeEnv makes this program another one before it calls Main.
const modeEnv = "PROCESS_TEST_MODE"

func TestMain(m *testing.M) {
	registerRecursive()
	registerSameProgram()
	switch os.Getenv(modeEnv) {
	case "no main": // a program that does not know about Main
		countRun()
		_, err := idle.Start(context.Background(), struct{}{}, nil)
		fmt.Println(err)
		os.Exit(0)
	case "no main in child":
		countRun()
		idle.Start(context.Background(), struct{}{}, nil)
		os.Exit(0)
	case "exit":
		os.Exit(0)
	case "exit loudly":
		fmt.Fprintln(os.Stderr, "nothing to do here")
		os.Exit(5)
	case "panic":
		panic("before Main")
	case "hang":
		<-time.After(time.Hour)
	case "other functions":
		process.Register("one more", func(context.Context, int) error { return nil })
	}
	tests = m
	os.Exit(shmtest.Run(m.Run))
}

// countRun appends a byte to a file: one for each run of the program.
func countRun() {
	f, err := os.OpenFile(os.Getenv("PROCESS_TEST_COUNT"), os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		panic(err)
	}
	f.WriteString("x")
	f.Close()
}

type testArgs struct {
	Text string
	N    int
	List []string
	Map  map[string]float64
	When time.Time
	Next *testArgs
}

// about is what a child tells of itself on standard output.
type about struct {
	Args       testArgs
	Current    process.Info
	ParentPID  int
	ParentName string
	Alive      bool // the parent
	OSArgs     []string
	Procs      int
	Env        []string
	Dir        string
	Command    string
	Children   int
	Pgid       int
}

var (
	tell = process.Register("tell", func(_ context.Context, a testArgs) error {
		parent := process.Parent()
		dir, _ := os.Getwd()
		comm, _ := os.ReadFile("/proc/self/comm")
		return json.NewEncoder(os.Stdout).Encode(about{
			Args: a, Current: process.Current(),
			ParentPID: parent.PID(), ParentName: parent.Name(), Alive: parent.Alive(),
			OSArgs: os.Args, Procs: runtime.GOMAXPROCS(0), Env: os.Environ(), Dir: dir,
			Command: strings.TrimSpace(string(comm)), Children: len(process.Children()), Pgid: syscall.Getpgrp(),
		})
	})
	idle   = process.Register("idle", func(context.Context, struct{}) error { return nil })
	length = process.Register("length", func(_ context.Context, b []byte) error {
		for i, c := range b {
			if c != byte(i*7) {
				return fmt.Errorf("byte %d is %d", i, c)
			}
		}
		fmt.Println(len(b))
		return nil
	})
	// deaf ignores its context. It says so once it runs.
	deaf = process.Register("deaf", func(context.Context, struct{}) error {
		fmt.Println("running")
		select {}
	})
	polite = process.Register("polite", func(ctx context.Context, say string) error {
		fmt.Println("running")
		<-ctx.Done()
		fmt.Println(context.Cause(ctx))
		switch say {
		case "error":
			return ctx.Err()
		case "cause":
			return fmt.Errorf("stopped: %w", context.Cause(ctx))
		case "other":
			return errors.New("could not clean up")
		}
		return nil
	})
	exit = process.Register("exit", func(_ context.Context, code int) error {
		os.Exit(code)
		return nil
	})
	fail = process.Register("fail", func(_ context.Context, text string) error {
		defer fmt.Println("deferred")
		if text == "" {
			return nil
		}
		return errors.New(text)
	})
	crash = process.Register("crash", func(_ context.Context, how string) error {
		fmt.Fprintln(os.Stderr, "last words")
		switch how {
		case "panic":
			panic("at the disco")
		case "nil":
			var none testArgs
			none.Map["x"] = 1
		case "fatal":
			new(sync.Mutex).Unlock()
		case "other goroutine":
			go func() { panic("elsewhere") }()
			select {}
		case "goexit":
			runtime.Goexit()
		case "panic in goexit":
			defer func() { panic("on the way out") }()
			runtime.Goexit()
		case "abort":
			syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
		return nil
	})
	write = process.Register("write", func(_ context.Context, s string) error {
		fmt.Fprint(os.Stdout, s)
		_, err := fmt.Fprint(os.Stderr, s)
		return err
	})
	upper = process.Register("upper", func(context.Context, struct{}) error {
		in := bufio.NewScanner(os.Stdin)
		for in.Scan() {
			fmt.Println(strings.ToUpper(in.Text()))
		}
		return in.Err()
	})
	env = process.Register("env", func(_ context.Context, name string) error {
		out, err := exec.Command("env").Output() // what programs see that a child starts
		if err != nil {
			return err
		}
		for line := range strings.Lines(string(out)) {
			if strings.HasPrefix(line, name+"=") {
				return fmt.Errorf("found %s", line)
			}
		}
		return nil
	})
	breakStdio = process.Register("break stdio", func(context.Context, struct{}) error {
		for fd := range 3 {
			syscall.Close(fd)
		}
		return nil
	})
	unencodable = process.Register("unencodable", func(context.Context, struct{ C chan int }) error { return nil })
	picky       = process.Register("picky", func(context.Context, badMarshaler) error { return nil })
	undecodable = process.Register("undecodable", func(context.Context, badUnmarshaler) error { return nil })
	ignoring    = process.Register("ignoring", func(ctx context.Context, _ struct{}) error {
		signal.Ignore(syscall.SIGTERM)
		p, err := deaf.Start(ctx, struct{}{}, &process.Options{Stdout: io.Discard, Grace: time.Millisecond, KillGrace: time.Hour})
		if err != nil {
			return err
		}
		p.Terminate()
		<-p.Done()
		if code, _ := p.ExitCode(); code != -15 {
			return fmt.Errorf("child ended with %d", code)
		}
		return nil
	})
)

type badMarshaler struct{}

func (badMarshaler) MarshalBinary() ([]byte, error)  { return nil, errors.New("will not travel") }
func (*badMarshaler) UnmarshalBinary(b []byte) error { return nil }

type badUnmarshaler struct{}

func (badUnmarshaler) MarshalBinary() ([]byte, error)  { return []byte("x"), nil }
func (*badUnmarshaler) UnmarshalBinary(b []byte) error { return errors.New("did not survive the trip") }

// mustStart starts a child that the test's end kills if it lives.
func mustStart[A any](t testing.TB, f *process.Func[A], args A, opts *process.Options) *process.Process {
	t.Helper()
	p, err := f.Start(context.Background(), args, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.Kill()
		<-p.Done()
		p.Close()
	})
	return p
}

// lines starts a child with its standard output as lines.
func lines[A any](t testing.TB, f *process.Func[A], args A, opts *process.Options) (*process.Process, *bufio.Scanner) {
	t.Helper()
	r, w := pipe(t)
	o := process.Options{}
	if opts != nil {
		o = *opts
	}
	o.Stdout = w
	p := mustStart(t, f, args, &o)
	w.Close()
	return p, bufio.NewScanner(r)
}

func expectLine(t testing.TB, in *bufio.Scanner, want string) {
	t.Helper()
	if !in.Scan() || in.Text() != want {
		t.Fatalf("child printed %q (%v), want %q", in.Text(), in.Err(), want)
	}
}

// wait waits for the end of p, which must come.
func wait(t testing.TB, p *process.Process) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	err := p.Wait(ctx)
	if p.Alive() {
		t.Fatalf("%v is alive: %v", p, err)
	}
	return err
}

func exitError(t testing.TB, err error) *process.ExitError {
	t.Helper()
	var e *process.ExitError
	if !errors.As(err, &e) {
		t.Fatalf("error %v (%T), want an ExitError", err, err)
	}
	return e
}

func expectCode(t testing.TB, p *process.Process, want int) {
	t.Helper()
	wait(t, p)
	if code, ok := p.ExitCode(); !ok || code != want {
		t.Fatalf("exit code %d, %v; want %d; %v", code, ok, want, p.Wait(context.Background()))
	}
}

// withEnv is the environment with a setting more.
func withEnv(setting ...string) []string { return slices.Concat(os.Environ(), setting) }

// askTell runs tell and returns what it said.
func askTell(t testing.TB, a testArgs, opts *process.Options) (*process.Process, about) {
	t.Helper()
	var out bytes.Buffer
	o := process.Options{}
	if opts != nil {
		o = *opts
	}
	o.Stdout = &out
	p := mustStart(t, tell, a, &o)
	if err := wait(t, p); err != nil {
		t.Fatal(err)
	}
	var got about
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatalf("%v in %q", err, out.String())
	}
	return p, got
}

// hurry is for what doesn't heed its context, but SIGTERM.
var hurry = &process.Options{Grace: time.Millisecond, KillGrace: time.Hour}

// quiet keeps what children print to standard error out of the test's.
var quiet = &process.Options{Stderr: io.Discard}

// extra writes to the descriptor, and fails if a program that it starts has it too.
var extra = process.Register("extra", func(_ context.Context, fd int) error {
	f := os.NewFile(uintptr(fd), "extra")
	if _, err := f.WriteString("from the child"); err != nil {
		return err
	}
	if exec.Command("sh", "-c", fmt.Sprintf("echo x >&%d", fd)).Run() == nil {
		return errors.New("passed on")
	}
	return f.Close()
})

// complain writes s to standard error and fails without another word.
var complain = process.Register("complain", func(_ context.Context, s string) error {
	os.Stderr.WriteString(s)
	os.Exit(1)
	return nil
})

// leaveBehind starts a program that ends with its standard input, and does
// not wait for it.
var leaveBehind = process.Register("leave behind", func(context.Context, struct{}) error {
	cat := exec.Command("cat")
	cat.Stdin, cat.Stdout = os.Stdin, os.Stdout
	if err := cat.Start(); err != nil {
		return err
	}
	_, err := fmt.Println(strings.Repeat("x", 50_000) + "bye")
	return err
})

func pipe(t testing.TB) (r, w *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close(); w.Close() })
	return r, w
}

func devNull(t testing.TB) *os.File {
	t.Helper()
	f, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// stubborn does nothing about its context or SIGTERM.
var stubborn = process.Register("stubborn", func(context.Context, struct{}) error {
	terms := make(chan os.Signal, 1)
	signal.Notify(terms, syscall.SIGTERM)
	fmt.Println("running")
	<-terms
	fmt.Println("terminated")
	select {}
})

// deafOnce notices its context and does nothing about it.
var deafOnce = process.Register("deaf once", func(ctx context.Context, _ struct{}) error {
	fmt.Println("running")
	<-ctx.Done()
	fmt.Println("once")
	select {}
})

// startSleep starts a program that would run for ever.
var startSleep = process.Register("start sleep", func(context.Context, struct{}) error {
	cmd := exec.Command("sleep", "1000000")
	cmd.Stdout = os.Stdout
	if err := cmd.Start(); err != nil {
		return err
	}
	fmt.Println("running")
	return cmd.Wait()
})

// highDescriptor opens a file as a descriptor that no child has by chance.
func highDescriptor(t testing.TB) int {
	t.Helper()
	fd, err := unix.FcntlInt(devNull(t).Fd(), unix.F_DUPFD_CLOEXEC, 200)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	return fd
}

// nohup ignores SIGINT and starts a child that must do so, too.
var nohup = process.Register("nohup", func(ctx context.Context, _ struct{}) error {
	signal.Ignore(os.Interrupt)
	p, err := ignorant.Start(ctx, struct{}{}, nil)
	if err != nil {
		return err
	}
	return p.Wait(ctx)
})

var ignorant = process.Register("ignorant", func(context.Context, struct{}) error {
	if !signal.Ignored(os.Interrupt) {
		return errors.New("SIGINT is not ignored")
	}
	return nil
})

// reaped ignores SIGCHLD, so that the kernel reaps its children.
var reaped = process.Register("reaped", func(ctx context.Context, _ struct{}) error {
	signal.Ignore(syscall.SIGCHLD)
	p, err := idle.Start(ctx, struct{}{}, nil)
	if err != nil {
		return err
	}
	return p.Wait(ctx)
})
