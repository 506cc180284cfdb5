package process

import (
	"slices"
	"sync"
)

// list holds the living children of this process in the order of their start.
type list struct {
	mu  sync.Mutex
	all []*Process
}

var children list

func (l *list) add(p *Process) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, p)
}

func (l *list) remove(p *Process) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if i := slices.Index(l.all, p); i >= 0 {
		l.all = slices.Delete(l.all, i, i+1)
	}
}

// Children returns the processes started by this one that have not ended, in
// the order of their start, those included that Start is still waiting for.
// The slice is the caller's. A process is gone from it when its Done is closed.
func Children() []*Process {
	children.mu.Lock()
	defer children.mu.Unlock()
	return slices.Clone(children.all)
}
