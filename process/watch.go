package process

import (
	"context"
	"iter"
	"slices"
	"sync"
	"time"
)

// A Change is a process's step to another state.
type Change struct {
	Process *Process
	State   State
	At      time.Time // when it was seen
}

// watchEvery is the time between two looks at the kernel's states, if nobody
// says another.
const watchEvery = 20 * time.Millisecond

// Watch returns the changes of the states of this process's children: of those
// that there are, whose present state comes first, and of those that are
// started later. That a child is Created, has ended (Zombie; on Linux) and is
// gone (Exited) is never missed. Of the states between it finds those that a
// look at the kernel meets: there is one each time that every passes, which is
// 20 ms if it is not positive. A look reads two small files of /proc for each
// thread of each child.
//
// It watches from the call on, until ctx is done or a loop over it ends: there is
// one loop, which blocks in its goroutine from one change to the next. Changes
// that the loop has not come to yet are kept. There may be several watches.
func Watch(ctx context.Context, every time.Duration) iter.Seq[Change] {
	w := newWatcher(ctx, nil)
	return func(yield func(Change) bool) { w.run(ctx, every, yield) }
}

// Watch returns the present state of the process and its changes, as the
// function Watch does, until it is Exited or ctx is done.
func (p *Process) Watch(ctx context.Context, every time.Duration) iter.Seq[State] {
	w := newWatcher(ctx, p)
	if p.Alive() {
		w.known[p] = &sight{state: -1}
	} else {
		w.hear(Change{p, Exited, time.Now()}) // perhaps for the second time
	}
	return func(yield func(State) bool) {
		w.run(ctx, every, func(c Change) bool { return yield(c.State) && c.State != Exited })
	}
}

// watchers are those of all watches that go on.
var watchers watcherList

type watcherList struct {
	mu  sync.Mutex
	all []*watcher
}

// born makes p one of the children and tells that it is Created in one step: a
// watch that begins at that moment finds it or hears of it, and not both.
func (l *watcherList) born(p *Process) {
	l.mu.Lock()
	defer l.mu.Unlock()
	children.add(p)
	l.tellLocked(p, Created)
}

// tell is called at those changes that this process brings about or hears of.
func (l *watcherList) tell(p *Process, s State) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tellLocked(p, s)
}

func (l *watcherList) tellLocked(p *Process, s State) {
	for _, w := range l.all {
		if w.only == nil || w.only == p {
			w.hear(Change{p, s, time.Now()})
		}
	}
}

// add begins a watch. One of all children knows those that there are.
func (l *watcherList) add(w *watcher) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, w)
	if w.only == nil {
		for _, p := range Children() {
			w.known[p] = &sight{state: -1}
		}
	}
}

func (l *watcherList) remove(w *watcher) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = slices.DeleteFunc(l.all, func(o *watcher) bool { return o == w })
}

// A watcher is one watch.
type watcher struct {
	only   *Process      // nil: all
	forget func() bool   // ends the watch of the context
	wake   chan struct{} // told has grown

	mu   sync.Mutex
	told []Change

	known map[*Process]*sight // the loop's own
}

func newWatcher(ctx context.Context, only *Process) *watcher {
	w := &watcher{only: only, wake: make(chan struct{}, 1), known: make(map[*Process]*sight)}
	watchers.add(w)
	w.forget = context.AfterFunc(ctx, func() { watchers.remove(w) })
	return w
}

func (w *watcher) close() {
	w.forget()
	watchers.remove(w)
}

func (w *watcher) hear(c Change) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.told = append(w.told, c)
	select {
	case w.wake <- struct{}{}:
	default: // it has not heard of the last one yet
	}
}

func (w *watcher) take() []Change {
	w.mu.Lock()
	defer w.mu.Unlock()
	told := w.told
	w.told = nil
	return told
}

// A sight is what a watcher has seen of a process.
type sight struct {
	state  State // -1: nothing yet
	sample sample
}

func (w *watcher) run(ctx context.Context, every time.Duration, yield func(Change) bool) {
	defer w.close()
	if every <= 0 {
		every = watchEvery
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for ctx.Err() == nil {
		// What the kernel says first: whoever is told of an end later was alive then.
		changes := append(w.look(), w.take()...)
		for _, c := range changes {
			if !w.note(c) {
				continue
			}
			if !yield(c) {
				return
			}
		}
		select {
		case <-tick.C:
		case <-w.wake:
		case <-ctx.Done():
		}
	}
}

// look asks the kernel for the state of every process that has been seen.
func (w *watcher) look() []Change {
	var changes []Change
	for p, s := range w.known {
		// Of its end the reaper tells, in the right order.
		if now := p.look(&s.sample); now != Exited {
			changes = append(changes, Change{p, now, time.Now()})
		}
	}
	slices.SortFunc(changes, func(a, b Change) int { return a.Process.pid - b.Process.pid })
	return changes
}

// note remembers a change, and tells whether it is one.
func (w *watcher) note(c Change) bool {
	s := w.known[c.Process]
	if s == nil {
		s = &sight{state: -1}
		w.known[c.Process] = s
	}
	was := s.state
	if c.State == Exited {
		delete(w.known, c.Process)
	}
	s.state = c.State
	return c.State != was
}
