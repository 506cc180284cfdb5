//go:build linux && !portable

package main

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// mainEnv makes the test binary, and its children, be the program itself.
const mainEnv = "STATES_TEST_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(mainEnv) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// TestEveryState runs the program: the child goes through all states, in the
// order of the program's steps.
func TestEveryState(t *testing.T) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), mainEnv+"=1")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("\n%s", out)
	var steps []string
	for _, m := range regexp.MustCompile(`(?m)^ *\d+ ms  (\w+) +\w.*$`).FindAllSubmatch(out, -1) {
		steps = append(steps, string(m[1]))
	}
	want := "created blocked running ready running stopped running blocked zombie exited"
	if got := strings.Join(steps, " "); got != want {
		t.Errorf("steps %s, want %s, in\n%s", got, want, out)
	}
}
