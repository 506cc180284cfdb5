package clitest

import (
	"os"
	"testing"
	"time"
)

// UseDir makes a fresh segment directory, in shared memory where there is such,
// and the one that SHMKIT_DIR names until the end of the test. Its name begins
// with prefix.
func UseDir(t testing.TB, prefix string) string {
	t.Helper()
	base := ""
	if st, err := os.Stat("/dev/shm"); err == nil && st.IsDir() {
		base = "/dev/shm"
	}
	dir, err := os.MkdirTemp(base, prefix)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	t.Setenv("SHMKIT_DIR", dir)
	return dir
}

// Until polls for a condition that another process brings about, for 30 s.
func Until(t testing.TB, what string, cond func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	deadline := time.After(30 * time.Second)
	for !cond() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("waited in vain until %s", what)
		}
	}
}
