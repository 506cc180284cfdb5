package pool

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"syscall"
	"time"

	"github.com/shmkit/shmkit/process"
)

// An incarnation is one worker process. Its number, and not its process ID,
// stands in the table: that is never used twice.
type incarnation struct {
	id    uint32
	line  int
	proc  *process.Process // nil until it is started
	ready bool             // it has said so; collector
	ended bool             // it has ended an item; collector
	err   *WorkerError     // how it died; written before its marker is put

	// buried is closed by the collector when it has dealt with all that the
	// worker left. Then the line may be given to another.
	buried chan struct{}
}

// tend keeps a worker on a line until the pool ends.
func (p *Pool) tend(line int) {
	var b backoff
	for first := true; p.pause(b.next()); first = false {
		if !first {
			p.table.hdr.restarts.Add(1)
		}
		w, err := p.launch(line)
		if err == nil {
			p.watch(w)
			if p.over() {
				return
			}
			p.warn("worker died", "worker", w.id, "pid", w.err.PID, "code", w.err.ExitCode, "ready", w.ready)
			if w.ended {
				b.reset()
			}
			if w.ready {
				continue
			}
			err = w.err.exit()
		}
		if p.over() {
			return
		}
		if p.starts.failed(err) {
			p.abort(fmt.Errorf("%w: %w", ErrWorkerStart, err))
			return
		}
	}
}

// over tells whether no worker is needed any more.
func (p *Pool) over() bool {
	select {
	case <-p.ctx.Done():
		return true
	case <-p.empty:
		return true
	default:
		return false
	}
}

// pause waits, and reports false if no worker is needed any more.
func (p *Pool) pause(d time.Duration) bool {
	if d > 0 {
		t := time.NewTimer(d)
		defer t.Stop()
		select {
		case <-t.C:
		case <-p.ctx.Done():
		case <-p.empty:
		}
	}
	return !p.over()
}

// launch starts a worker on a line whose last worker is buried.
func (p *Pool) launch(line int) (*incarnation, error) {
	w := &incarnation{id: p.nextID(), line: line, buried: make(chan struct{})}
	p.mu.Lock()
	p.workers[w.id] = w
	p.mu.Unlock()
	p.table.lines[line].prepare(w.id)
	proc, err := workerFunc.Start(p.ctx, workerArgs{
		Table:     p.table.seg.Handle(),
		Tasks:     p.tasks.Handle(),
		Results:   p.results.Handle(),
		Functions: p.sum,
		ID:        w.id,
		Line:      uint32(line),
		Wait:      p.settings.Wait,
	}, p.settings.process(line))
	p.mu.Lock()
	defer p.mu.Unlock()
	if err != nil {
		delete(p.workers, w.id)
		return nil, err
	}
	w.proc = proc
	return w, nil
}

// nextID returns a number for a worker: not 0, and not one that is in use.
func (p *Pool) nextID() uint32 {
	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		id := p.serial.Add(1) & workerMask
		if id != 0 && p.workers[id] == nil {
			return id
		}
	}
}

// watch waits for a worker's end, and for what it leaves to be dealt with.
//
// The marker is put on the results ring after the worker is dead, so it comes
// behind everything that the worker has put there: when the collector reaches
// it, a task that the table says to run on this worker has no result and never
// will.
func (p *Pool) watch(w *incarnation) {
	select {
	case <-w.proc.Done():
	case <-p.ctx.Done():
		w.proc.Kill()
		<-w.proc.Done()
	}
	w.err = obituary(w)
	w.proc.Close()
	// What it held of the rings, and its slots, are free at once, instead of
	// when somebody happens to meet them.
	p.tasks.Segment().RecoverDead()
	p.results.Segment().RecoverDead()
	p.table.seg.RecoverDead()
	if err := putResult(p.ctx, p.results, resultRecord{kind: kindDied, worker: w.id}, nil); err != nil {
		if p.ctx.Err() == nil {
			p.abort(fmt.Errorf("pool: put marker: %w", err))
		}
		return // whatever it ran has been failed
	}
	select {
	case <-w.buried:
	case <-p.ctx.Done():
	}
}

// obituary says how a worker ended that has ended.
func obituary(w *incarnation) *WorkerError {
	e := &WorkerError{Worker: int(w.id), PID: w.proc.PID()}
	var exit *process.ExitError
	if errors.As(w.proc.Wait(context.Background()), &exit) {
		e.ExitCode = exit.Code
		e.Signal = exit.Signal
		e.Crash = exit.Crash
		e.StderrTail = exit.StderrTail
		e.OOM = exit.OOM
	}
	return e
}

// exit is the error of a worker that died before it was ready.
func (e *WorkerError) exit() error {
	c := *e
	c.Func = "start"
	c.Attempt = 1
	if c.StderrTail == "" {
		return &c
	}
	return fmt.Errorf("%w; standard error: %s", &c, c.StderrTail)
}

// A startCount counts the starts that failed since the last that did not.
type startCount struct {
	mu    sync.Mutex
	score int
}

// After so many failures in a row a pool gives up. A worker that somebody kills
// while it starts is not at fault; but if it goes on for long enough,
// something is killing all workers, and an error is better than no end.
const (
	mostFailed    = 5
	mostKilled    = 100
	scoreOfFailed = mostKilled / mostFailed
)

// failed counts a failure, and tells whether it is time to give up.
func (c *startCount) failed(err error) bool {
	if errors.Is(err, process.ErrNoMain) || errors.Is(err, process.ErrDepth) || errors.Is(err, process.ErrMismatch) ||
		errors.Is(err, errors.ErrUnsupported) {
		return true // and would be the next time
	}
	score := scoreOfFailed
	var exit *process.ExitError
	var died *WorkerError
	if errors.As(err, &exit) && exit.Signal == syscall.SIGKILL && !exit.OOM ||
		errors.As(err, &died) && died.Signal == syscall.SIGKILL && !died.OOM {
		score = 1
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.score += score
	return c.score >= mostKilled
}

func (c *startCount) succeeded() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.score = 0
}

// backoff is how long a line waits for its next worker: not at all for the
// first replacement and after a worker that got something done, then 1 ms, and
// twice as long each time, up to 128 ms.
type backoff struct {
	n int // deaths in a row
}

const mostDoublings = 7

func (b *backoff) next() time.Duration {
	b.n++
	if b.n <= 2 { // the first worker, and the first replacement
		return 0
	}
	return time.Millisecond << min(b.n-3, mostDoublings)
}

func (b *backoff) reset() { b.n = 1 }
