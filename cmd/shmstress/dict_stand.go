package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/shmkit/shmkit/process"
)

// A stand is the referee's side of a place. Its keeper starts a process there, and another one
// whenever that has been killed.
type stand struct {
	*dictRun
	number int
	line   *placeLine
	chair
}

func (p *stand) String() string { return fmt.Sprintf("place %d", p.number) }

// keep keeps the place taken until the run is over, and returns when nobody is there any
// more. The error is of the system, not the library's.
func (p *stand) keep(ctx context.Context) error {
	for life := 1; ; life++ {
		again, err := p.live(ctx, life)
		if err != nil || !again {
			return err
		}
	}
}

// live starts a process and sees it to its end. It tells whether there must be a
// next one.
func (p *stand) live(ctx context.Context, life int) (again bool, err error) {
	p.line.ready.Store(0)
	p.line.duty.Store(0)
	p.line.will.length.Store(0)
	p.line.life.Store(uint64(life))
	proc, err := dictFunc.Start(ctx, p.args(p.number, life), &process.Options{
		Name:     fmt.Sprintf("stress-%d.%d", p.number, life),
		Stdout:   p.log,
		Stderr:   p.log,
		OwnGroup: true, // so that one that is stopped does not outlive the referee
		Grace:    time.Second,
	})
	if err != nil {
		if ctx.Err() != nil {
			return false, nil
		}
		return false, err
	}
	p.counts.started.Add(1)
	p.sit(proc)
	<-proc.Done()
	killed := p.sit(nil)
	err = proc.Wait(context.Background())
	proc.Close()
	p.bury(life, killed, err)
	return err != nil && ctx.Err() == nil, nil
}

// bury finds out whether a process has died as it should. We may have killed it.
func (p *stand) bury(life int, killed bool, err error) {
	var exit *process.ExitError
	switch {
	case err == nil:
	case !errors.As(err, &exit):
		p.charge(crashed, "%v, life %d: %v", p, life, err)
	case isKill(exit.Signal):
		if step, when, others := p.line.will.read(); step != "" {
			p.counts.stepKill(step)
			p.pauses.begin(time.Unix(0, when), p.passedBy(others))
		} else if killed {
			p.counts.killed.Add(1)
		}
	case exit.Crash != "":
		p.dump(fmt.Sprintf("crash-%d.%d.txt", p.number, life), []byte(exit.Error()+"\n\n"+exit.Crash))
		if !p.hanging.Load() {
			p.charge(crashed, "%v, life %d: %v", p, life, exit)
		}
	default:
		kind, text, _ := strings.Cut(exit.Err, ": ")
		if !slices.Contains(findings, kind) {
			kind, text = failedOp, exit.Error()
		}
		p.charge(kind, "%v, life %d: %s", p, life, text)
	}
}

// findings are the kinds of violations that members find.
var findings = []string{lost, duplicate, late, torn, invented, stale, miscounted, unbalanced, wrong}

func (p *stand) kill() {
	var now time.Time
	var over func() bool
	if p.shoot(func() { now, over = time.Now(), p.passedBy(p.board.changes(p.number)) }) {
		p.pauses.begin(now, over)
	}
}

// passedBy returns what tells whether others have made a change since they had made so
// many.
func (p *stand) passedBy(others uint64) func() bool {
	return func() bool { return p.board.changes(p.number) > others }
}

func (p *stand) stop() (goOn func()) {
	thaw := p.freeze(func() bool { return p.line.ready.Load() == 1 })
	if thaw == nil {
		return nil
	}
	return func() { p.heed(thaw()) }
}

// heed charges the library with an error of a signal.
func (p *stand) heed(err error) {
	if err != nil {
		p.charge(failedOp, "%v: %v", p, err)
	}
}

// works tells whether somebody is here who takes part and is not stopped.
func (p *stand) works() bool { return p.taken() && p.line.ready.Load() == 1 }

// doing says what the member is in the middle of.
func (p *stand) doing() string {
	if i := p.line.duty.Load(); i > 0 && i <= uint64(len(duties)) {
		return duties[i-1].name
	}
	return "nothing"
}
