package pool

import (
	"fmt"
	"slices"
	"time"

	"github.com/shmkit/shmkit/shm"
)

// A Report is a pool as seen from outside, by reading its segment and nothing
// else. Of the Stats only CallbackPanics is not there. It is what shmctl shows.
type Report struct {
	Stats
	MaxTasks  int
	Functions []string     // registered in the program
	Tasks     []TaskReport // unfinished ones, the oldest first
}

// TaskReport is an unfinished task.
type TaskReport struct {
	Func    string
	Items   int
	Attempt int
	Queued  time.Time // the last time
	Worker  int       // that runs it; 0 if it waits for one
	Begun   time.Time // zero if it waits
}

// Inspect reads the pool whose segment was opened with [shm.Inspect]. It writes
// nothing and takes no slot and no lock. The error wraps [shm.ErrKind] for
// another kind of segment, [shm.ErrLayout] for another version's, and
// [shm.ErrCorrupt] for impossible values.
func Inspect(i *shm.Inspection) (*Report, error) {
	info := i.Info()
	if info.Kind != Kind {
		return nil, fmt.Errorf("pool: inspect %s: %w: a %s", info.Name, shm.ErrKind, info.Kind)
	}
	if info.Layout != layoutVersion {
		return nil, fmt.Errorf("pool: inspect %s: %w: %d, want %d", info.Name, shm.ErrLayout, info.Layout, layoutVersion)
	}
	v, err := viewOf(i.Body())
	if err != nil {
		return nil, fmt.Errorf("pool: inspect %s: %w", info.Name, err)
	}
	return v.report(), nil
}

func (v *view) report() *Report {
	r := &Report{Stats: v.stats(), MaxTasks: v.tasks}
	for i := range v.names {
		r.Functions = append(r.Functions, v.name(i))
	}
	r.Running = 0
	for i := range v.entries {
		e := &v.entries[i]
		w := taskWord(e.word.Load())
		if w.state() != taskQueued && w.state() != taskRunning {
			continue
		}
		content := e.content.Load()
		t := TaskReport{
			Items:   int(uint32(content)),
			Attempt: w.attempt(),
			Queued:  time.Unix(0, int64(e.queued.Load())),
		}
		if f := content >> 32; f < uint64(len(v.names)) {
			t.Func = v.name(int(f))
		}
		if w.state() == taskRunning {
			t.Worker = int(w.worker())
			t.Begun = time.Unix(0, int64(e.begun.Load()))
			r.Running++
		} else {
			r.Queued++
		}
		r.Tasks = append(r.Tasks, t)
	}
	slices.SortStableFunc(r.Tasks, func(a, b TaskReport) int { return a.Queued.Compare(b.Queued) })
	return r
}
