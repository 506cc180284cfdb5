package shmtest

import (
	"os"
	"testing"
)

// dirEnv is the variable with the directory of segments that have no other.
const dirEnv = "SHMKIT_DIR"

// Dir returns a fresh directory for segments, in shared memory where there is
// such. At the end of the test everything in it is gone; whatever is there
// by then, other than by a failure, is an error of the test: a segment that
// nobody has closed or removed.
func Dir(t testing.TB) string {
	t.Helper()
	dir, err := makeDir()
	if err != nil {
		t.Fatalf("shmtest: %v", err)
	}
	t.Cleanup(func() {
		if !t.Failed() {
			for _, name := range namesIn(dir) {
				t.Errorf("shmtest: left behind: segment %s in the test's directory", name)
			}
		}
		os.RemoveAll(dir)
	})
	return dir
}

// SetDir makes a fresh directory as [Dir] does, and makes it the one that is
// used until the end of the test by segments that don't say another one, in
// children, too. Parallel tests can't use it.
func SetDir(t testing.TB) string {
	t.Helper()
	dir := Dir(t)
	t.Setenv(dirEnv, dir)
	return dir
}

func makeDir() (string, error) {
	base := ""
	if st, err := os.Stat("/dev/shm"); err == nil && st.IsDir() {
		base = "/dev/shm"
	}
	return os.MkdirTemp(base, "shmtest-")
}

// namesIn returns the names of all files in the directory.
func namesIn(dir string) []string {
	files, _ := os.ReadDir(dir) // one that does not exist is empty
	names := make([]string, len(files))
	for i, f := range files {
		names[i] = f.Name()
	}
	return names
}
