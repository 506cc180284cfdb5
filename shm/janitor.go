package shm

import (
	"sync"
	"time"
)

// janitorPeriod is how long a death goes unnoticed at most, when nobody waits
// for the dead one.
const janitorPeriod = time.Second

// A janitor recovers the dead processes of all handles it is given. Its one
// goroutine starts with the first handle and ends with the last.
type janitor struct {
	mu      sync.Mutex
	handles map[*Segment]struct{}
	quit    chan struct{} // of the running goroutine
}

// janitors is the process's janitor: one goroutine, however many handles.
var janitors janitor

func (j *janitor) add(s *Segment) {
	if s.spec.Recover == nil {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.handles) == 0 {
		j.handles = make(map[*Segment]struct{})
		j.quit = make(chan struct{})
		go j.run(j.quit)
	}
	j.handles[s] = struct{}{}
}

func (j *janitor) remove(s *Segment) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if _, ok := j.handles[s]; !ok {
		return
	}
	delete(j.handles, s)
	if len(j.handles) == 0 {
		close(j.quit)
	}
}

func (j *janitor) run(quit chan struct{}) {
	tick := time.NewTicker(janitorPeriod)
	defer tick.Stop()
	for {
		select {
		case <-quit:
			return
		case <-tick.C:
		}
		for _, s := range j.list() {
			s.RecoverDead()
		}
	}
}

func (j *janitor) list() []*Segment {
	j.mu.Lock()
	defer j.mu.Unlock()
	list := make([]*Segment, 0, len(j.handles))
	for s := range j.handles {
		list = append(list, s)
	}
	return list
}
