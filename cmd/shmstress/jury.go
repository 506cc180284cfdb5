package main

import (
	"bytes"
	"errors"
	"strings"
	"sync"
	"syscall"

	"github.com/shmkit/shmkit/pool"
)

// A jury judges the outcomes of one pool's tasks. It is used from several
// goroutines.
type jury struct {
	*court
	name    string
	retries int
	sheet   *sheet

	mu       sync.Mutex
	killed   map[int]bool // workers that we have killed; by their numbers
	blamed   map[int]bool // workers for whose death a task has failed
	kills    uint64
	fates    map[string]uint64
	bereaved uint64 // tasks that failed for a death that they did not bring about
}

func newJury(c *court, name string, retries int, s *sheet) *jury {
	return &jury{court: c, name: name, retries: retries, sheet: s,
		killed: map[int]bool{}, blamed: map[int]bool{}, fates: map[string]uint64{}}
}

// mostRemembered is how many workers are remembered by number. A death is
// judged long before as many have followed it.
const mostRemembered = 1 << 14

// sentence notes that a worker is about to be killed, and tells whether it has
// not been already.
func (j *jury) sentence(worker int) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.killed[worker] {
		return false
	}
	j.kills++
	remember(j.killed, worker)
	return true
}

// remember adds a number to a set. Numbers grow: it forgets the lower half when
// there are too many.
func remember(set map[int]bool, n int) {
	if len(set) >= mostRemembered {
		for m := range set {
			if m < n-mostRemembered/2 {
				delete(set, m)
			}
		}
	}
	set[n] = true
}

// A sheetLine's figures, when its task has ended.
type runs struct{ begun, ended uint64 }

// judge judges the outcome of a task.
func (j *jury) judge(t *task, n runs, a answer, err error) {
	fate := j.fateOf(t, n, a, err)
	if most := uint64(j.retries) + 1; n.begun > most {
		j.charge(repeated, "%s: %v task %d ran %d times, and may %d times", j.name, t.How, t.ID, n.begun, most)
	}
	j.count(fate)
}

func (j *jury) count(fate string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.fates[fate]++
}

// Fates of tasks.
const (
	fateResult = "result"
	fateError  = "error"
	fatePanic  = "panic"
	fateDeath  = "worker died"
	fateOther  = "other"
)

func (j *jury) fateOf(t *task, n runs, a answer, err error) string {
	var remote *pool.RemoteError
	var panicked *pool.PanicError
	var died *pool.WorkerError
	switch {
	case err == nil:
		j.judgeResult(t, n, a)
		return fateResult
	case errors.As(err, &remote) && remote.Err == nil:
		if t.How != refuse || remote.Text != refusal(t.ID) || n.ended == 0 {
			j.charge(wrong, "%s: %v task %d, which ended %d times: %v", j.name, t.How, t.ID, n.ended, err)
		}
		return fateError
	case errors.As(err, &panicked):
		if t.How != scream || panicked.Value != cry(t.ID) || n.ended == 0 {
			j.charge(wrong, "%s: %v task %d, which ended %d times: %v", j.name, t.How, t.ID, n.ended, err)
		}
		return fatePanic
	case errors.As(err, &died):
		j.judgeDeath(t, died)
		return fateDeath
	}
	j.charge(wrong, "%s: %v task %d: %v", j.name, t.How, t.ID, err)
	return fateOther
}

func (j *jury) judgeResult(t *task, n runs, a answer) {
	want := t.answer()
	switch {
	case !t.How.answers() && !(t.How.deadly() && n.begun > 1):
		j.charge(wrong, "%s: %v task %d, which ran %d times, has a result", j.name, t.How, t.ID, n.begun)
	case a.ID != want.ID || a.Sum != want.Sum || !bytes.Equal(a.Payload, want.Payload):
		j.charge(wrong, "%s: %v task %d has the result of %d, sum %x, with %d bytes; it should be sum %x with %d bytes",
			j.name, t.How, t.ID, a.ID, a.Sum, len(a.Payload), want.Sum, len(want.Payload))
	case n.ended == 0:
		j.charge(wrong, "%s: %v task %d has a result, and never came to its end", j.name, t.How, t.ID)
	}
}

// judgeDeath judges a failure for a worker's death: it must have been that
// worker's, and each death costs one task at most.
func (j *jury) judgeDeath(t *task, e *pool.WorkerError) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if e.Attempt != j.retries+1 {
		j.charge(unearned, "%s: %v task %d was given up after %d of %d runs: %v", j.name, t.How, t.ID, e.Attempt, j.retries+1, e)
		return
	}
	if j.blamed[e.Worker] {
		j.charge(unearned, "%s: %v task %d failed for the death of worker %d, and another had before: %v", j.name, t.How, t.ID, e.Worker, e)
	}
	remember(j.blamed, e.Worker)
	if diedOf(t, e) {
		return
	}
	j.bereaved++
	if !isKill(e.Signal) || !j.killed[e.Worker] && !j.sheet.willOf(e.PID) {
		j.charge(unearned, "%s: %v task %d failed, and nobody had killed its worker: %v; %s", j.name, t.How, t.ID, e, firstLine(e.Crash))
	}
}

// diedOf tells whether the worker died of its task.
func diedOf(t *task, e *pool.WorkerError) bool {
	switch t.How {
	case exits:
		return e.Signal == 0 && e.ExitCode == exitCode
	case crashes:
		return e.ExitCode == 2 && strings.Contains(e.Crash, cry(t.ID))
	case killsOwn:
		return e.Signal == syscall.SIGKILL
	}
	return false
}

// judgeMissing judges the tasks of a Map that have no result, but for the first
// of them: their errors are not told.
func (j *jury) judgeMissing(t *task, n runs) {
	switch {
	case t.How == refuse || t.How == scream:
		j.count(map[behaviour]string{refuse: fateError, scream: fatePanic}[t.How])
		return
	case j.retries > 0:
		j.charge(unearned, "%s: %v task %d, which ran %d times, has no result", j.name, t.How, t.ID, n.begun)
	case !t.How.deadly():
		j.mu.Lock()
		j.bereaved++
		j.mu.Unlock()
	}
	if n.begun > uint64(j.retries)+1 {
		j.charge(repeated, "%s: %v task %d of a map ran %d times", j.name, t.How, t.ID, n.begun)
	}
	j.count(fateDeath)
}

// weigh compares the tasks that failed for deaths with the deaths: each costs
// one at most.
func (j *jury) weigh() {
	j.mu.Lock()
	defer j.mu.Unlock()
	if kills := j.kills + j.sheet.head.willed.Load(); j.bereaved > kills {
		j.charge(unearned, "%s: %d tasks failed for the deaths of %d workers", j.name, j.bereaved, kills)
	}
}

// outcomes returns what became of the tasks.
func (j *jury) outcomes() (fates map[string]uint64, all uint64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	fates = map[string]uint64{}
	for fate, n := range j.fates {
		fates[fate] = n
		all += n
	}
	return fates, all
}

// willOf tells whether a worker has written that it kills itself.
func (s *sheet) willOf(pid int) bool {
	for i := range s.wills {
		if s.wills[i].pid.Load() == uint64(pid) {
			return true
		}
	}
	return false
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(strings.TrimLeft(s, "\n"), "\n")
	return line
}
