//go:build unix

package process_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/shmkit/shmkit/codec"
	"github.com/shmkit/shmkit/process"
	"github.com/shmkit/shmkit/shmtest"
)

func TestArguments(t *testing.T) {
	want := testArgs{
		Text: "grüße\x00", N: -1 << 62, List: []string{"a", ""}, Map: map[string]float64{"pi": 3.14},
		When: time.Date(2024, 2, 29, 12, 0, 0, 123456789, time.UTC), Next: &testArgs{Text: "inner"},
	}
	_, got := askTell(t, want, nil)
	if !got.Args.When.Equal(want.When) {
		t.Errorf("time %v, want %v", got.Args.When, want.When)
	}
	got.Args.When = want.When
	if !reflect.DeepEqual(got.Args, want) {
		t.Errorf("arguments %+v, want %+v", got.Args, want)
	}
}

func TestHugeArguments(t *testing.T) {
	b := make([]byte, 16<<20)
	for i := range b {
		b[i] = byte(i * 7)
	}
	var out bytes.Buffer
	p := mustStart(t, length, b, &process.Options{Stdout: &out})
	expectCode(t, p, 0)
	if got := strings.TrimSpace(out.String()); got != "16777216" {
		t.Errorf("child got %s bytes", got)
	}
}

// A child that never reads must not keep Start from seeing its end, however
// much is to be written to it.
func TestHugeArgumentsNotRead(t *testing.T) {
	_, err := length.Start(context.Background(), make([]byte, 16<<20), &process.Options{Env: withEnv(modeEnv + "=exit")})
	if !errors.Is(err, process.ErrHandshake) {
		t.Fatalf("error %v, want ErrHandshake", err)
	}
}

func TestBadArguments(t *testing.T) {
	ctx := context.Background()
	if _, err := unencodable.Start(ctx, struct{ C chan int }{}, nil); !errors.Is(err, codec.ErrUnsupportedType) {
		t.Errorf("channel: error %v", err)
	}
	if _, err := picky.Start(ctx, badMarshaler{}, nil); err == nil || !strings.Contains(err.Error(), "will not travel") {
		t.Errorf("failing MarshalBinary: error %v", err)
	}
	if left := process.Children(); len(left) > 0 {
		t.Errorf("started %v", left)
	}
	_, err := undecodable.Start(ctx, badUnmarshaler{}, quiet)
	if !errors.Is(err, process.ErrHandshake) || !strings.Contains(err.Error(), "did not survive the trip") {
		t.Errorf("failing UnmarshalBinary: error %v", err)
	}
}

func TestBadOptions(t *testing.T) {
	for _, o := range []process.Options{
		{Grace: -1}, {StartTimeout: -1}, {MaxDepth: -1},
		{ExtraFiles: []*os.File{nil}}, {ExtraFiles: make([]*os.File, 5000)},
		{Dir: "/nonexistent"},
		{KillGrace: -1}, {Daemon: true, Orphan: true}, {Share: -0.1}, {Share: 1.1}, {Share: math.NaN()},
		{Procs: -1}, {MemoryLimit: -1}, {CPUs: []int{-1}}, {CPUs: []int{1 << 20}}, {Cgroup: "/nonexistent"},
	} {
		if p, err := idle.Start(context.Background(), struct{}{}, &o); err == nil {
			wait(t, p)
			t.Errorf("started with %+v", o)
		}
	}
}

func TestRegisterPanics(t *testing.T) {
	nothing := func(context.Context, int) error { return nil }
	tests := map[string]struct {
		name string
		fn   func(context.Context, int) error
	}{
		"empty name": {"", nothing},
		"is taken":   {"idle", nothing},
		"is nil":     {"unheard of", nil},
		"after Main": {"unheard of", nothing},
	}
	for want, tt := range tests {
		func() {
			defer func() {
				if text, _ := recover().(string); !strings.Contains(text, want) {
					t.Errorf("Register(%q): panic %q, want %q", tt.name, text, want)
				}
			}()
			process.Register(tt.name, tt.fn)
		}()
	}
}

func TestStartContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	p, err := polite.Start(ctx, "cause", &process.Options{Stdout: io.Discard, Stderr: io.Discard, Grace: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	expectCode(t, p, -15)
	if _, err := idle.Start(ctx, struct{}{}, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("start with a cancelled context: %v", err)
	}
}

// The child hangs before Main: only a time limit helps.
func TestStartTimeout(t *testing.T) {
	hang := withEnv(modeEnv + "=hang")
	_, err := idle.Start(context.Background(), struct{}{}, &process.Options{Env: hang, StartTimeout: 20 * time.Millisecond})
	var e *process.ExitError
	if !errors.Is(err, process.ErrHandshake) || errors.As(err, &e) {
		t.Errorf("StartTimeout: error %v, want ErrHandshake", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	_, err = idle.Start(ctx, struct{}{}, &process.Options{Env: hang})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("context: error %v, want DeadlineExceeded", err)
	}
}

// Terminate and Kill reach a child that has not acknowledged, by Children.
func TestTerminateDuringStart(t *testing.T) {
	failed := make(chan error, 1)
	go func() {
		_, err := length.Start(context.Background(), make([]byte, 1<<20), &process.Options{Env: withEnv(modeEnv + "=hang"), Grace: time.Minute})
		failed <- err
	}()
	shmtest.Until(t, "a child", func() bool { return len(process.Children()) == 1 })
	p := process.Children()[0]
	if s := p.State(); s != process.Created {
		t.Errorf("state %v, want created", s)
	}
	p.Terminate()
	if e := exitError(t, <-failed); e.Code != -15 {
		t.Errorf("exit code %d, want -15", e.Code)
	}
}

func TestMismatch(t *testing.T) {
	_, err := idle.Start(context.Background(), struct{}{}, &process.Options{Env: withEnv(modeEnv + "=other functions"), Stderr: io.Discard})
	if !errors.Is(err, process.ErrMismatch) {
		t.Fatalf("error %v, want ErrMismatch", err)
	}
	if errors.Is(err, process.ErrHandshake) {
		t.Errorf("%v is ErrHandshake too", err)
	}
	if left := process.Children(); len(left) > 0 {
		t.Errorf("%v has been started in vain, and is there", left)
	}
}

func TestEnvironment(t *testing.T) {
	dir := t.TempDir()
	p, got := askTell(t, testArgs{}, &process.Options{
		Name: "a long name for a child", Env: []string{"GOMAXPROCS=1", "ONLY=this"}, Dir: dir,
	})
	if got.Current.Name != p.Name() || got.Command != "a long name for" {
		t.Errorf("child is called %q, %q by the kernel", got.Current.Name, got.Command)
	}
	if want := []string{"GOMAXPROCS=1", "ONLY=this"}; !reflect.DeepEqual(got.Env, want) {
		t.Errorf("environment %q, want %q", got.Env, want)
	}
	if got.Dir != dir || got.Procs != 1 {
		t.Errorf("directory %q, GOMAXPROCS %d", got.Dir, got.Procs)
	}
}

// What a child starts is no child of ours, and must not think so.
func TestMarkerIsRemoved(t *testing.T) {
	expectCode(t, mustStart(t, env, "SHMKIT_PROCESS", nil), 0)
}

func TestStreams(t *testing.T) {
	var out, errs bytes.Buffer
	p := mustStart(t, upper, struct{}{}, &process.Options{
		Stdin: strings.NewReader("one\ntwo\n"), Stdout: &out, Stderr: &errs,
	})
	expectCode(t, p, 0)
	if out.String() != "ONE\nTWO\n" || errs.Len() > 0 {
		t.Errorf("output %q, error %q", out.String(), errs.String())
	}

	out.Reset() // one writer for both, never called by two goroutines
	text := strings.Repeat("0123456789", 30_000)
	expectCode(t, mustStart(t, write, text, &process.Options{Stdout: &out, Stderr: &out}), 0)
	if out.Len() != 2*len(text) {
		t.Errorf("%d bytes of %d", out.Len(), 2*len(text))
	}

	expectCode(t, mustStart(t, upper, struct{}{}, nil), 0) // standard input is empty by default
}

// A reader that never ends must not keep the process from being done.
func TestEndlessStdin(t *testing.T) {
	r, w := io.Pipe()
	p := mustStart(t, exit, 7, &process.Options{Stdin: r})
	expectCode(t, p, 7)
	w.Close()
}

func TestExtraFiles(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	p := mustStart(t, extra, 4, &process.Options{ExtraFiles: []*os.File{w}})
	w.Close()
	b, err := io.ReadAll(r)
	if err != nil || string(b) != "from the child" {
		t.Errorf("read %q, %v", b, err)
	}
	expectCode(t, p, 0)
}
