package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/shmkit/shmkit/internal/cli/clitest"
	"github.com/shmkit/shmkit/shm"
)

// TestIsStopped: a PID alone proves nothing, as it may be another process's by
// now.
func TestIsStopped(t *testing.T) {
	dir := clitest.UseDir(t, "shmctl-test-")
	c := startChild(t, "keeper")
	c.do("block pixels 100")
	i, err := shm.Inspect(filepath.Join(dir, "pixels"))
	if err != nil {
		t.Fatal(err)
	}
	defer i.Close()
	s := i.Slots()[0]
	if s.PID != c.pid() || isStopped(s.PID, s.StartTime) {
		t.Errorf("before: %+v", s)
	}
	c.stop()
	if !isStopped(s.PID, s.StartTime) {
		t.Error("it stands, and nobody sees it")
	}
	if isStopped(s.PID, s.StartTime+1) {
		t.Error("one of another start time is taken for it")
	}
	if s.PIDNamespace++; ownerOf(s).State != stateAlive || ownerOf(s).SamePIDs {
		t.Errorf("of another namespace: %+v", ownerOf(s))
	}
	if o := (owner{PID: 7, PIDNamespace: 1}); o.pidText() != "7*" {
		t.Errorf("shown as %s", o.pidText())
	}
	c.kill()
	if isStopped(os.Getpid(), 0) || isStopped(1<<30, 1) {
		t.Error("somebody else is")
	}
}
