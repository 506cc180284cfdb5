package shmtest

import (
	"fmt"
	"os"
	"testing"

	"github.com/shmkit/shmkit/process"
)

// Main is the body of TestMain. In a child it runs the child's function, and
// does not return. Otherwise it runs the tests, with a fresh directory for
// segments that don't say another one ($SHMKIT_DIR), and ends the program: with
// the tests' code, or, if that is 0, with 1 and a list on standard error if
// goroutines, descriptors, child processes or segments are left.
//
// What TestMain does before it calls Main happens in children, too. Code that
// is to run before and after the tests, but not in children, calls [Run].
func Main(m *testing.M) {
	process.Main()
	os.Exit(Run(m.Run))
}

// Run calls run as [Main] does, and returns its code, or 1 if that is 0 and
// something is left. It calls [process.Main] first.
func Run(run func() int) (code int) {
	process.Main()
	if os.Getenv("GORACE") == "" {
		os.Setenv("GORACE", "atexit_sleep_ms=0") // else each child of a race build takes a second to end
	}
	dir, err := makeDir()
	if err != nil {
		fmt.Fprintln(os.Stderr, "shmtest:", err)
		return 1
	}
	defer os.RemoveAll(dir)
	before := os.Getenv(dirEnv)
	os.Setenv(dirEnv, dir)
	defer os.Setenv(dirEnv, before)

	base := takeStock()
	code = run()
	for _, leak := range base.leaks() {
		fmt.Fprintln(os.Stderr, "shmtest: left behind:", leak)
		code = max(code, 1)
	}
	return code
}
