package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/shmkit/shmkit/manager"
	"github.com/shmkit/shmkit/process"
)

// dictArgs is what a member of a dict's run is told at its start.
type dictArgs struct {
	Place, Life    int
	Places, Keys   int
	Board, Manager string // handles
	Seed           uint64
	Sizes          sizes
	Faults         faults
}

var dictFunc = process.Register("shmstress.dict", share)

// A finding is a violation that a member has found. It ends the member with it.
type finding struct{ kind, text string }

func (f *finding) Error() string { return f.kind + ": " + f.text }

func found(kind, format string, args ...any) error {
	return &finding{kind, fmt.Sprintf(format, args...)}
}

// A dictMember is this process, as one of those that share dicts.
type dictMember struct {
	dictArgs
	*hoard
	mint  mint
	rand  *rand.Rand
	board *board
	line  *placeLine
	ctx   context.Context // done when the referee has died
	over  atomic.Bool     // the watch has ended: it has seen that the run is over, or found something

	versions map[ownKey]uint64 // the oldest that may still be seen
	own      []ownState
	sums     [counters]int64 // the largest of each counter that was seen
	buf      []byte
	brief    briefState
}

// duties are what a member does, each so often in turn.
var duties = []struct {
	name   string
	weight int
	do     func(m *dictMember) error
}{
	{"writes", 10, (*dictMember).write},
	{"reads", 10, (*dictMember).read},
	{"additions", 6, (*dictMember).add},
	{"transfers", 5, (*dictMember).transfer},
	{"audits", 2, (*dictMember).audit},
	{"claims", 2, (*dictMember).claim},
	{"iterations", 1, (*dictMember).iterate},
	{"nested dicts", 2, (*dictMember).nest},
	{"expiries", 2, (*dictMember).expire},
}

// share is a member's life.
func share(ctx context.Context, a dictArgs) error {
	m := &dictMember{dictArgs: a, mint: mint{a.Seed, a.Sizes}, ctx: ctx, versions: map[ownKey]uint64{}}
	m.rand = rand.New(rand.NewPCG(a.Seed, mix(uint64(a.Place)<<32|uint64(a.Life))))
	var err error
	if m.board, err = openBoard(a.Board, a.Places, a.Keys); err != nil {
		return err
	}
	defer m.board.seg.Close()
	go mindOrphans(m.board.seg)
	m.line = &m.board.places[a.Place]
	a.Faults.arm(m.rand, func(step string) bool {
		m.line.will.write(step, time.Now().UnixNano(), m.board.changes(a.Place))
		return true
	})
	if m.hoard, err = attachHoard(a.Manager); err != nil {
		return err
	}
	if err := m.inherit(); err != nil {
		return err
	}
	watching := make(chan error, 1)
	go func() {
		watching <- m.watch()
		m.over.Store(true)
	}()
	m.line.ready.Store(1)
	if err := m.serve(); err != nil {
		return err
	}
	if err := <-watching; err != nil {
		return err
	}
	return m.hoard.m.Close()
}

// serve does duties until the run is over.
func (m *dictMember) serve() error {
	var all []int
	for i, d := range duties {
		for range d.weight {
			all = append(all, i)
		}
	}
	for !m.over.Load() && m.ctx.Err() == nil {
		i := all[m.rand.IntN(len(all))]
		m.line.duty.Store(uint64(i) + 1)
		if err := duties[i].do(m); err != nil && m.ctx.Err() == nil {
			if errors.As(err, new(*finding)) {
				return err
			}
			return fmt.Errorf("%s: %w", duties[i].name, err)
		}
		m.line.duty.Store(0)
		m.line.duties[i].Add(1)
		m.line.beat.Add(1)
	}
	return nil
}

// watch follows the run's state, until it is over. If it did not see the last
// value, this member would never end.
func (m *dictMember) watch() error {
	last := runOn
	for w, err := range m.run.Watch(m.ctx, runKey) {
		switch {
		case m.ctx.Err() != nil:
			return nil
		case err != nil:
			return err
		case !w.Present || w.Value < last:
			return found(lost, "the run's state was %d, and a watch has seen %+v then", last, w)
		case w.Value == runOver:
			return nil
		}
		last = w.Value
	}
	return nil
}

// changed counts a change.
func (m *dictMember) changed() { m.line.changes.Add(1) }

// bears tells whether a transaction may return this error: others were faster.
func bears(err error) bool { return errors.Is(err, manager.ErrConflict) }
