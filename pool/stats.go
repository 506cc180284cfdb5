package pool

import "time"

// Stats is what a pool is doing and has done. Its figures are items, that is
// calls of functions, where nothing else is said. They are gathered one after
// the other while the pool goes on, so they need not agree to the last item.
type Stats struct {
	Workers []WorkerStats

	Submitted uint64 // by Go, Map and the like
	Done      uint64 // ended with a result
	Failed    uint64 // ended with an error of any kind
	Retried   uint64 // runs again after a worker's death
	Restarts  uint64 // workers that replaced one that had died

	Queued  int // tasks (chunks) that wait for a worker
	Running int // tasks (chunks) that a worker has taken

	CallbackPanics uint64 // panics of OnDone callbacks
}

// WorkerStats is what one worker is doing.
type WorkerStats struct {
	Worker int // its number: counts all workers that the pool has had
	PID    int // 0 until it runs

	// State is "starting", "idle", "running", "dead" (its replacement has not
	// started yet), or "none".
	State string

	Func  string // name of the function that it runs; empty if none
	Items int    // items of the task that it runs
	Ended int    // items of that task that have ended

	Since time.Time // when the task was taken; for other states, when they began, at the latest
	Total uint64    // items that this worker has run to their end, in tasks that have ended
}

// Stats returns what the pool is doing. After its end it returns what was then.
func (p *Pool) Stats() Stats {
	if p.table.seg.Acquire() == nil {
		defer p.table.seg.Release()
		return p.stats()
	}
	<-p.ended
	return p.last
}

func (p *Pool) stats() Stats {
	s := p.table.stats()
	s.CallbackPanics = p.panicked.Load()
	s.Queued = max(int(p.open.Load()&^closedBit)-s.Running, 0)
	return s
}

// stats reads what stands in the table.
func (v *view) stats() Stats {
	s := Stats{
		Submitted: v.hdr.submitted.Load(),
		Done:      v.hdr.done.Load(),
		Failed:    v.hdr.failed.Load(),
		Retried:   v.hdr.retried.Load(),
		Restarts:  v.hdr.restarts.Load(),
		Workers:   make([]WorkerStats, len(v.lines)),
	}
	for i := range v.lines {
		s.Workers[i] = v.worker(&v.lines[i])
		if s.Workers[i].State == "running" {
			s.Running++
		}
	}
	return s
}

// worker reads a line. Its words, and those of the entry it names, may change
// meanwhile; and they may be nonsense.
func (v *view) worker(l *workerLine) WorkerStats {
	w := WorkerStats{
		Worker: int(l.id.Load()),
		PID:    int(l.pid.Load()),
		Since:  time.Unix(0, int64(l.since.Load())),
		Total:  l.ended.Load(),
	}
	switch workerState(l.state.Load()) {
	case workerStarting:
		w.State = "starting"
	case workerReady:
		w.State = "idle"
	case workerDead:
		w.State = "dead"
	default:
		w.State = "none"
	}
	task := l.task.Load()
	if w.State != "idle" || task == 0 || task > uint64(len(v.entries)) {
		return w
	}
	w.State = "running"
	content := v.entries[task-1].content.Load()
	if f := content >> 32; f < uint64(len(v.names)) {
		w.Func = v.name(int(f))
	}
	w.Items = int(uint32(content))
	w.Ended = min(int(l.progress.Load()/2), w.Items)
	return w
}
