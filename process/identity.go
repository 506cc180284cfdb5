package process

import (
	"context"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"io"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
)

// Info describes the calling process.
type Info struct {
	PID    int
	Name   string // "main" unless it is a child
	Func   string // name of the function that it runs; empty in the main process
	Daemon bool   // it dies at once with its parent
	Orphan bool   // it may outlive its parent
	Depth  int    // 0 in the main process, 1 in its children, and so on
}

// identity is what Main has found out about this process.
type identity struct {
	Info
	maxDepth     int
	parent       *ParentProcess // nil in the main process
	build, table uint64         // must be equal in parent and child
}

// self is written once, by Main. It is nil before that.
var self atomic.Pointer[identity]

// build tells programs apart by their executable's size and time. It must be
// taken at the program's start: the file may be replaced later.
func build() uint64 {
	info, err := statExecutable()
	if err != nil {
		return 0
	}
	h := fnv.New64a()
	io.WriteString(h, runtime.Version())
	b := binary.LittleEndian.AppendUint64(nil, uint64(info.Size()))
	h.Write(binary.LittleEndian.AppendUint64(b, uint64(info.ModTime().UnixNano())))
	return h.Sum64()
}

// Current describes the calling process. Before [Main] has been called it
// has no name.
func Current() Info {
	if id := self.Load(); id != nil {
		return id.Info
	}
	return Info{PID: os.Getpid()}
}

// ParentProcess is the process that started this one.
type ParentProcess struct {
	pid  int
	name string
	done chan struct{}
}

// Parent returns the process that started this one with Start. It is nil in
// the main process, whatever program started that.
func Parent() *ParentProcess {
	if id := self.Load(); id != nil {
		return id.parent
	}
	return nil
}

// PID returns the parent's process ID. After it has died it may be another's.
func (p *ParentProcess) PID() int { return p.pid }

// Name returns the parent's name.
func (p *ParentProcess) Name() string { return p.name }

// Done returns a channel that is closed when the parent has died.
func (p *ParentProcess) Done() <-chan struct{} { return p.done }

// Wait waits until the parent has died, or ctx is done: then the error wraps
// ctx's. A death is reported even with a context that is done.
func (p *ParentProcess) Wait(ctx context.Context) error {
	if !p.Alive() {
		return nil
	}
	select {
	case <-p.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for parent %s (pid %d): %w", p.name, p.pid, ctx.Err())
	}
}

// Alive tells whether the parent lives. The answer does not rest on its PID.
func (p *ParentProcess) Alive() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// spawner returns the identity of this process if it may start others.
func spawner() (*identity, error) {
	if id := self.Load(); id != nil {
		return id, nil
	}
	if value, ok := os.LookupEnv(markerName); ok {
		// The program's main has no call of Main, or has it too late: the
		// child runs the program again instead of its function. Going on, it
		// would do everything twice, and start children without end.
		panic(fmt.Sprintf("process: this is a child process (%s=%s), but its main has not called process.Main: call it first", markerName, value))
	}
	return nil, ErrNoMain
}

// markerName is the environment variable that tells a child that it is one.
// Main removes it, so that programs that the child starts don't see it.
const markerName = "SHMKIT_PROCESS"

// controlFD is the child's end of the control socket.
const controlFD = 3

// marker is the variable's value.
type marker struct {
	depth   int
	crashFD int // write end of the crash pipe
	parent  int // its process ID, for people and shmctl: environments can be seen from outside
}

func (m marker) setting() string {
	return fmt.Sprintf("%s=v%d:depth=%d:crash=%d:parent=%d", markerName, protocolVersion, m.depth, m.crashFD, m.parent)
}

func (m *marker) parse(value string) error {
	rest, found := value, true
	next := func(prefix string) int { // without package fmt, which takes its time when it is first used
		var field string
		field, rest, _ = strings.Cut(rest, ":")
		digits, ok := strings.CutPrefix(field, prefix)
		n, err := strconv.Atoi(digits)
		found = found && ok && err == nil
		return n
	}
	next("v") // another version gets its answer over the socket
	m.depth, m.crashFD, m.parent = next("depth="), next("crash="), next("parent=")
	if !found || m.depth < 1 || m.crashFD <= controlFD {
		return fmt.Errorf("%s=%q makes no sense", markerName, value)
	}
	return nil
}
