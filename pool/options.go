package pool

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime"
	"sync"
	"time"

	"github.com/shmkit/shmkit/process"
	"github.com/shmkit/shmkit/ringqueue"
	"github.com/shmkit/shmkit/shm"
)

const (
	defaultTasks    = 1 << 14
	defaultCapacity = 4 << 20
	minCapacity     = 64 << 10
	defaultGrace    = 2 * time.Second
	stderrTail      = 8 << 10
	mostScratch     = 64 << 10
)

// Options say how a pool is made. The zero value of each field is the default;
// a nil *Options is all defaults. New does not keep or change it.
type Options struct {
	// Workers is the number of worker processes, at most 240. 0: as many as
	// this process may use CPUs ([runtime.GOMAXPROCS], which heeds affinity and
	// control group).
	Workers int

	// Retries is how often a task is run again whose worker died in it. Only
	// deaths count: an error and a panic are results. 0: never, so that each
	// task runs at most once.
	Retries int

	// Name is the name of the pool's segment, for people and tools. The
	// queues are called Name.tasks and Name.results. It must not be that of
	// another segment in Dir. Empty: "pool-" and random letters.
	Name string

	// Dir is the directory of the pool's files. Empty: [shm.DefaultDir]. What
	// other pools left there that were killed with all their workers is
	// removed by New.
	Dir string

	// MaxTasks bounds the tasks that are submitted and not finished, a chunk
	// being one: who submits more waits. At most 1048576; 0: 16384.
	MaxTasks int

	// Capacity is the size in bytes of each of the two queues, for arguments
	// and for results; rounded up to a power of two, at least 64 KiB, at most
	// 512 MiB. An argument or result can have a quarter of it, less 28 bytes,
	// and at most 16 MiB. Who submits waits while the queue is full.
	// 0: 4 MiB.
	Capacity int

	// Wait is how workers wait for tasks, and the parent for results.
	Wait shm.WaitPolicy

	// Stdout and Stderr are written by the workers. Nil: this process's. Other
	// writers than an *os.File are written by a goroutine of this process, by
	// one worker at a time.
	Stdout, Stderr io.Writer

	// Grace is the time that a task has to return when this process has died
	// and the task's context is cancelled. 0: 2 s.
	Grace time.Duration

	// Logger gets a line for each worker that dies or can't be started, and for
	// each user callback that panics. nil: none.
	Logger *slog.Logger
}

// settings are the options checked and completed.
type settings struct {
	Options
	capacity int
	scratch  int
}

func (o *Options) settings() (*settings, error) {
	s := new(settings)
	if o != nil {
		s.Options = *o
	}
	if s.Workers == 0 {
		s.Workers = min(runtime.GOMAXPROCS(0), maxWorkers)
	}
	if s.Workers < 0 || s.Workers > maxWorkers {
		return nil, fmt.Errorf("option Workers %d: not from 1 to %d", s.Workers, maxWorkers)
	}
	if s.Retries < 0 {
		return nil, fmt.Errorf("option Retries %d: negative", s.Retries)
	}
	if s.MaxTasks == 0 {
		s.MaxTasks = defaultTasks
	}
	if s.MaxTasks < 0 || s.MaxTasks > maxTasks {
		return nil, fmt.Errorf("option MaxTasks %d: not from 1 to %d", s.MaxTasks, maxTasks)
	}
	if s.Grace < 0 {
		return nil, fmt.Errorf("option Grace %v: negative", s.Grace)
	}
	if s.Grace == 0 {
		s.Grace = defaultGrace
	}
	s.capacity = s.Capacity
	if s.capacity == 0 {
		s.capacity = defaultCapacity
	}
	if s.capacity < 0 {
		return nil, fmt.Errorf("option Capacity %d: negative", s.capacity)
	}
	s.capacity = max(s.capacity, minCapacity)
	// Whatever is in the scratch must fit in one record.
	s.scratch = min(mostScratch, s.capacity/4-pageSize)
	s.scratch -= s.scratch % pageSize
	if s.Logger == nil {
		s.Logger = slog.New(slog.DiscardHandler)
	}
	s.Stdout, s.Stderr = takingTurns(s.Stdout), takingTurns(s.Stderr)
	return s, nil
}

func (s *settings) ring(producers bool) *ringqueue.Options {
	return &ringqueue.Options{
		Dir:            s.Dir,
		Capacity:       s.capacity,
		MaxLarge:       -1, // what is too large for a quarter of the ring is an error of the task
		Wait:           s.Wait,
		MaxAttempts:    -1, // a record that kills workers is the table's business
		SingleProducer: !producers,
		SingleConsumer: producers,
		Logger:         s.Logger,
	}
}

func (s *settings) process(line int) *process.Options {
	return &process.Options{
		Name:       fmt.Sprintf("worker-%d", line+1),
		Stdout:     s.Stdout,
		Stderr:     s.Stderr,
		StderrTail: stderrTail,
		OwnGroup:   true,
		Grace:      s.Grace,
	}
}

// takingTurns returns w such that several workers may write it.
func takingTurns(w io.Writer) io.Writer {
	if _, ok := w.(*os.File); ok || w == nil {
		return w
	}
	return &turns{w: w}
}

type turns struct {
	mu sync.Mutex
	w  io.Writer
}

func (t *turns) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.w.Write(b)
}
