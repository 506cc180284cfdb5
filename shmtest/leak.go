package shmtest

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/shmkit/shmkit/process"
	"github.com/shmkit/shmkit/shm"
)

// CheckLeaks makes the test fail if at its end, after all clean-ups that were
// registered later, there are more goroutines, descriptors, child processes or
// segments in the default directory than now. What is about to end is given
// some time to do so.
func CheckLeaks(t testing.TB) {
	t.Helper()
	base := takeStock()
	t.Cleanup(func() {
		if t.Failed() {
			return // it may have had no chance
		}
		for _, leak := range base.leaks() {
			t.Errorf("shmtest: left behind: %s", leak)
		}
	})
}

// A stock is what a process has that it could leave behind.
type stock struct {
	goroutines goleak.Option
	files      map[int]string // by descriptor: what it is
	children   map[int]string // by PID: what they are
	dir        string
	segments   []string
}

func takeStock() *stock {
	// The runtime's poller keeps descriptors from its first use on.
	if r, w, err := os.Pipe(); err == nil {
		r.Close()
		w.Close()
	}
	dir := string(shm.DefaultDir())
	return &stock{goleak.IgnoreCurrent(), openFiles(), children(), dir, namesIn(dir)}
}

// children lists the child processes: those of package process, and others where
// the system tells.
func children() map[int]string {
	all := childProcesses()
	for _, p := range process.Children() {
		if _, ok := all[p.PID()]; !ok {
			all[p.PID()] = p.Name()
		}
	}
	return all
}

// leakPatience is how long what is about to end may take.
const leakPatience = time.Second

// leaks describes what there is more of now: as soon as there is nothing, or when
// patience is over.
func (base *stock) leaks() []string {
	var found []string
	for deadline := time.Now().Add(leakPatience); time.Now().Before(deadline); <-time.After(5 * time.Millisecond) {
		if found = base.compare(); len(found) == 0 {
			break
		}
	}
	return found
}

func (base *stock) compare() []string {
	var found []string
	found = append(found, more("process", base.children, children())...)
	if files := openFiles(); len(files) > len(base.files) {
		found = append(found, more("descriptor", base.files, files)...)
	}
	for _, name := range namesIn(base.dir) {
		if !slices.Contains(base.segments, name) {
			found = append(found, "segment "+name)
		}
	}
	if err := goleak.Find(base.goroutines); err != nil {
		found = append(found, err.Error())
	}
	return found
}

// more describes what is in now and not in before.
func more(what string, before, now map[int]string) []string {
	var found []string
	for _, n := range slices.Sorted(maps.Keys(now)) {
		if before[n] != now[n] {
			found = append(found, fmt.Sprintf("%s %d: %s", what, n, now[n]))
		}
	}
	return found
}
