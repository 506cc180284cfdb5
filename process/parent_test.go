//go:build unix

package process_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/shmkit/shmkit/process"
	"github.com/shmkit/shmkit/shmtest"
)

// middle starts a grandchild with its own options and waits for ever.
var middle = process.Register("middle", func(ctx context.Context, o middleArgs) error {
	p, err := witness.Start(ctx, o.Deaf, &process.Options{Name: "grandchild", Daemon: o.Daemon, Grace: o.Grace, Stderr: os.Stdout})
	if err != nil {
		return err
	}
	fmt.Println("daemon", p.Daemon())
	select {}
})

type middleArgs struct {
	Deaf, Daemon bool
	Grace        time.Duration
}

// witness tells what becomes of its parent.
var witness = process.Register("witness", func(ctx context.Context, deaf bool) error {
	parent := process.Parent()
	fmt.Println(parent.Name(), parent.Alive(), os.Getpid())
	if err := parent.Wait(ctx); err != nil && parent.Alive() {
		return err
	}
	fmt.Println("alive", parent.Alive())
	<-ctx.Done()
	fmt.Println(context.Cause(ctx))
	if deaf {
		select {}
	}
	return nil
})

func TestParentDies(t *testing.T) {
	for name, tt := range map[string]struct {
		args middleArgs
		want string // last line
	}{
		"heeds":  {middleArgs{Grace: time.Hour}, process.ErrParentDied.Error()},
		"deaf":   {middleArgs{Deaf: true, Grace: time.Millisecond}, "parent has died, and the function has not returned"},
		"daemon": {middleArgs{Deaf: true, Daemon: true, Grace: time.Hour}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			p, out := lines(t, middle, tt.args, &process.Options{Name: "parent"})
			var pid int
			for seen := 0; seen < 2 && out.Scan(); seen++ { // in either order
				if _, err := fmt.Sscanf(out.Text(), "parent true %d", &pid); err != nil && out.Text() != fmt.Sprint("daemon ", tt.args.Daemon) {
					t.Fatalf("unexpected %q", out.Text())
				}
			}
			if pid == 0 {
				t.Fatal("no grandchild")
			}
			p.Kill()
			expectCode(t, p, -9)
			// The grandchild is another's child now. Its output ends with it.
			var last []string
			for out.Scan() {
				last = append(last, out.Text())
			}
			if len(last) == 0 && tt.want == "" || len(last) > 0 && strings.Contains(last[len(last)-1], tt.want) {
				return
			}
			t.Errorf("last words %q, want %q", last, tt.want)
		})
	}
}

// A child's word after its parent's death must not kill it, though nobody
// reads the pipe any more that the parent has made for it.
func TestBrokenPipeOfDeadParent(t *testing.T) {
	r, w := pipe(t)
	p := mustStart(t, middlePiped, struct{}{}, &process.Options{Stdout: w})
	w.Close()
	buf := make([]byte, 100)
	n, err := r.Read(buf)
	if err != nil || string(buf[:n]) != "ready\n" {
		t.Fatalf("read %q, %v", buf[:n], err)
	}
	p.Kill()
	rest, err := io.ReadAll(r)
	if err != nil || string(rest) != "survived\n" {
		t.Errorf("read %q, %v", rest, err)
	}
}

var middlePiped = process.Register("middle piped", func(ctx context.Context, _ struct{}) error {
	_, err := talker.Start(ctx, struct{}{}, &process.Options{Stderr: io.Discard, Grace: time.Hour})
	if err != nil {
		return err
	}
	select {}
})

var talker = process.Register("talker", func(ctx context.Context, _ struct{}) error {
	fmt.Println("ready")
	<-ctx.Done()
	for range 10 { // the reader is dead: each of these would be SIGPIPE
		os.Stderr.WriteString("still here\n")
	}
	fmt.Println("survived")
	return nil
})

func TestDaemonIsInherited(t *testing.T) {
	p, out := lines(t, middle, middleArgs{}, &process.Options{Name: "parent", Daemon: true})
	if !p.Daemon() {
		t.Error("not a daemon")
	}
	for out.Scan() && !strings.HasPrefix(out.Text(), "daemon") {
	}
	if out.Text() != "daemon true" {
		t.Errorf("child of a daemon: %q", out.Text())
	}
}

func TestStoppedParentIsAlive(t *testing.T) {
	p, out := lines(t, middle, middleArgs{Grace: time.Hour}, &process.Options{Name: "parent"})
	for range 2 {
		out.Scan()
	}
	p.Signal(syscall.SIGSTOP)
	shmtest.Until(t, "stopped", func() bool { return p.State() == process.Stopped })
	p.Signal(syscall.SIGCONT)
	shmtest.Until(t, "continued", func() bool { return p.State() != process.Stopped })
	p.Kill()
	expectLine(t, out, "alive false") // and nothing before that
}
