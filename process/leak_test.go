//go:build linux

package process_test

import (
	"context"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/shmkit/shmkit/process"
)

// resources counts what a process could leave behind.
func resources(t testing.TB) (descriptors, goroutines, zombies int) {
	t.Helper()
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		t.Fatal(err)
	}
	for _, task := range tasks {
		b, err := os.ReadFile("/proc/self/task/" + task.Name() + "/children")
		if err != nil {
			continue // the thread has ended
		}
		for _, pid := range strings.Fields(string(b)) {
			if stateLetter(pid) == 'Z' {
				zombies++
			}
		}
	}
	return len(fds), runtime.NumGoroutine(), zombies
}

// stateLetter returns the state of a process's first thread, 0 if it is gone.
func stateLetter(pid string) byte {
	b, err := os.ReadFile("/proc/" + pid + "/stat")
	if i := strings.LastIndexByte(string(b), ')'); err == nil && i > 0 && i+2 < len(b) {
		return b[i+2]
	}
	return 0
}

// 200 starts, 20 at a time, half of them killed at any moment.
func TestNothingIsLeft(t *testing.T) {
	mustStartOne := func(i int) {
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
	mustStartOne(0) // whatever the first start leaves for the later ones
	mustStartOne(1)
	fds, goroutines, _ := resources(t)
	for round := range 10 {
		var wg sync.WaitGroup
		for i := range 20 {
			wg.Go(func() { mustStartOne(20*round + i) })
		}
		wg.Wait()
	}
	eventually(t, "back to the baseline", func() bool {
		f, g, z := resources(t)
		return f <= fds && g <= goroutines && z == 0
	})
	if left := process.Children(); len(left) > 0 {
		t.Errorf("children %v", left)
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
	eventually(t, "stopped", func() bool { return p.State() == process.Stopped })
	w.Close() // now it crashes
	eventually(t, "death of the grandchild", func() bool { return stateLetter(pid) == 'Z' })
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
