//go:build unix

package process_test

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"github.com/shmkit/shmkit/process"
)

func TestTail(t *testing.T) {
	var all []byte
	var writes [][]byte
	for i := range 200 {
		w := bytes.Repeat([]byte{byte('a' + i%26)}, i%37)
		all, writes = append(all, w...), append(writes, w)
		for _, size := range []int{1, 7, 36, 100, 1 << 20} {
			want := string(all[max(0, len(all)-size):])
			if got := process.Tail(size, writes...); got != want {
				t.Fatalf("last %d of %d bytes: %q, want %q", size, len(all), got, want)
			}
		}
	}
}

// The tail is kept whichever way standard error goes.
func TestStderrTail(t *testing.T) {
	text := strings.Repeat("x", 100_000) + "the end"
	var buf bytes.Buffer
	for name, tt := range map[string]struct {
		opts process.Options
		want int
	}{
		"writer":           {process.Options{Stderr: &buf}, 64 << 10},
		"writer, little":   {process.Options{Stderr: &buf, StderrTail: 10}, 10},
		"writer, none":     {process.Options{Stderr: &buf, StderrTail: -1}, 0},
		"discarded":        {process.Options{Stderr: io.Discard, StderrTail: 1 << 20}, len(text)},
		"file, on request": {process.Options{Stderr: devNull(t), StderrTail: 100}, 100},
		"file":             {process.Options{Stderr: devNull(t)}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			buf.Reset()
			e := exitError(t, wait(t, mustStart(t, complain, text, &tt.opts)))
			if want := text[len(text)-tt.want:]; e.StderrTail != want {
				t.Errorf("tail of %d bytes, want %d", len(e.StderrTail), len(want))
			}
			if tt.opts.Stderr == &buf && buf.String() != text {
				t.Errorf("writer got %d bytes of %d", buf.Len(), len(text))
			}
		})
	}
}

// A program that outlives the child holds its output's pipe. The child's end
// is its end all the same, and nothing that it wrote is lost.
func TestOutputHeldByOthers(t *testing.T) {
	var out bytes.Buffer
	in, hold := pipe(t)
	p := mustStart(t, leaveBehind, struct{}{}, &process.Options{Stdin: in, Stdout: &out})
	in.Close()
	expectCode(t, p, 0)
	if !strings.HasSuffix(out.String(), "bye\n") || out.Len() != 50_000+len("bye\n") {
		t.Errorf("%d bytes of output", out.Len())
	}
	hold.Close() // now it ends
}
