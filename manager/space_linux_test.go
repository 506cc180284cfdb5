//go:build !portable

package manager_test

import (
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/shmkit/shmkit/manager"
)

// TestSpaceIsGivenBack fills a dict and removes it: the file shrinks, while another
// process has it open.
func TestSpaceIsGivenBack(t *testing.T) {
	t.Parallel() // housekeeping takes its seconds
	dir := tempDir(t)
	m := open(t, &manager.Options{Dir: dir})
	open(t, &manager.Options{Dir: dir})
	space := func() int64 { return spaceOf(t, m) }
	empty := space()
	d := newDict[int, [4000]byte](t, m, "d")
	for i := range 5000 {
		must(t, d.Set(i, [4000]byte{}))
	}
	full := space()
	if full < empty+5000*4000 {
		t.Fatalf("%d bytes, empty %d", full, empty)
	}
	must(t, m.Remove("d"))
	must(t, d.Close())
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		now := space()
		if now < empty+(full-empty)/10 {
			t.Logf("empty %d, full %d, then %d", empty, full, now)
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("empty %d, full %d, then %d", empty, full, now)
		}
	}
}

// spaceOf returns the bytes that a manager's file takes.
func spaceOf(t testing.TB, m *manager.Manager) int64 {
	t.Helper()
	fi, err := os.Stat(m.Segment().Path())
	must(t, err)
	return fi.Sys().(*syscall.Stat_t).Blocks * 512
}
