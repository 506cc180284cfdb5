package main

import "github.com/shmkit/shmkit/pool"

// poolOf is what the report says in the words of the contract.
func poolOf(r *pool.Report) *poolTable {
	p := &poolTable{
		Submitted: r.Submitted,
		Done:      r.Done,
		Failed:    r.Failed,
		Retried:   r.Retried,
		Restarts:  r.Restarts,
		Queued:    r.Queued,
		Running:   r.Running,
		MaxTasks:  r.MaxTasks,
		Functions: append([]string{}, r.Functions...),
		Workers:   []worker{},
		Tasks:     []task{},
	}
	for _, w := range r.Workers {
		p.Workers = append(p.Workers, worker{w.Worker, w.PID, w.State, w.Func, w.Items, w.Ended, timeOf(w.Since), w.Total})
	}
	for _, t := range r.Tasks {
		p.Tasks = append(p.Tasks, task{t.Func, t.Items, t.Attempt, t.Worker, t.Queued.UTC(), timeOf(t.Begun)})
	}
	return p
}
