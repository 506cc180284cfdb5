package pool

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/shmkit/shmkit/process"
	"github.com/shmkit/shmkit/ringqueue"
	"github.com/shmkit/shmkit/shm"
)

// A Pool is a number of worker processes and the queues that connect them with
// this one. [New] makes it. Its methods may be called by several goroutines at
// once.
//
// A pool that is given up without Close or Terminate does not keep the program
// from ending. Its workers end with the program.
type Pool struct {
	settings  *settings
	functions []*function
	sum       uint64

	table   *table
	tasks   *ringqueue.Ring // this process puts, the workers take
	results *ringqueue.Ring // the workers put, this process's collector takes

	slots []atomic.Pointer[job] // by entry
	free  chan uint32           // entries without a task; room for all

	// open is the number of jobs that are being submitted or not finished,
	// and closedBit once there will be no more.
	open  atomic.Int64
	end   atomic.Pointer[error] // why the pool was stopped with jobs unfinished
	ctx   context.Context       // done when it was
	stop  context.CancelFunc
	empty chan struct{} // closed when the pool is closed and has nothing left to do
	ended chan struct{} // closed when all is over

	drained  sync.Once
	serial   atomic.Uint32 // of workers
	starts   startCount
	panicked atomic.Uint64 // callbacks

	mu      sync.Mutex
	workers map[uint32]*incarnation // those that are not buried
	ready   []bool                  // lines that have had a worker which was ready
	up      chan struct{}           // closed when all have
	last    Stats                   // when all is over
}

const closedBit = 1 << 62

// New starts a pool, and returns when all its workers are ready for tasks. A
// nil o is the default.
//
// The error wraps [ErrWorkerStart] when the workers can't be started, and what
// package process says about it; the others are those of creating a segment.
// [process.Main] must have been called.
func New(o *Options) (*Pool, error) {
	s, err := o.settings()
	if err != nil {
		return nil, fmt.Errorf("pool: new: %w", err)
	}
	if process.Current().Name == "" {
		return nil, fmt.Errorf("pool: new: %w: %w", ErrWorkerStart, process.ErrNoMain)
	}
	p, err := create(s)
	if err != nil {
		return nil, fmt.Errorf("pool: new: %w", err)
	}
	p.start()
	select {
	case <-p.up:
		return p, nil
	case <-p.ended:
		return nil, fmt.Errorf("pool: new: %w", p.ending())
	}
}

// create makes the pool's memory.
func create(s *settings) (p *Pool, err error) {
	dir := shm.DefaultDir()
	if s.Dir != "" {
		dir = shm.Dir(s.Dir)
	}
	// Not to be swept up is no reason not to work.
	if _, err := dir.Sweep(); err != nil {
		s.Logger.Warn("pool: sweep before start", "dir", string(dir), "err", err)
	}
	name := s.Name
	if name == "" {
		name = "pool-" + strings.ToLower(rand.Text()[:16])
	}
	p = &Pool{
		settings: s,
		slots:    make([]atomic.Pointer[job], s.MaxTasks),
		free:     make(chan uint32, s.MaxTasks),
		empty:    make(chan struct{}),
		ended:    make(chan struct{}),
		workers:  make(map[uint32]*incarnation),
		ready:    make([]bool, s.Workers),
		up:       make(chan struct{}),
	}
	p.functions, p.sum = functions.list()
	for i := range p.slots {
		p.free <- uint32(i)
	}
	p.ctx, p.stop = context.WithCancel(context.Background())
	g := geometry{workers: s.Workers, functions: len(p.functions), tasks: s.MaxTasks, scratch: s.scratch}
	p.table, err = createTable(name, g, p.functions, &shm.Options{Dir: s.Dir, Logger: s.Logger})
	if err != nil {
		return nil, err
	}
	tasks, err := ringqueue.Create[[]byte](name+".tasks", s.ring(false))
	if err != nil {
		p.table.seg.Close()
		return nil, err
	}
	results, err := ringqueue.Create[[]byte](name+".results", s.ring(true))
	if err != nil {
		tasks.Close()
		p.table.seg.Close()
		return nil, err
	}
	p.tasks, p.results = tasks.Ring(), results.Ring()
	return p, nil
}

// start starts the goroutines that the pool has: one for each worker, one that
// takes the results, and one that ends it all when they have ended.
func (p *Pool) start() {
	var tenders, collector sync.WaitGroup
	for line := range p.settings.Workers {
		tenders.Go(func() { p.tend(line) })
	}
	ctx, cancel := context.WithCancel(context.Background())
	collector.Go(func() { p.collect(ctx) })
	go func() {
		tenders.Wait()
		<-p.empty // after Terminate: nobody has a job in hand any more
		cancel()
		collector.Wait()
		p.stop()
		p.mu.Lock()
		p.last = p.stats()
		p.mu.Unlock()
		p.tasks.Close()
		p.results.Close()
		p.table.seg.Close()
		close(p.ended)
	}()
}

// Name returns the name of the pool's segment.
func (p *Pool) Name() string { return p.table.seg.Name() }

// Close ends the pool when the tasks that have been submitted are done: the
// workers go home then. Later ones get [ErrClosed]. Close does not wait; Join
// does. A second call does nothing.
func (p *Pool) Close() {
	for {
		n := p.open.Load()
		if n&closedBit != 0 {
			return
		}
		if p.open.CompareAndSwap(n, n|closedBit) {
			if n == 0 {
				p.drain()
			}
			return
		}
	}
}

// drain tells the workers that there will be nothing more.
func (p *Pool) drain() {
	p.drained.Do(func() {
		close(p.empty) // first: a worker that goes home is not to be replaced
		p.tasks.Shutdown(false)
	})
}

// Terminate ends the pool at once: its workers are killed, in the middle of
// tasks too, and so are the programs that they have started. All unfinished
// tasks get [ErrTerminated]. Terminate does not wait for the workers' end; Join
// does. Once the pool has ended it does nothing.
func (p *Pool) Terminate() { p.abort(ErrTerminated) }

// abort ends the pool at once, with err for all that is not finished.
func (p *Pool) abort(err error) {
	if !p.end.CompareAndSwap(nil, &err) {
		return
	}
	p.Close()
	p.stop()
	// Who submits stores a job before he looks at end: either he sees it, or
	// we see the job.
	for i := range p.slots {
		if j := p.slots[i].Swap(nil); j != nil {
			p.reject(j, err)
		}
	}
}

// ending returns the error for jobs of a pool that is being ended at once, nil
// if it is not.
func (p *Pool) ending() error {
	if err := p.end.Load(); err != nil {
		return *err
	}
	return nil
}

// Join waits until all is over: the tasks, the workers, the pool's memory. It
// is an error that wraps [ErrRunning] before Close or Terminate. If the pool has
// ended because its workers could not be started, Join returns the error that
// the tasks got; if ctx is done before the end, its error.
func (p *Pool) Join(ctx context.Context) error {
	if p.open.Load()&closedBit == 0 {
		return fmt.Errorf("pool: join: %w", ErrRunning)
	}
	select {
	case <-p.ended:
	default:
		select {
		case <-p.ended:
		case <-ctx.Done():
			return fmt.Errorf("pool: join: %w", ctx.Err())
		}
	}
	if err := p.ending(); err != nil && err != ErrTerminated {
		return fmt.Errorf("pool: join: %w", err)
	}
	return nil
}

func (p *Pool) warn(text string, args ...any) {
	p.settings.Logger.Warn("pool: "+text, append(args, "pool", p.Name())...)
}
