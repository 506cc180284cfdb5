package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"time"

	"github.com/shmkit/shmkit/pool"
)

// A task is what the workers of a pool's run are given.
type task struct {
	ID      uint64
	How     behaviour
	Line    int // of the job sheet
	Nap     time.Duration
	Payload []byte // bytes that follow from seed and id: see mint
	Sheet   string // handle
	Seed    uint64
	Workers int
	Faults  faults // of this worker
}

// An answer is what a task returns: proof that its function has had the
// argument.
type answer struct {
	ID      uint64
	Sum     uint64
	Payload []byte
}

// A behaviour is what a task does.
type behaviour uint8

const (
	compute behaviour = iota
	nap
	refuse   // returns an error
	scream   // panics
	exits    // ends the worker by os.Exit, the first time
	crashes  // by a panic in another goroutine, the first time
	killsOwn // by SIGKILL, the first time
	meet     // waits until as many tasks run as there are workers
	behaviours
)

func (b behaviour) String() string {
	return [behaviours]string{"compute", "nap", "refuse", "scream", "exit", "crash", "kill", "meet"}[b]
}

// deadly tells whether the task ends its worker.
func (b behaviour) deadly() bool { return b >= exits && b <= killsOwn }

// answers tells whether the task returns a result, if it is let to.
func (b behaviour) answers() bool { return b == compute || b == nap || b == meet }

const exitCode = 3 // of a task that exits

func refusal(id uint64) string { return fmt.Sprintf("task %d refuses", id) }
func cry(id uint64) string     { return fmt.Sprintf("task %d screams", id) }

var runTask = pool.Register("shmstress.task", perform)

// thisWorker is what a worker keeps from task to task.
var thisWorker struct {
	once  sync.Once
	sheet *sheet
	err   error
}

// perform is the function that the workers run.
func perform(ctx context.Context, t task) (answer, error) {
	w := &thisWorker
	w.once.Do(func() {
		if w.sheet, w.err = openSheet(t.Sheet); w.err == nil {
			go mindOrphans(w.sheet.seg)
			r := rand.New(rand.NewPCG(t.Seed, uint64(os.Getpid())))
			t.Faults.arm(r, w.sheet.bequeath)
		}
	})
	if w.err != nil {
		return answer{}, w.err
	}
	line := &w.sheet.lines[t.Line]
	run := line.begun.Add(1)
	defer line.ended.Add(1)
	switch t.How {
	case nap:
		wait(ctx, t.Nap)
	case refuse:
		return answer{}, errors.New(refusal(t.ID))
	case scream:
		panic(cry(t.ID))
	case meet:
		return t.answer(), w.sheet.meet(ctx, t.Workers)
	}
	if run == 1 {
		switch t.How {
		case exits:
			os.Exit(exitCode)
		case crashes:
			go panic(cry(t.ID))
			select {}
		case killsOwn:
			killSelf()
		}
	}
	return t.answer(), nil
}

// answer is the result that the task must have.
func (t *task) answer() answer {
	sum := mix(t.ID)
	for _, b := range t.Payload {
		sum = (sum ^ uint64(b)) * 0x100000001b3
	}
	return answer{t.ID, sum, t.Payload}
}

// meet waits until n workers are here at a time.
func (s *sheet) meet(ctx context.Context, n int) error {
	s.head.met.Add(1)
	for s.head.met.Load() < uint64(n) {
		if ctx.Err() != nil || s.head.calledOff.Load() != 0 {
			return errors.New("nobody came")
		}
		wait(ctx, time.Millisecond)
	}
	return nil
}
