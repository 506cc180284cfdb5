//go:build faultpoints

package faulttest

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"

	"github.com/shmkit/shmkit/internal/fault"
)

// DieAt makes this process kill itself with SIGKILL when the calling goroutine
// comes to its n-th crash point, counted from 1, from now on; or from the first
// one called from; or, if that ends with a dot, from the first one whose name
// starts so. With 0 it lives. Other goroutines pass their points without notice.
//
// It writes the name of each point to trace, in a line and a single Write, before
// the step is taken: the last line of a dead process is the step that it did not
// take any more.
func DieAt(n int, from string, trace io.Writer) {
	me, counting := goroutine(), false
	prefix := from == "" || strings.HasSuffix(from, ".")
	fault.SetHook(func(step string) {
		if goroutine() != me {
			return
		}
		fmt.Fprintln(trace, step)
		if counting = counting || step == from || prefix && strings.HasPrefix(step, from); !counting {
			return
		}
		if n--; n == 0 {
			Die()
		}
	})
}

// Die kills this process with SIGKILL, or what the system has for it.
func Die() {
	if p, err := os.FindProcess(os.Getpid()); err == nil {
		_ = p.Kill()
	}
	select {} // it comes at the end of a system call, of any thread
}

// goroutine returns what tells the calling goroutine from others.
func goroutine() string {
	var b [64]byte
	head := b[:runtime.Stack(b[:], false)] // "goroutine 7 [running]: …"
	id, _, _ := bytes.Cut(bytes.TrimPrefix(head, []byte("goroutine ")), []byte(" "))
	return string(id)
}
