package main

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/shmkit/shmkit/process"
	"github.com/shmkit/shmkit/shm"
)

// mindOrphans waits, for as long as this member lives, for the referee's death.
// Then members that the referee has stopped would stay so for ever: it lets
// everybody go on who holds a segment of the run, so that they see that they
// have no parent, and end.
//
// The kernel does that too, for those that have stopped by then; but a stop may
// still be on its way.
func mindOrphans(seg *shm.Segment) {
	<-process.Parent().Done()
	dir := filepath.Dir(seg.Path())
	run, _, _ := strings.Cut(seg.Name(), ".")
	infos, err := shm.Dir(dir).List()
	if err != nil {
		return
	}
	for _, info := range infos {
		if !strings.HasPrefix(info.Name, run) {
			continue
		}
		i, err := shm.Inspect(info.Path)
		if err != nil {
			continue
		}
		for _, s := range i.Slots() {
			if s.PID == 0 || s.PID == os.Getpid() {
				continue
			}
			if p, err := os.FindProcess(s.PID); err == nil {
				p.Signal(sigCont)
				p.Release()
			}
		}
		i.Close()
	}
}
