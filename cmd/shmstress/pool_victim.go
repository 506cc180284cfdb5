package main

import (
	"os"
	"time"

	"github.com/shmkit/shmkit/pool"
)

// A poolVictim is a worker of a pool, as its Stats show it.
type poolVictim struct {
	run    *poolRun
	side   *poolSide
	worker pool.WorkerStats
}

// withProcess calls f with the worker's process, if it is still that worker's.
// The process is looked up first and then whether the number stands for the
// same worker: so f never gets another one that has the number now.
func (v *poolVictim) withProcess(f func(*os.Process)) bool {
	p, err := os.FindProcess(v.worker.PID)
	if err != nil {
		return false
	}
	defer p.Release()
	for _, w := range v.side.pool.Stats().Workers {
		if w.Worker == v.worker.Worker && w.PID == v.worker.PID && w.State != "dead" {
			f(p)
			return true
		}
	}
	return false
}

func (v *poolVictim) kill() {
	v.withProcess(func(p *os.Process) {
		before := v.side.ended.Load()
		if !v.side.sentence(v.worker.Worker) || p.Kill() != nil {
			return
		}
		v.run.counts.killed.Add(1)
		v.run.pauses.begin(time.Now(), func() bool { return v.side.ended.Load() > before })
	})
}

func (v *poolVictim) stop() (goOn func()) {
	stopped := false
	v.withProcess(func(p *os.Process) { stopped = p.Signal(sigStop) == nil })
	if !stopped {
		return nil
	}
	return func() {
		v.withProcess(func(p *os.Process) { p.Signal(sigCont) })
	}
}
