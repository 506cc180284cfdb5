//go:build unix

package main

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"testing"
)

// mainEnv makes the test binary, and its children, be the program itself.
const mainEnv = "PREFORK_TEST_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(mainEnv) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// TestKill runs the program with a worker killed in the middle: all answers are right
// (or it would fail), all are counted, and the cache was of use to everybody.
func TestKill(t *testing.T) {
	dir := t.TempDir()
	const requests = 2000
	cmd := exec.Command(os.Args[0], "-kill", "-requests", strconv.Itoa(requests))
	cmd.Env = append(os.Environ(), mainEnv+"=1", "SHMKIT_DIR="+dir)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var total, hits, misses int
	m := regexp.MustCompile(`(\d+) answers: (\d+) from the cache, (\d+) computed`).FindSubmatch(out)
	if m == nil {
		t.Fatalf("printed %s", out)
	}
	for i, p := range []*int{&total, &hits, &misses} {
		fmt.Sscan(string(m[1+i]), p)
	}
	// The worker may have counted up to 8 answers that it did not give any more.
	if total < requests || total > requests+8 || hits+misses != total || misses > 300+4*8 {
		t.Errorf("printed %s", out)
	}
	if n := len(regexp.MustCompile(`serve-\d+ gave`).FindAll(out, -1)); n < 2 || !regexp.MustCompile(`killed serve-`).Match(out) {
		t.Errorf("printed %s", out)
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
	t.Logf("%s", out)
}
