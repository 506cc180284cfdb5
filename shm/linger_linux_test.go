//go:build linux && !portable

package shm_test

import (
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/shmkit/shmkit/shm"
)

// TestLinger closes a handle while its memory is read without a use: the memory is
// zeros at once, private ones, and the file's is not changed by writing to them.
func TestLinger(t *testing.T) {
	o := &shm.Options{Dir: testDir(t)}
	sp := graveSpec(nil)
	sp.Linger = true
	s := must(shm.CreateSpec("x", sp, o))(t)
	other := must(shm.OpenSpec("x", sp, o))(t)
	defer other.Close()
	if !s.Lingers() || s.Closed() {
		t.Fatalf("lingers %v, closed %v", s.Lingers(), s.Closed())
	}
	body := s.Body()
	body[17] = 9
	s.Close()
	if !s.Closed() || body[17] != 0 {
		t.Fatalf("closed %v, byte %d", s.Closed(), body[17])
	}
	body[17] = 8
	if other.Body()[17] != 9 {
		t.Fatal("writing to what is left of a closed handle changes the segment")
	}
	runtime.KeepAlive(s)
}

// TestLingerEnds counts the mappings of this process while handles are closed and
// forgotten.
func TestLingerEnds(t *testing.T) {
	lines := func() int {
		return strings.Count(string(must(os.ReadFile("/proc/self/maps"))(t)), "\n")
	}
	o := &shm.Options{Dir: testDir(t)}
	const handles = 100
	before := lines()
	for range handles {
		sp := graveSpec(nil)
		sp.Linger = true
		must(shm.CreateSpec("x", sp, o))(t).Close()
	}
	for deadline := time.Now().Add(10 * time.Second); lines() > before+handles/2; runtime.GC() {
		if time.Now().After(deadline) {
			t.Fatalf("%d mappings, %d before", lines(), before)
		}
	}
}
