//go:build !portable

package futex_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/shmkit/shmkit/internal/fault/faulttest"
	"github.com/shmkit/shmkit/internal/futex"
)

// Where futex_waitv is missing (ENOSYS) or forbidden (EPERM) everything works
// the same, cancelling included. It is asked for once.
func TestFallback(t *testing.T) {
	for _, refusal := range []error{unix.ENOSYS, unix.EPERM, unix.EACCES} {
		t.Run(refusal.Error(), func(t *testing.T) {
			calls, restore := futex.Refuse(refusal, nil)
			defer restore()
			if err := everyEnd(); err != nil {
				t.Error(err)
			}
			if n := calls.Load(); n != 1 {
				t.Errorf("futex_waitv was called %d times", n)
			}
		})
	}
}

// A kernel that can't even FUTEX_WAIT gets a waiter that polls, and does not
// burn the processor.
func TestBlind(t *testing.T) {
	calls, restore := futex.Refuse(unix.EINVAL, unix.EFAULT)
	defer restore()
	if err := everyEnd(); err != nil {
		t.Error(err)
	}
	if n := calls.Load(); n != 1 {
		t.Errorf("futex_waitv was called %d times", n)
	}
}

// Errors that mean nothing make the wait go on.
func TestSpurious(t *testing.T) {
	for _, err := range []error{nil, unix.EINTR, unix.EAGAIN, unix.ETIMEDOUT} {
		t.Run(fmt.Sprint(err), func(t *testing.T) {
			_, restore := futex.Refuse(err, nil)
			defer restore()
			if err := everyEnd(); err != nil {
				t.Error(err)
			}
			if futex.FallenBack() {
				t.Error("futex_waitv counts as refused")
			}
		})
	}
}

// everyEnd makes a sleeping wait end in each way. No slice ever ends.
func everyEnd() error {
	b := new(box)
	g := futex.NewGate(&b.word, futex.Block)
	g.SetSlice(forever)
	shut := errors.New("shut")
	var closed atomic.Pointer[error]
	for _, end := range []struct {
		how  string
		by   func(cancel func())
		want error
	}{
		{"put", func(func()) { b.put(1) }, nil},
		{"cancel", func(cancel func()) { cancel() }, context.Canceled},
		{"interrupt", func(func()) { closed.Store(&shut); g.Interrupt() }, shut},
	} {
		for i := range 50 {
			closed.Store(nil)
			ctx, cancel := context.WithCancel(bg)
			sleeps := g.Sleeps()
			c := start(ctx, g, take{box: b, closed: &closed})
			for g.Waiting() == 0 || i%2 == 0 && g.Sleeps() == sleeps {
				runtime.Gosched()
			}
			end.by(cancel)
			select {
			case err := <-c:
				cancel()
				if err != end.want {
					return fmt.Errorf("by %s: Wait: %v, want %v", end.how, err, end.want)
				}
			case <-time.After(30 * time.Second):
				cancel()
				return fmt.Errorf("by %s: it still waits", end.how)
			}
		}
	}
	return nil
}

// A context that ends while the wait ends by itself rings late, and in the
// fallback through the word. Nothing of that comes after Wait has returned.
func TestNothingRemains(t *testing.T) {
	_, restore := futex.Refuse(unix.EPERM, nil)
	defer restore()
	words := make([]*atomic.Uint32, 500)
	for i := range words {
		b := new(box)
		words[i] = &b.word
		g := futex.NewGate(&b.word, futex.Block)
		g.SetSlice(forever)
		ctx, cancel := context.WithCancel(bg)
		sleeps := g.Sleeps()
		c := start(ctx, g, take{box: b})
		for g.Sleeps() == sleeps {
			runtime.Gosched()
		}
		go cancel()
		b.put(1)
		soon(t, "the wait", c)
		b.word.Or(1) // a late ring would clear it
		cancel()
	}
	until(t, "rings in flight have come down", func() bool { return runtime.NumGoroutine() < 10 })
	for i, w := range words {
		if w.Load()&1 == 0 {
			t.Fatalf("the word of wait %d was touched after its end", i)
		}
	}
}

// childSeccomp forbids itself futex_waitv as a container would, and waits.
func childSeccomp([]string) {
	if err := faulttest.Refuse(unix.SYS_FUTEX_WAITV, uint32(unix.EPERM)); err != nil {
		fmt.Println("can't:", err)
		return
	}
	must(everyEnd())
	if !futex.FallenBack() {
		must(errors.New("futex_waitv was not refused"))
	}
	fmt.Println("ok")
}

func TestSeccomp(t *testing.T) {
	c := startChild(t, "seccomp")
	switch got := c.hear(); got {
	case "ok":
		c.end()
	default:
		t.Skip(got)
	}
}
