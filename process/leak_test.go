//go:build linux

package process_test

import (
	"context"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/shmkit/shmkit/process"
	"github.com/shmkit/shmkit/shmtest"
)

// stateLetter returns the state of a process's first thread, 0 if it is gone.
func stateLetter(pid string) byte {
	b, err := os.ReadFile("/proc/" + pid + "/stat")
	if i := strings.LastIndexByte(string(b), ')'); err == nil && i > 0 && i+2 < len(b) {
		return b[i+2]
	}
	return 0
}

// startsEnv is how often TestNothingIsLeft starts a process, if not 200 times.
const startsEnv = "SHMKIT_STARTS"

// 200 starts, 100 at a time, half of them killed at any moment: no process,
// zombie, goroutine or descriptor is left. SHMKIT_STARTS=1000 takes longer.
func TestNothingIsLeft(t *testing.T) {
	starts := 200
	if n, err := strconv.Atoi(os.Getenv(startsEnv)); err == nil {
		starts = n
	}
	startOne := func(i int) {
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		o := &process.Options{Stdin: strings.NewReader("x"), Stdout: new(strings.Builder), StderrTail: 100, OwnGroup: i%4 == 1}
		if i%2 == 0 {
			p, err := idle.Start(ctx, struct{}{}, o)
			if err != nil {
				t.Error(err)
				return
			}
			if err := p.Wait(ctx); err != nil {
				t.Error(err)
			}
			return
		}
		p, err := deaf.Start(ctx, struct{}{}, o)
		if err != nil {
			t.Error(err)
			return
		}
		p.Kill()
		<-p.Done()
		if code, _ := p.ExitCode(); code != -9 {
			t.Errorf("exit code %d", code)
		}
	}
	startOne(0) // whatever the first start leaves for the later ones
	startOne(1)
	shmtest.CheckLeaks(t)
	atOnce := make(chan struct{}, 100)
	var wg sync.WaitGroup
	for i := range starts {
		atOnce <- struct{}{}
		wg.Go(func() {
			startOne(i)
			<-atOnce
		})
	}
	wg.Wait()
	if left := process.Children(); len(left) > 0 {
		t.Errorf("children %v", left)
	}
}

// Starts that are given up half-way leave nothing either.
func TestNothingIsLeftOfFailedStarts(t *testing.T) {
	idle.Start(context.Background(), struct{}{}, &process.Options{Dir: "/nonexistent"})
	shmtest.CheckLeaks(t)
	for i := range 40 {
		o := &process.Options{Stdin: strings.NewReader("x"), Stdout: new(strings.Builder)}
		ctx, cancel := context.WithCancel(context.Background())
		switch i % 4 {
		case 0:
			o.Dir = "/nonexistent"
		case 1:
			o.Env = withEnv(modeEnv + "=exit")
		case 2:
			o.CPUs = []int{1023}
		case 3: // at any moment
			time.AfterFunc(time.Duration(i)*50*time.Microsecond, cancel)
		}
		p, err := idle.Start(ctx, struct{}{}, o)
		if err == nil {
			<-p.Done()
		}
		if err == nil && i%4 < 3 {
			t.Errorf("started with %+v", o)
		}
		cancel()
	}
}

// A crashing child must not wait for a parent that is stopped, however much
// the runtime has to print: others may be waiting for what it holds.
func TestCrashUnderStoppedParent(t *testing.T) {
	r, w := pipe(t)
	p, out := lines(t, crashParent, struct{}{}, &process.Options{Stdin: r, Stderr: devNull(t), OwnGroup: true})
	if !out.Scan() {
		t.Fatal("no grandchild")
	}
	pid := out.Text()
	if _, err := strconv.Atoi(pid); err != nil {
		t.Fatal(err)
	}
	p.Signal(syscall.SIGSTOP)
	shmtest.Until(t, "stopped", func() bool { return p.State() == process.Stopped })
	w.Close() // now it crashes
	shmtest.Until(t, "death of the grandchild", func() bool { return stateLetter(pid) == 'Z' })
	p.Signal(syscall.SIGCONT)
	if err := wait(t, p); err != nil {
		t.Error(err)
	}
}

var crashParent = process.Register("crash parent", func(ctx context.Context, _ struct{}) error {
	p, err := bigCrash.Start(ctx, struct{}{}, &process.Options{
		Stdin: os.Stdin, Env: append(os.Environ(), "GOTRACEBACK=all"),
	})
	if err != nil {
		return err
	}
	os.Stdout.WriteString(strconv.Itoa(p.PID()) + "\n")
	<-p.Done()
	if e, ok := p.Wait(ctx).(*process.ExitError); !ok || len(e.Crash) < 4<<10 || !strings.HasPrefix(e.Crash, "panic: big") {
		return p.Wait(ctx)
	}
	return nil
})

var bigCrash = process.Register("big crash", func(context.Context, struct{}) error {
	for range 2000 {
		go func() { <-time.After(time.Hour) }()
	}
	os.Stdin.Read(make([]byte, 1))
	panic("big")
})
