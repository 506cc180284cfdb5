//go:build unix

package ringqueue_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"

	"github.com/shmkit/shmkit/ringqueue"
)

const hotCalls = 50000

// childHotPath does each operation that needn't wait hotCalls times.
func childHotPath(args []string) {
	for _, sole := range []bool{false, true} {
		o := &ringqueue.Options{Dir: args[0], Capacity: 1 << 16, SingleProducer: sole, SingleConsumer: sole}
		q, err := ringqueue.New[msg](o)
		must(err)
		buf := make([]msg, 64)
		for range hotCalls {
			must(q.Put(bg, msg{}))
			_, err := q.Get(bg)
			must(err)
			_, err = q.PutMany(bg, buf)
			must(err)
			for n := 0; n < len(buf); { // fewer at a time where the ring wraps
				k, err := q.GetMany(bg, buf[n:])
				must(err)
				n += k
			}
			s, err := q.Ring().Reserve(bg, 100)
			must(err)
			must(s.Commit(100))
			l, err := q.Ring().Borrow(bg)
			must(err)
			l.Release()
			q.TryGet()
			q.Len()
		}
		must(q.Close())
	}
}

// TestNoSystemCalls counts the system calls of a process that does nothing but
// operations that needn't wait: what the Go runtime makes by itself, and nothing
// for each operation.
func TestNoSystemCalls(t *testing.T) {
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Skip("needs strace: apt-get install strace")
	}
	out := filepath.Join(t.TempDir(), "counts")
	cmd := exec.Command(strace, "-f", "-c", "-U", "calls,name", "-o", out, os.Args[0], tempDir(t))
	cmd.Env = append(os.Environ(), childEnv+"=hotPath")
	if b, err := cmd.CombinedOutput(); err != nil {
		if bytes.Contains(b, []byte("PTRACE")) || bytes.Contains(b, []byte("ptrace")) {
			t.Skipf("strace may not trace here: %s", b)
		}
		t.Fatalf("%v: %s", err, b)
	}
	counts := string(readFile(t, out))
	m := regexp.MustCompile(`(?m)^\s*(\d+)\s+total$`).FindStringSubmatch(counts)
	if m == nil {
		t.Fatalf("no total in\n%s", counts)
	}
	total, err := strconv.Atoi(m[1])
	wantNil(t, "total", err)
	if total >= hotCalls {
		t.Errorf("%d system calls in 2×8×%d operations:\n%s", total, hotCalls, counts)
	}
	t.Logf("%d system calls in 2×8×%d operations", total, hotCalls)
}
