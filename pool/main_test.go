//go:build unix

package pool_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/shmkit/shmkit/pool"
	"github.com/shmkit/shmkit/shm"
	"github.com/shmkit/shmkit/shmtest"
)

// crashEnv makes workers end before they are workers.
const crashEnv = "POOL_TEST_CRASH"

func TestMain(m *testing.M) {
	// A program whose initialisation fails, but only in its children.
	if text := os.Getenv(crashEnv); text != "" && os.Getenv("SHMKIT_PROCESS") != "" {
		fmt.Fprintln(os.Stderr, text)
		os.Exit(7)
	}
	armFaults()
	shmtest.Main(m)
}

// Functions for workers.
var (
	square = pool.Register("square", func(_ context.Context, x int) (int, error) { return x * x, nil })

	// grind squares a number the hard way: long enough to be killed at it.
	grind = pool.Register("grind", func(_ context.Context, x int) (int, error) {
		var b [1 << 10]byte
		for range 20 {
			sum := sha256.Sum256(b[:])
			copy(b[:], sum[:])
		}
		return x * x, nil
	})

	echo = pool.Register("echo", func(_ context.Context, b []byte) ([]byte, error) { return b, nil })

	// pid returns the worker's process ID.
	pid = pool.Register("pid", func(context.Context, struct{}) (int, error) { return os.Getpid(), nil })

	// hold waits until the file is gone.
	hold = pool.Register("hold", func(ctx context.Context, path string) (int, error) {
		for ctx.Err() == nil {
			if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
				return os.Getpid(), nil
			}
			time.Sleep(time.Millisecond)
		}
		return 0, ctx.Err()
	})

	// stubborn never returns, whatever its context says.
	stubborn = pool.Register("stubborn", func(context.Context, struct{}) (int, error) { select {} })

	// failAfter fails when the file is gone.
	failAfter = pool.Register("failAfter", func(_ context.Context, path string) (int, error) {
		for {
			if _, err := os.Stat(path); err != nil {
				return 0, errors.New("failed at last")
			}
			time.Sleep(time.Millisecond)
		}
	})

	fail = pool.Register("fail", func(_ context.Context, text string) (int, error) { return 0, errors.New(text) })

	// misbehave ends its item, or the worker, in the way that it is told.
	misbehave = pool.Register("misbehave", func(_ context.Context, how string) (string, error) {
		switch how {
		case "panic":
			panic("at the disco")
		case "index":
			return []string{how}[len(how)], nil
		case "exit 3":
			os.Exit(3)
		case "exit 0":
			os.Exit(0)
		case "kill":
			syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		case "elsewhere":
			go panic("in the night")
			select {}
		case "goexit":
			runtime.Goexit()
		case "stderr":
			fmt.Fprintln(os.Stderr, "last words")
			os.Exit(4)
		}
		return how, nil
	})

	// once kills its worker if the file is there, and removes it first.
	once = pool.Register("once", func(_ context.Context, path string) (string, error) {
		if os.Remove(path) == nil {
			syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
		return "again", nil
	})

	grow = pool.Register("grow", func(_ context.Context, n int) ([]byte, error) { return make([]byte, n), nil })

	anything = pool.Register("anything", func(_ context.Context, x any) (any, error) { return x, nil })

	// unsendable returns a value that can't be encoded.
	unsendable = pool.Register("unsendable", func(context.Context, struct{}) (any, error) { return func() {}, nil })

	upper = pool.Register("upper", func(_ context.Context, s string) (string, error) { return strings.ToUpper(s), nil })
)

// newPool starts a pool in a directory of its own, and makes sure that nothing
// of it is left at the end of the test.
func newPool(t testing.TB, o pool.Options) *pool.Pool {
	t.Helper()
	if o.Dir == "" {
		o.Dir = shmtest.Dir(t)
	}
	p, err := pool.New(&o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.Terminate()
		join(t, p)
		noSegments(t, o.Dir)
	})
	return p
}

func join(t testing.TB, p *pool.Pool) {
	t.Helper()
	if err := p.Join(patience(t)); err != nil && !errors.Is(err, pool.ErrWorkerStart) {
		t.Errorf("Join: %v", err)
	}
}

// patience returns a context for what should take no time at all.
func patience(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// noSegments checks that nothing is left in dir.
func noSegments(t testing.TB, dir string) {
	t.Helper()
	list, err := shm.Dir(dir).List()
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range list {
		t.Errorf("left behind: %s (%d holders)", i.Name, i.Holders)
	}
}

func remove(t testing.TB, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}

// marker returns the path of a new file.
func marker(t testing.TB) string {
	t.Helper()
	f, err := os.CreateTemp(t.TempDir(), "marker")
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	return f.Name()
}

// pids returns the process IDs of the workers in the given state.
func pids(p *pool.Pool, state string) []int {
	var all []int
	for _, w := range p.Stats().Workers {
		if w.State == state {
			all = append(all, w.PID)
		}
	}
	return all
}

// untilState waits until n workers are in the state, and returns their
// process IDs.
func untilState(t testing.TB, p *pool.Pool, n int, state string) []int {
	t.Helper()
	var got []int
	shmtest.Until(t, fmt.Sprintf("%d workers are %s", n, state), func() bool {
		got = pids(p, state)
		return len(got) == n
	})
	return got
}

func kill(t testing.TB, pid int) {
	t.Helper()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
}

// gone tells whether a process that is not our child has ended: it is no more,
// or waits for init to notice.
func gone(pid int) bool {
	if b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid)); err == nil {
		text := string(b)
		return strings.HasPrefix(text[strings.LastIndexByte(text, ')')+1:], " Z")
	}
	return errors.Is(syscall.Kill(pid, 0), syscall.ESRCH)
}
