//go:build unix && faultpoints

package ringqueue_test

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/shmkit/shmkit/ringqueue"
)

// Numbers of items tell who put them. Those put later are higher.
const (
	corpsesFirst   = 50
	victimsFirst   = 100
	sleepersFirst  = 200
	survivorsFirst = 300
)

// A scene is one queue with a state, in which one victim dies.
type scene struct {
	state
	t      *testing.T
	op     string // the victim's
	dir    string
	handle string
	q      numbers        // the tester's, while it prepares
	items  map[uint64]int // what is there, with the attempt that the next delivery is
	dead   []*process     // who did something to them since
	wait   *process       // the process asleep
}

// openQueue attaches the tester.
func (s *scene) openQueue(handle string) {
	s.t.Helper()
	var err error
	if s.q, err = attachNumbers(handle, s.text, nil); err != nil {
		s.t.Fatal(err)
	}
}

func (s *scene) closeQueue() {
	s.t.Helper()
	if err := s.q.Close(); err != nil {
		s.t.Fatal(err)
	}
	s.q = nil
}

// newScene makes a directory for a queue.
func newScene(t *testing.T, op string, st state) *scene {
	t.Helper()
	base := os.TempDir()
	if fi, err := os.Stat("/dev/shm"); err == nil && fi.IsDir() {
		base = "/dev/shm"
	}
	dir, err := os.MkdirTemp(base, "ringqueue-test-")
	if err != nil {
		t.Fatal(err)
	}
	return &scene{state: st, t: t, op: op, dir: dir, items: make(map[uint64]int)}
}

// create creates the queue. It outlives the tester's handle.
func (s *scene) create() {
	s.t.Helper()
	o := s.options
	o.Dir, o.Capacity, o.Persistent = s.dir, ringSize, true
	var err error
	if s.q, err = createNumbers("q", s.text, &o); err != nil {
		s.t.Fatal(err)
	}
	s.handle = s.q.Handle()
}

// prepare brings the queue into its state, but for the corpses.
func (s *scene) prepare() {
	s.t.Helper()
	s.create()
	if s.build != nil {
		s.build(s)
	}
	s.closeQueue() // the tester's roles go with it
	s.openQueue(s.handle)
	if s.asleep != "" {
		s.wait = s.start(victimArgs{op: s.asleep, first: sleepersFirst, patience: time.Minute})
		s.wait.goOn()
		word := map[string]int{"get": notEmptyWord, "put": notFullWord, "join": idleWord}[s.asleep]
		s.untilArmed(s.q.Ring(), word)
	}
}

// untilArmed waits until somebody is about to sleep on the word.
func (s *scene) untilArmed(r *ringqueue.Ring, word int) {
	s.t.Helper()
	w := sharedWord[atomic.Uint32](s.t, r, word)
	until(s.t, "somebody waits", func() bool { return w.Load()&1 != 0 })
}

// end removes everything.
func (s *scene) end() {
	if s.q != nil {
		s.q.Close()
	}
	if s.wait != nil {
		s.wait.kill()
	}
	os.RemoveAll(s.dir)
}

// layOut has the corpses do their part and die, and leaves the queue to the victim.
func (s *scene) layOut() {
	s.t.Helper()
	var ps []*process
	for _, c := range s.corpses {
		a := victimArgs{op: c.op, from: c.step, first: corpsesFirst, patience: mostTime}
		if c.step != "" {
			a.dieAt = 1
		}
		ps = append(ps, s.start(a))
	}
	if s.later == nil && s.q != nil {
		s.closeQueue()
	}
	for i, p := range ps {
		p.goOn()
		p.end()
		if c := s.corpses[i]; p.died != (c.step != "") {
			s.t.Fatalf("a process that was to die at %q in %s: result %q, steps %q", c.step, c.op, p.result, p.trace)
		}
		s.dead = append(s.dead, p)
	}
	if s.later != nil {
		s.later(s)
		s.closeQueue()
	}
}

// A process is a victim as its tester sees it.
type process struct {
	t      *testing.T
	args   victimArgs
	cmd    *exec.Cmd
	in     io.WriteCloser
	out    *os.File
	held   []uint64 // items that it took in its preparation
	taken  []uint64 // items that it says it took in its operation
	trace  []string // the crash points that it came to
	died   bool     // at the last of them
	result string   // else
}

// start starts a process on the scene's queue and waits until it is ready.
func (s *scene) start(a victimArgs) *process {
	s.t.Helper()
	if a.queue == "" {
		a.queue = s.handle
	}
	a.text = s.text
	p := &process{t: s.t, args: a, cmd: exec.Command(os.Args[0], a.strings()...)}
	p.cmd.Env = append(os.Environ(), childEnv+"=steps", "GOMAXPROCS=2", "GOGC=off")
	p.cmd.Stderr = os.Stderr
	r, w, err := os.Pipe()
	if err != nil {
		s.t.Fatal(err)
	}
	p.out, p.cmd.Stdout = r, w
	if p.in, err = p.cmd.StdinPipe(); err == nil {
		err = p.cmd.Start()
	}
	w.Close()
	if err != nil {
		s.t.Fatal(err)
	}
	if !p.read("ready") {
		p.cmd.Wait()
		s.t.Fatalf("%s: never ready", a.op)
	}
	p.held, p.taken = p.taken, nil
	return p
}

// read reads lines up to the given one; false if the process ends before.
func (p *process) read(last string) bool {
	var line []byte
	var b [1]byte
	for {
		if n, err := p.out.Read(b[:]); n == 0 || err != nil {
			return false
		}
		if b[0] != '\n' {
			line = append(line, b[0])
			continue
		}
		if string(line) == last {
			return true
		}
		p.note(string(line))
		line = line[:0]
	}
}

// note takes a line of the process down.
func (p *process) note(line string) {
	var n uint64
	if _, err := fmt.Sscanf(line, "item %d", &n); err == nil {
		p.taken = append(p.taken, n)
	} else if result, ok := strings.CutPrefix(line, "= "); ok {
		p.result = result
	} else {
		p.trace = append(p.trace, line)
	}
}

// goOn lets the process begin its operation.
func (p *process) goOn() { fmt.Fprintln(p.in, "go") }

// end waits for the process's death, which must be by SIGKILL.
func (p *process) end() {
	p.t.Helper()
	text, err := io.ReadAll(p.out)
	if err != nil {
		p.t.Fatal(err)
	}
	p.cmd.Wait()
	p.out.Close()
	if ws, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || !ws.Signaled() || ws.Signal() != syscall.SIGKILL {
		p.t.Fatalf("%s was not killed: %v, %s", p.args.op, p.cmd.ProcessState, text)
	}
	for line := range strings.Lines(string(text)) {
		p.note(strings.TrimSuffix(line, "\n"))
	}
	p.died = p.result == ""
}

// stop stops the process and waits until it stands.
func (p *process) stop() {
	p.t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		p.t.Fatal(err)
	}
	until(p.t, "the process stands", func() bool { return procState(p.cmd.Process.Pid) == "T" })
}

// kill ends the process if it has not ended.
func (p *process) kill() {
	p.cmd.Process.Kill()
	p.cmd.Wait()
	p.out.Close()
}

// executed returns the steps that the process has taken.
func (p *process) executed() []string {
	if p.died && len(p.trace) > 0 {
		return p.trace[:len(p.trace)-1]
	}
	return p.trace
}

// recovery returns the crash points of its recovery that a recoverer came to.
func (p *process) recovery() []string {
	i := slices.IndexFunc(p.trace, func(step string) bool { return strings.HasPrefix(step, p.args.from) })
	if i < 0 {
		return nil
	}
	return p.trace[i:]
}
